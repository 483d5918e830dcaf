//! Samples that can't be told apart, over all splits; sizes of files; pictures that EXIF turns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::super::Error;
use super::super::layers::View;
use super::super::samples::{self, Job};
use super::gather::{Ground, Looked};
use crate::base::{Features, Targets, Values};
use crate::data::{self, Dataset, Inputs, PictureSource, Split};
use crate::extract::{Extractor, SampleFiles, perceptual};
use crate::store::Texts;
use crate::vet::{Copies, Duplicates, Evidence, SplitFacts};
use crate::zoo::preprocessing::Size;

/// Of larger data sets so many samples are compared.
const MOST_COMPARED: usize = 20_000;
/// Bits of 64 in which the perceptual hashes of like pictures may differ.
const BITS: u32 = 4;
/// The most by which any of the grey values of like pictures, from 0 to 1, may differ: what saving a picture again and
/// resizing it change. Of small pictures of clothes a hash alone takes one in ten for a copy, this none in a hundred.
const APART: f64 = 0.03;
/// How many pairs or groups are named.
const NAMED: usize = 10;
/// Where the grey values stand among the numbers of a perceptual hash.
const GREY: std::ops::Range<usize> = 5..69;
/// Where the turn by EXIF stands.
const TURNED: usize = 69;
/// Where height and width stand.
const SIZE: std::ops::Range<usize> = 70..72;

/// Compares the samples of the data set with each other.
pub fn add(ground: &Ground, looked: &Looked, evidence: &mut Evidence) -> Result<(), Error> {
    let data = &looked.job.dataset;
    let dataset = match data::open(&data.path, &ground.plan.table) {
        Err(data::Error::Unclear { .. } | data::Error::Unlabelled(_)) => {
            data::open_unlabelled(&data.path, &ground.plan.table)?
        }
        other => other?,
    };
    let labels = dataset.targets.as_ref().map(labels);
    let splits = splits(&dataset, labels.as_deref());
    let places = chosen(&dataset);
    let labels = labels.map(|labels| places.iter().map(|&place| labels[place].clone()).collect::<Vec<_>>());
    let job = samples::selected(&dataset, &places, &ground.machinery.store)?;
    let contents = contents(&job, &plain)?;
    let near = match &job.dataset.inputs {
        Inputs::Pictures(_) => near(ground, &job, evidence)?,
        Inputs::Texts(_) => equal(&letters(&job)?),
    };
    evidence.duplicates = Some(compared(&job.dataset, labels.as_deref(), &contents, near, splits));
    Ok(())
}

/// All samples, or, of many, as many of training as of evaluation, evenly spread.
fn chosen(dataset: &Dataset) -> Vec<usize> {
    let all = 0..dataset.inputs.len();
    if all.len() <= MOST_COMPARED {
        return all.collect();
    }
    let (evaluation, training): (Vec<usize>, Vec<usize>) = all.partition(|&place| is_evaluation(dataset, place));
    let half = MOST_COMPARED / 2;
    let first = spread(&evaluation, half.max(MOST_COMPARED.saturating_sub(training.len())));
    let second = spread(&training, MOST_COMPARED - first.len());
    let mut places = [first, second].concat();
    places.sort_unstable();
    places
}

/// As many entries of a list as are wanted, evenly spread.
fn spread(places: &[usize], wanted: usize) -> Vec<usize> {
    let count = wanted.min(places.len());
    (0..count).map(|number| places[number * places.len() / count]).collect()
}

fn is_evaluation(dataset: &Dataset, place: usize) -> bool {
    matches!(dataset.splits[place], Some(Split::Validation | Split::Test))
}

fn is_split(dataset: &Dataset) -> bool {
    let evaluation = (0..dataset.splits.len()).any(|place| is_evaluation(dataset, place));
    evaluation && dataset.splits.contains(&Some(Split::Train))
}

/// The label of each sample as a number.
fn labels(targets: &Targets) -> Vec<String> {
    match targets {
        Targets::Classes(classes) => {
            classes.index().iter().map(|&class| classes.names()[class as usize].clone()).collect()
        }
        Targets::Multilabel(columns) | Targets::Regression(columns) => {
            (0..targets.len()).map(|row| format!("{:?}", columns.row(row))).collect()
        }
    }
}

