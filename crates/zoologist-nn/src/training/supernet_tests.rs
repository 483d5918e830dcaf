use std::sync::atomic::AtomicUsize;

use zoologist::extract::SampleFiles;
use zoologist::extract::training::{Answers, Batch, Skeleton, SkeletonKind};
use zoologist::search::Method;
use zoologist::zoo::preprocessing::{ChannelOrder, Filter, Layout, Preprocessing, Resize};

use super::*;

/// Pictures of two classes: stripes that lie and stripes that stand, in noise.
struct Stripes;

impl Examples for Stripes {
    fn batch(&self, rows: &[usize], _: &[bool]) -> Result<Batch, ModelError> {
        let picture = |&row: &usize| {
            let mut stream = Seed(6).stream("picture", &row.to_string());
            let pixel = |place: usize| {
                let (down, across) = (place / 8 % 8, place % 8);
                let bright = if row.is_multiple_of(2) { down % 2 } else { across % 2 };
                bright as f32 + stream.unit() as f32
            };
            (0..3 * 64).map(pixel).collect::<Vec<f32>>()
        };
        Ok(Batch::Pictures { size: [8, 8], values: rows.iter().flat_map(picture).collect() })
    }
}

/// Stops after so many samples.
struct Until<'a> {
    left: AtomicUsize,
    stop: &'a AtomicBool,
}

impl Watch for Until<'_> {
    fn learned(&self, samples: usize) {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(samples);
        self.left.store(left, Ordering::Relaxed);
        if left == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn order(folder: &Path, method: &str, path_per: PathPer) -> SupernetOrder {
    SupernetOrder {
        skeleton: Skeleton { kind: SkeletonKind::Chain, channels: 2 },
        most_parameters: None,
        most_multiply_adds: None,
        edge: 8,
        preprocessing: Preprocessing {
            resize: Resize::Keep,
            filter: Filter::Bilinear,
            crop: None,
            scale: 1.0,
            offset: 0.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            channel_order: ChannelOrder::Rgb,
            layout: Layout::Nchw,
        },
        samples: SampleFiles::Pictures { root: folder.to_owned(), pictures: vec![] },
        answers: Answers::Classes { index: (0..60).map(|row| row % 2).collect(), count: 2 },
        training: (0..40).collect(),
        validation: (40..60).collect(),
        method: method.parse::<Method>().unwrap(),
        path_per,
        steps: 60,
        warm_up: 0.3,
        batch: 10,
        learning_rate: 0.05,
        weight_decay: 3e-4,
        evaluated_on: 20,
        drawn: 3,
        short_list: 4,
        seed: Seed(0),
        drawn_seed: Seed(0),
        threads: 1,
        folder: folder.to_owned(),
    }
}

fn searched(method: &str, path_per: PathPer, threads: usize, stop_after: Option<usize>) -> SupernetOutcome {
    let folder = tempfile::tempdir().unwrap();
    let order = SupernetOrder { threads, ..order(folder.path(), method, path_per) };
    if let Some(samples) = stop_after {
        let stop = AtomicBool::new(false);
        let until = Until { left: AtomicUsize::new(samples), stop: &stop };
        assert!(matches!(search(&order, &Stripes, &until, &stop), Err(ModelError::Stopped)));
    }
    let (stop, nobody) = (AtomicBool::new(false), AtomicBool::new(false));
    let outcome =
        search(&order, &Stripes, &Until { left: AtomicUsize::new(usize::MAX), stop: &nobody }, &stop).unwrap();
    for shot in outcome.drawn.iter().chain([&outcome.found, &outcome.largest]) {
        let written = folder.path().join(folder_of(&shot.architecture));
        let network = zoologist::extract::runtime::NativeBytes {
            config: std::fs::read_to_string(written.join("config.json")).unwrap(),
            weights: std::fs::read(written.join("model.safetensors")).unwrap(),
        };
        let design = Design::read(&network.config).unwrap();
        crate::weights::Weights::check(&network.weights, &design.contents()).unwrap();
    }
    SupernetOutcome { seconds: 0.0, ..outcome }
}

#[test]
fn a_search_is_the_same_whatever_the_threads_and_the_interruptions() {
    for path_per in [PathPer::Step, PathPer::Epoch] {
        let whole = searched("duel:0.1", path_per, 1, None);
        assert_eq!(searched("duel:0.1", path_per, 2, None), whole);
        for samples in [50, 290, 410] {
            assert_eq!(searched("duel:0.1", path_per, 1, Some(samples)), whole, "{path_per:?} {samples}");
        }
    }
}

#[test]
fn evaluations_follow_the_warm_up() {
    let found = searched("transfer", PathPer::Step, 1, None);
    // 60 steps, 18 of them to warm up; two evaluations after every ten of the 42 that are left.
    assert_eq!((found.history.0.len(), found.entropies.len()), (8, 8));
    let by_epoch = searched("paper", PathPer::Epoch, 1, None);
    // An epoch has 4 steps: 5 of the 15 epochs warm up.
    assert_eq!(by_epoch.history.0.len(), 10);
    assert!(by_epoch.losses.last().unwrap() < &by_epoch.losses[0]);
}

#[test]
fn what_is_drawn_does_not_depend_on_the_method() {
    let architectures = |outcome: &SupernetOutcome| -> Vec<Architecture> {
        outcome.drawn.iter().map(|shot| shot.architecture.clone()).collect()
    };
    let even = searched("random", PathPer::Step, 1, None);
    assert_eq!(architectures(&even), architectures(&searched("duel:0.1", PathPer::Step, 1, None)));
    assert!(even.distribution.is_none() && even.short_list.len() == 4);
}
