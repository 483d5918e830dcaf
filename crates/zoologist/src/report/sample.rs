//! A ranking made by hand for the tests of every format: eight models, three of them baselines, one tie, one
//! failure, one value that does not exist, and names that attack.

use crate::base::{Seed, Task};
use crate::rank::*;
use crate::score::{Score, Status};

pub const HOSTILE: &str = "evil</text><script>alert(1)</script>\u{1b}[31m\"&'\n";

pub fn score(metric: &str, value: Option<f64>, status: Status) -> Score {
    let interval = value.map(|value| [value - 0.0104, value + 0.0104]);
    Score { value, interval, ..Score::without_value(metric, status) }
}

fn scores(logme: f64, ridge: f64, knn: f64) -> Vec<Score> {
    let gain = Some(logme + 0.25);
    vec![
        Score { gain, ..score("logme", Some(logme), Status::Ok) },
        score("ridge", Some(ridge), Status::Ok),
        score("knn", Some(knn), Status::Ok),
    ]
}

pub fn model(name: &str, rank: usize, scores: Vec<Score>, dim: usize, per_second: f64) -> RankedModel {
    RankedModel {
        name: name.to_owned(),
        rank: Some(rank),
        status: ModelStatus::Ok,
        score: scores[0].value,
        interval: scores[0].interval,
        scores,
        dim: Some(dim),
        layer: "last".to_owned(),
        features_from: Some("input of the classifier".to_owned()),
        runtime: Some("rten 0.27.0".to_owned()),
        n_seen: 3600,
        beats_next: Some(0.9981),
        ties_next: false,
        baseline: false,
        flags: vec![],
        error: None,
        multiply_adds: Some(390_000_000),
        timing: ModelTiming {
            extract_seconds: 3600.0 / per_second,
            score_seconds: 0.41,
            items_per_second: Some(per_second),
            from_store: false,
        },
    }
}

fn models() -> Vec<RankedModel> {
    let mut unbounded = scores(0.0, 0.991, 0.988);
    unbounded[0] = score("logme", None, Status::Unbounded);
    let mut half = scores(0.118, 0.702, 0.0);
    half[2] = score("knn", None, Status::TooLarge);
    let below = vec!["below a baseline".to_owned()];
    vec![
        model("wide_resnet50_2", 1, unbounded, 4096, 21.4),
        RankedModel {
            beats_next: Some(0.62),
            ties_next: true,
            ..model("efficientnet-lite4", 2, scores(0.3408, 0.931, 0.912), 1280, 38.2)
        },
        model("mobilenetv3_small_100.lamb_in1k", 3, scores(0.3362, 0.926, 0.915), 1024, 412.0),
        RankedModel { baseline: true, ..model("colour histogram", 4, half, 512, 8120.0) },
        RankedModel { flags: below, ..model(HOSTILE, 5, scores(0.0511, 0.58, 0.551), 640, 95.5) },
        RankedModel {
            baseline: true,
            ..model("shuffled mobilenetv3_small_100", 6, scores(-0.0203, 0.41, 0.38), 1024, 409.3)
        },
        RankedModel {
            baseline: true,
            beats_next: None,
            ..model("raw pixels", 7, scores(-0.1127, 0.322, 0.291), 768, 20_500.0)
        },
        failed("truncated-vit"),
    ]
}

fn failed(name: &str) -> RankedModel {
    RankedModel {
        name: name.to_owned(),
        rank: None,
        status: ModelStatus::Failed,
        score: None,
        interval: None,
        scores: vec![],
        dim: None,
        n_seen: 0,
        features_from: None,
        runtime: None,
        beats_next: None,
        error: Some("zoo/truncated-vit/model.onnx: the file ends within a tensor. Download it again.".to_owned()),
        multiply_adds: None,
        timing: ModelTiming::default(),
        ..model(name, 8, scores(0.0, 0.0, 0.0), 1, 1.0)
    }
}

pub fn skipped(number: usize) -> Vec<Skipped> {
    let sample =
        |place| Skipped { path: format!("flowers/train/daisy/{place:03}.jpg"), reason: "not an image".to_owned() };
    (1..=number).map(sample).collect()
}

pub fn ranking() -> Ranking {
    Ranking {
        schema: 1,
        task: Task::Classification,
        data: DataSummary {
            path: "photos/flowers".into(),
            format: "folder per class".to_owned(),
            n: 3600,
            available: 18_200,
            classes: 5,
            class_names: ["daisy", "dandelion", "<b>rose</b>", "sunflower", "tulip"].map(str::to_owned).to_vec(),
            class_counts: vec![620, 880, 640, 690, 770],
            split: "train+val".to_owned(),
            digest: "9f2b6c1de04a77c35b8e21f09d6a4c3e9f2b6c1de04a77c35b8e21f09d6a4c3e".to_owned(),
        },
        metric: "logme".to_owned(),
        seed: Seed(0),
        interrupted: false,
        verdict: "Use efficientnet-lite4 or mobilenetv3_small_100.lamb_in1k: the difference may be chance.\n\
                  Both beat the best baseline (colour histogram) by 0.22 nats per sample."
            .to_owned(),
        models: models(),
        skipped: skipped(5),
        passes: Passes {
            spent: 12_300_000_000_000,
            full: 20_100_000_000_000,
            spent_by_models: 12_000_000_000_000,
            full_of_models: 19_500_000_000_000,
        },
        advice: vec![
            "mobilenetv3_small_100.lamb_in1k runs 11 times faster than efficientnet-lite4 and may be as good."
                .to_owned(),
            "wide_resnet50_2 has more dimensions than rows: use more samples to compare it.".to_owned(),
        ],
        usage: None,
        truth: None,
        timing: RunTiming { seconds: 312.4, threads: 8 },
    }
}

pub fn truth() -> Truth {
    let accuracy = |name: &str, accuracy| TrueAccuracy { name: name.to_owned(), accuracy };
    Truth {
        kind: "accuracy of a linear probe on held-out samples".to_owned(),
        n: 900,
        agreement: vec![
            Agreement {
                metric: "logme".to_owned(),
                models: Some(0.91),
                with_baselines: Some(0.957),
                interval: Some([0.72, 0.98]),
                regret: Some(0.004),
            },
            Agreement {
                metric: "knn".to_owned(),
                models: None,
                with_baselines: Some(0.88),
                interval: None,
                regret: None,
            },
        ],
        models: vec![accuracy("efficientnet-lite4", Some(0.938)), accuracy(HOSTILE, None)],
        not_covered: vec![],
        timing: TruthTiming { selection_seconds: 12.0, truth_seconds: None, ratio: None },
    }
}