/// A text without its case and its blanks.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// What texts that are alike have in common: their letters and digits. A text without any is like itself alone.
fn letters(job: &Job) -> Result<Vec<[u8; 32]>, Error> {
    contents(job, &|text| {
        let kept: String =
            text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        if kept.is_empty() { text.to_owned() } else { kept }
    })
}

/// Groups of equal contents, the first sample first.
fn equal(contents: &[[u8; 32]]) -> Vec<Vec<usize>> {
    let mut groups: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    contents.iter().enumerate().for_each(|(place, content)| groups.entry(*content).or_default().push(place));
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    groups
}

/// The content of each sample, as digest: the bytes of a picture, or what counts of a text.
fn contents(job: &Job, counts: &dyn Fn(&str) -> String) -> Result<Vec<[u8; 32]>, Error> {
    match &job.files {
        SampleFiles::Pictures { root, pictures } => Ok(data::content_digests(root, pictures)),
        SampleFiles::Texts { file, .. } => {
            let texts = Texts::open(file)?;
            let digest = |place: usize| -> Result<[u8; 32], Error> {
                let text = texts.read(place)?;
                let second = text.second.as_deref().map(counts).unwrap_or_default();
                Ok(*blake3::hash(format!("{}\0{second}", counts(&text.first)).as_bytes()).as_bytes())
            };
            (0..job.len()).map(digest).collect()
        }
    }
}

/// Pairs of pictures that look alike: hashes within a few bits, and grey values that agree.
fn near(ground: &Ground, job: &Job, evidence: &mut Evidence) -> Result<Vec<Vec<usize>>, Error> {
    let Ok(found) = ground.extract("perceptual hashes", &Extractor::PerceptualHash, job)? else { return Ok(vec![]) };
    let rows: Vec<usize> = (0..job.len()).collect();
    let numbers = rows_of(&found.features(&rows, &View::whole(&found.description))?);
    let hashes: Vec<Option<u64>> = numbers.iter().map(|row| hash(row)).collect();
    let turned = numbers.iter().filter(|row| row[TURNED] > 0.0).count();
    let is_file = |source: &PictureSource| matches!(source, PictureSource::File(_));
    let are_files = matches!(&job.dataset.inputs, Inputs::Pictures(sources) if sources.iter().all(is_file));
    evidence.turned = are_files.then_some((turned, job.len()));
    let alike = |&(a, b): &(usize, usize)| apart(&numbers[a][GREY], &numbers[b][GREY]) <= APART;
    let pairs = perceptual::pairs_within(&hashes, BITS).into_iter().filter(alike);
    Ok(pairs.map(|(a, b)| vec![a, b]).collect())
}

/// The numbers of each row.
fn rows_of(features: &Features) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![0.0; features.dim()]; features.rows()];
    features.visit(0..features.rows(), |row, column, value| rows[row][column] = value);
    rows
}

fn hash(numbers: &[f64]) -> Option<u64> {
    let [has, parts @ ..] = numbers else { return None };
    let parts = parts.get(..4)?;
    (*has > 0.0).then(|| parts.iter().rev().fold(0, |hash, &part| hash << 16 | part as u64))
}

