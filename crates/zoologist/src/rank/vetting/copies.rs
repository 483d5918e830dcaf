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

/// Larger data sets are compared by their first samples.
const MOST_COMPARED: usize = 20_000;
/// Bits of 64 in which the perceptual hashes of like pictures may differ.
const BITS: u32 = 4;
/// The least correlation of the grey values of like pictures.
const ALIKE: f64 = 0.98;
/// How many pairs or groups are named.
const NAMED: usize = 10;
/// Where the grey values stand among the numbers of a perceptual hash.
const GREY: std::ops::Range<usize> = 5..69;
/// Where the turn by EXIF stands.
const TURNED: usize = 69;
/// Where height and width stand.
const SIZE: std::ops::Range<usize> = 70..72;

/// Compares all samples of the data set with each other.
pub fn add(ground: &Ground, looked: &Looked, evidence: &mut Evidence) -> Result<(), Error> {
    let data = &looked.job.dataset;
    let dataset = match data::open(&data.path, &ground.plan.table) {
        Err(data::Error::Unclear { .. } | data::Error::Unlabelled(_)) => {
            data::open_unlabelled(&data.path, &ground.plan.table)?
        }
        other => other?,
    };
    let kept = dataset.inputs.len().min(MOST_COMPARED);
    let targets = dataset.targets.clone();
    let job = samples::first_of(&dataset, kept, &ground.machinery.store)?;
    let labels = targets.as_ref().map(labels);
    let contents = contents(&job, &plain)?;
    let near = match &job.dataset.inputs {
        Inputs::Pictures(_) => near(ground, &job, evidence)?,
        Inputs::Texts(_) => equal(&letters(&job)?),
    };
    evidence.duplicates = Some(compared(&job.dataset, labels.as_deref(), &contents, &near));
    Ok(())
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

/// What texts that are alike have in common: their letters and digits.
fn letters(job: &Job) -> Result<Vec<[u8; 32]>, Error> {
    contents(job, &|text| text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect())
}

/// Pairs of equal contents, each with the first of its kind.
fn equal(contents: &[[u8; 32]]) -> Vec<(usize, usize)> {
    let mut first: HashMap<[u8; 32], usize> = HashMap::new();
    let pair = |(place, content): (usize, &[u8; 32])| {
        let before = *first.entry(*content).or_insert(place);
        (before != place).then_some((before, place))
    };
    contents.iter().enumerate().filter_map(pair).collect()
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
fn near(ground: &Ground, job: &Job, evidence: &mut Evidence) -> Result<Vec<(usize, usize)>, Error> {
    let Ok(found) = ground.extract("perceptual hashes", &Extractor::PerceptualHash, job)? else { return Ok(vec![]) };
    let rows: Vec<usize> = (0..job.len()).collect();
    let features = found.features(&rows, &View::whole(&found.description))?;
    let numbers = rows_of(&features);
    let hashes: Vec<Option<u64>> = numbers.iter().map(|row| hash(row)).collect();
    let turned = numbers.iter().filter(|row| row[TURNED] > 0.0).count();
    let are_files = matches!(&job.dataset.inputs, Inputs::Pictures(sources) if sources.iter().all(|source| matches!(source, PictureSource::File(_))));
    evidence.turned = are_files.then_some((turned, job.len()));
    let pairs = perceptual::pairs_within(&hashes, &hashes, BITS);
    let alike = |&(a, b): &(usize, usize)| a < b && correlation(&numbers[a][GREY], &numbers[b][GREY]) >= ALIKE;
    Ok(pairs.into_iter().filter(alike).collect())
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

fn correlation(one: &[f64], other: &[f64]) -> f64 {
    crate::score::agreement::pearson(one, other).unwrap_or(0.0)
}

/// Counts copies between training and evaluation, or among all where there are no splits.
fn compared(
    dataset: &Dataset,
    labels: Option<&[String]>,
    contents: &[[u8; 32]],
    near: &[(usize, usize)],
) -> Duplicates {
    let is_evaluation = |place: usize| matches!(dataset.splits[place], Some(Split::Validation | Split::Test));
    let split = dataset.splits.contains(&Some(Split::Train)) && (0..contents.len()).any(is_evaluation);
    let mut groups: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    contents.iter().enumerate().for_each(|(place, content)| groups.entry(*content).or_default().push(place));
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    let pairs = groups.iter().flat_map(|group| pairs_of(group));
    let counts = |&(a, b): &(usize, usize)| !split || is_evaluation(a) != is_evaluation(b);
    let equal: Vec<(usize, usize)> = pairs.filter(counts).collect();
    let counted = |pairs: &[(usize, usize)], but: &BTreeSet<usize>| {
        let side = |&(a, b): &(usize, usize)| if split && !is_evaluation(b) { a } else { b };
        let places: BTreeSet<usize> = pairs.iter().map(side).filter(|place| !but.contains(place)).collect();
        let named =
            |(a, b): &(usize, usize)| format!("{} = {}", dataset.inputs.describe(*a), dataset.inputs.describe(*b));
        (Copies { count: places.len(), examples: pairs.iter().take(NAMED).map(named).collect() }, places)
    };
    let (exact, places) = counted(&equal, &BTreeSet::new());
    let alike: Vec<(usize, usize)> =
        near.iter().copied().filter(|(a, b)| contents[*a] != contents[*b]).filter(counts).collect();
    // Alike and of another label is no copy but a hard case.
    let same_label = |(a, b): &(usize, usize)| labels.is_none_or(|labels| labels[*a] == labels[*b]);
    let alike: Vec<(usize, usize)> = alike.into_iter().filter(same_label).collect();
    let contradictions: Vec<String> = labels.map_or(vec![], |labels| contradictions(dataset, labels, &groups));
    Duplicates {
        samples: contents.len(),
        exact,
        near: counted(&alike, &places).0,
        contradicting: contradictions.len(),
        contradictions: contradictions.into_iter().take(NAMED).collect(),
        splits: splits(dataset, labels, split),
    }
}

/// Each member of a group with the first.
fn pairs_of(group: &[usize]) -> Vec<(usize, usize)> {
    let all = group.iter().enumerate().flat_map(|(place, &a)| group[place + 1..].iter().map(move |&b| (a, b)));
    if group.len() > 32 { group[1..].iter().map(|&b| (group[0], b)).collect() } else { all.collect() }
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

fn splits(dataset: &Dataset, labels: Option<&[String]>, split: bool) -> SplitFacts {
    if !split {
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
