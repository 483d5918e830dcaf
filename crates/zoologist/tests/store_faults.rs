//! No damage to a file of the store goes unnoticed: random flipped bits and cuts of every kind of file of a finished and
//! of a half finished job.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zoologist::base::{Seed, Stream};
use zoologist::store::{About, Block, JobFolder, Kept, Key, RowFailure, Sealed, Store, Texts, Unsound, read_order};

const FLIPS: usize = 300;
const CUTS: usize = 60;
const ROWS: [Range<usize>; 3] = [0..8, 8..16, 16..20];

/// A store with a finished job, a half finished one and their texts.
struct Cache {
    _folder: TempDir,
    store: Store,
    finished: JobFolder,
    half: JobFolder,
    texts: PathBuf,
}

/// All that is read of the store: equal readings are equal uses.
type Reading = String;

impl Cache {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Store::at(folder.path());
        let (finished, half) = (job(&store, "finished"), job(&store, "half"));
        ROWS.iter().for_each(|rows| finished.write_block(&block(rows)).unwrap());
        finished.seal(&ROWS, BTreeMap::from([("description".to_owned(), "{\"dim\":3}".to_owned())])).unwrap();
        ROWS[..2].iter().for_each(|rows| half.write_block(&block(rows)).unwrap());
        let mut texts = store.write_texts(3).unwrap();
        (0..3).for_each(|place| texts.put(place, "a text", Some("and another")).unwrap());
        let texts = texts.finish().unwrap().0;
        Self { _folder: folder, store, finished, half, texts }
    }

    /// Every file that holds something.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = vec![self.texts.clone()];
        for job in [&self.finished, &self.half] {
            found.extend(files(job.path()));
        }
        found
    }

    /// What is read, piece by piece; `None` for a piece that will be computed again, or is refused.
    fn read(&self) -> Vec<Option<Reading>> {
        let mut found = vec![];
        for job in [&self.finished, &self.half] {
            found.push(shown(job.sealed().unwrap().sound().map(|sealed| content(&sealed))));
            found.extend(ROWS.iter().map(|rows| shown(job.block(rows).unwrap().sound())));
            found.extend(["timing", "logme"].map(|what| shown(job.result::<Vec<f64>>(&result(what)).unwrap())));
            found.push(shown(job.about().unwrap().sound()));
            found.push(shown(read_order::<Vec<String>>(&job.path().join("order.json")).ok()));
        }
        found.push(shown(Texts::open(&self.texts).ok().map(|texts| [0, 1, 2].map(|place| texts.read(place).unwrap()))));
        found
    }

    fn faults(&self) -> Vec<PathBuf> {
        self.store.verify().unwrap().faults.into_iter().map(|fault| fault.path).collect()
    }
}

fn content(sealed: &Sealed) -> impl std::fmt::Debug + use<> {
    let (mut values, places) = (vec![], (0..sealed.rows.count()).collect::<Vec<usize>>());
    sealed.rows.visit(&places, |row| values.extend_from_slice(row)).unwrap();
    (sealed.rows.dim(), values, sealed.failures.clone(), sealed.truncated.clone(), sealed.metadata.clone())
}

fn shown<T: std::fmt::Debug>(value: Option<T>) -> Option<Reading> {
    value.map(|value| format!("{value:?}"))
}

fn result(what: &str) -> Key {
    Key::of(&[("what", what)])
}

fn job(store: &Store, model: &str) -> JobFolder {
    let job = store.job(&Key::of(&[("model", model)])).unwrap();
    job.write_order(&vec![model, "data"]).unwrap();
    job.write_about(&About { model: model.to_owned(), data: "data".to_owned() }).unwrap();
    ["timing", "logme"].iter().for_each(|what| job.write_result(&result(what), &vec![0.25, 8.0]).unwrap());
    job
}

fn block(rows: &Range<usize>) -> Block {
    let values = rows.clone().flat_map(|row| [row as f32, -1.5, 1e-9]).collect();
    let failures = vec![RowFailure { row: rows.start as u64, reason: "cut off".to_owned() }];
    Block { first: rows.start as u64, dim: 3, values, failures, truncated: 1 }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if fs::metadata(&path).unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Damages one file after another, and looks at what is read.
fn damage(count: usize, name: &str, spoil: impl Fn(&mut Vec<u8>, &mut Stream)) {
    let cache = Cache::new();
    let (files, whole) = (cache.files(), cache.read());
    assert!(files.len() >= 12 && cache.faults().is_empty(), "{files:?}");
    let mut random = Seed(0).stream("store faults", name);
    for number in 0..count {
        // Every file has its turn.
        let path = &files[number % files.len()];
        let sound = fs::read(path).unwrap();
        let mut spoiled = sound.clone();
        spoil(&mut spoiled, &mut random);
        fs::write(path, &spoiled).unwrap();
        let what = format!("{name} {number} of {}", path.display());
        let changed: Vec<_> = cache.read().into_iter().zip(&whole).filter(|(now, before)| now != *before).collect();
        assert_eq!(changed.len(), 1, "{what}: one piece is missing, and only one: {changed:?}");
        assert!(changed.iter().all(|(now, _)| now.is_none()), "{what}: nothing wrong is read");
        assert_eq!(cache.faults(), std::slice::from_ref(path), "{what}: it is named");
        fs::write(path, &sound).unwrap();
    }
    assert_eq!(cache.read(), whole);
}

#[test]
fn a_flipped_bit_is_found_before_use_and_costs_one_piece() {
    damage(FLIPS, "flip", |bytes, random| {
        let bit = random.below(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
    });
}

#[test]
fn a_cut_is_found_before_use_and_costs_one_piece() {
    damage(CUTS, "cut", |bytes, random| bytes.truncate(random.below(bytes.len())));
}

#[test]
fn what_a_newer_version_wrote_is_named_and_left() {
    let cache = Cache::new();
    let path = cache.half.path().join("blocks/000000000008.blk");
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 77;
    fs::write(&path, bytes).unwrap();
    let newer = cache.store.root().with_file_name("v2");
    fs::create_dir(&newer).unwrap();
    assert_eq!(cache.half.block(&ROWS[1]).unwrap(), Kept::Unsound(Unsound::Newer(77)));
    let found = cache.store.verify().unwrap();
    assert_eq!((found.faults.len(), found.faults[0].unsound, found.others.len()), (1, Unsound::Newer(77), 1));
    let mut request = zoologist::store::cache::Request::default();
    assert!(cache.store.collect(request).unwrap().removed.is_empty());
    assert!(path.exists() && newer.exists());
    request.newer_too = true;
    assert_eq!(cache.store.collect(request).unwrap().removed.len(), 2);
    assert!(!path.exists() && !newer.exists());
}