/// The largest difference of two lists.
fn apart(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Counts copies between training and evaluation, or among all where there are no splits.
fn compared(
    dataset: &Dataset,
    labels: Option<&[String]>,
    contents: &[[u8; 32]],
    near: Vec<Vec<usize>>,
    splits: SplitFacts,
) -> Duplicates {
    let (groups, split) = (equal(contents), is_split(dataset));
    let exact = copied(dataset, &groups, split);
    // Alike and of another label is no copy but a hard case.
    let same_label =
        |group: &Vec<usize>| labels.is_none_or(|labels| group.iter().all(|&place| labels[place] == labels[group[0]]));
    let alike: Vec<Vec<usize>> = near.into_iter().filter(same_label).collect();
    let alike: BTreeSet<usize> = copied(dataset, &alike, split).difference(&exact).copied().collect();
    let contradictions: Vec<String> = labels.map_or(vec![], |labels| contradictions(dataset, labels, &groups));
    Duplicates {
        samples: contents.len(),
        exact: named(dataset, &exact),
        near: named(dataset, &alike),
        contradicting: contradictions.len(),
        contradictions: contradictions.into_iter().take(NAMED).collect(),
        compared_evaluation: (0..contents.len()).filter(|&place| is_evaluation(dataset, place)).count(),
        splits,
    }
}

/// The samples of evaluation that are in a group with one of training; all but the first of each group where there are
/// no splits.
fn copied(dataset: &Dataset, groups: &[Vec<usize>], split: bool) -> BTreeSet<usize> {
    let of = |group: &Vec<usize>| -> Vec<usize> {
        if !split {
            return group[1..].to_vec();
        }
        let (evaluation, training): (Vec<usize>, Vec<usize>) =
            group.iter().partition(|&&place| is_evaluation(dataset, place));
        if training.is_empty() { vec![] } else { evaluation }
    };
    groups.iter().flat_map(of).collect()
}

fn named(dataset: &Dataset, places: &BTreeSet<usize>) -> Copies {
    let examples = places.iter().take(NAMED).map(|&place| dataset.inputs.describe(place)).collect();
    Copies { count: places.len(), examples }
}

fn contradictions(dataset: &Dataset, labels: &[String], groups: &[Vec<usize>]) -> Vec<String> {
    let differs = |group: &&Vec<usize>| group.iter().any(|&place| labels[place] != labels[group[0]]);
    let described = |group: &Vec<usize>| {
        let members =
            group.iter().take(3).map(|&place| format!("{} ({})", dataset.inputs.describe(place), labels[place]));
        crate::base::path_text::escape(&members.collect::<Vec<_>>().join(", "))
    };
    groups.iter().filter(differs).map(described).collect()
}

fn splits(dataset: &Dataset, labels: Option<&[String]>) -> SplitFacts {
    if !is_split(dataset) {
        return SplitFacts::default();
    }
    let evaluation =
        dataset.splits.iter().filter(|split| matches!(split, Some(Split::Validation | Split::Test))).count();
    let mut classes: BTreeMap<Split, BTreeSet<&str>> = BTreeMap::new();
    for (place, split) in dataset.splits.iter().enumerate() {
        if let (Some(split), Some(labels)) = (split, labels) {
            classes.entry(*split).or_default().insert(&labels[place]);
        }
    }
    let all: BTreeSet<&str> = classes.values().flatten().copied().collect();
    let word = |split: &Split| format!("{split:?}").to_lowercase();
    let missing = classes.iter().flat_map(|(split, own)| all.difference(own).map(move |class| (split, *class)));
    let missing = missing.map(|(split, class)| {
        format!("the split {} lacks the class {}", word(split), crate::base::path_text::escape(class))
    });
    // Numbers are no classes.
    let missing = if all.len() * 4 > dataset.splits.len() { vec![] } else { missing.collect() };
    SplitFacts { evaluation: Some(evaluation), missing }
}

/// The size of each file, as its logarithm; `None` where pictures are no files of their own.
pub fn sizes(root: &Path, pictures: &[PictureSource], rows: &[usize]) -> Option<Features> {
    let size = |&row: &usize| match &pictures[row] {
        PictureSource::File(file) => {
            let bytes = std::fs::metadata(root.join(file)).map_or(1, |found| found.len().max(1)) as f32;
            Some([bytes.ln(), bytes.ln() * bytes.ln()])
        }
        PictureSource::Idx { .. } => None,
    };
    let sizes: Vec<[f32; 2]> = rows.iter().map(size).collect::<Option<_>>()?;
    Some(Features::new(2, Values::F32(sizes.concat())))
}

/// Whether the first pictures all have this size already.
pub fn all_of_size(looked: &Looked, size: Size, ground: &Ground) -> Result<bool, Error> {
    let Ok(found) = ground.extract("sizes of the pictures", &Extractor::PerceptualHash, &looked.job)? else {
        return Ok(false);
    };
    let rows: Vec<usize> = (0..looked.job.len()).collect();
    let features = found.features(&rows, &View::whole(&found.description))?;
    let wanted = [f64::from(size.height), f64::from(size.width)];
    // A picture that could not be read has no size.
    let fits = |row: &Vec<f64>| row[SIZE] == wanted || row[SIZE] == [0.0; 2];
    Ok(rows_of(&features).iter().all(fits))
}
