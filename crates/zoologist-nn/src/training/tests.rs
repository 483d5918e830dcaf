//! Trainings of a small encoder: that nothing is concluded from one that is not what was planned.

use std::sync::atomic::AtomicBool;

use zoologist::base::Seed;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::runtime::NativeBytes;
use zoologist::extract::text::TokenIds;
use zoologist::extract::training::{
    Answers, Batch, Examples, Freeze, Keeps, Mode, Norms, Optimizer, Proof, Recipe, Start, TrainingOrder, Watch,
};
use zoologist::extract::{LayerSet, NetworkPlan, SampleFiles};
use zoologist::zoo::{Form, ModelInput, TextSettings, TokenPooling, Vocabulary};

use super::parameters::{Parameters, file};
use super::session::Session;
use crate::design::{Design, Filled};
use crate::operations::numbers;
use crate::scope::BatchNorms;
use crate::weights::Weights;

/// A short training.
pub fn recipe() -> Recipe {
    Recipe {
        start: Start::Pretrained,
        alteration: None,
        freeze: Freeze::Nothing,
        norms: Norms::Frozen,
        head: None,
        optimizer: Optimizer::Adamw,
        learning_rate: 1e-3,
        head_factor: 10.0,
        weight_decay: 0.01,
        batch: 4,
        steps: 3,
        warm_up: 0.0,
        clip: 1.0,
        checkup: 3,
        patience: 3,
        mirror: false,
        teachers: None,
    }
}

const CONFIG: &str = r#"{"model_type": "bert", "num_hidden_layers": 3, "hidden_size": 8, "num_attention_heads": 2,
    "intermediate_size": 12, "vocab_size": 11, "max_position_embeddings": 9, "type_vocab_size": 2}"#;

/// The network's file.
fn network() -> NativeBytes {
    let design = Design::read(CONFIG).unwrap();
    let parameters = design.contents().parameters;
    let values: Vec<Vec<f32>> = parameters
        .iter()
        .map(|it| {
            let mut stream = Seed(4).stream("weights", &it.name);
            (0..it.shape.iter().product()).map(|_| stream.unit() as f32 - 0.4).collect()
        })
        .collect();
    let tensors = parameters.into_iter().zip(&values).map(|(it, values)| (it.name, it.shape, values.as_slice()));
    NativeBytes { config: CONFIG.to_owned(), weights: file(tensors, None).unwrap() }
}

/// Eight texts of two classes.
struct Texts;

impl Examples for Texts {
    fn batch(&self, rows: &[usize], _: &[bool]) -> Result<Batch, ModelError> {
        let ids = |row: &usize| {
            let row = row.cast_signed() as i64;
            TokenIds::of(vec![1, 2 + row % 4, 3 + (row * 3) % 5])
        };
        let shares = rows.iter().map(|_| vec![1.0 / 3.0; 3]).collect();
        Ok(Batch::Texts { tokens: rows.iter().map(ids).collect(), shares })
    }
}

struct Nobody;

impl Watch for Nobody {
    fn learned(&self, _: usize) {}
}

fn order(recipe: Recipe, folder: &std::path::Path) -> TrainingOrder {
    let settings = TextSettings {
        vocabulary: Vocabulary::InWeights,
        pooling: TokenPooling::Mean,
        special_tokens: true,
        drop_unknown: false,
        max_tokens: None,
    };
    let plan = NetworkPlan {
        folder: folder.to_owned(),
        weights: "model.safetensors".into(),
        external: vec![],
        form: Form::Native { config_sha256: String::new() },
        input: ModelInput::Texts(settings),
        features: None,
        head: None,
        digest: String::new(),
        layers: LayerSet::Last,
    };
    TrainingOrder {
        plan,
        samples: SampleFiles::Texts { file: folder.join("texts"), digest: String::new(), origin: String::new() },
        answers: Answers::Classes { index: (0..8).map(|row| row % 2).collect(), count: 2 },
        training: (0..6).collect(),
        validation: vec![],
        judged: vec![6, 7],
        recipe,
        seed: Seed(0),
        threads: 1,
        keeps: Keeps::Outputs,
        folder: folder.to_owned(),
    }
}

/// Trains; `plant` may spoil the session before.
fn trained(recipe: Recipe, plant: impl Fn(&mut Session)) -> Result<Proof, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let order = order(recipe, folder.path());
    let stop = AtomicBool::new(false);
    let mut session = Session::new(&order, &network(), &Texts, &Nobody, &stop)?;
    plant(&mut session);
    Ok(session.run()?.proof)
}

#[test]
fn a_sound_training_shows_what_it_changed() {
    let alteration = Some(Mode::Normal.of(vec![2], true));
    let proof = trained(Recipe { alteration: alteration.clone(), ..recipe() }, |_| {}).unwrap();
    // Sixteen tensors of a layer; five of the embeddings.
    assert_eq!((proof.renewed, proof.kept), (16, 37));
    assert!(proof.trained + proof.frozen == 53 && proof.trained > 40, "{proof:?}");
    let frozen = trained(Recipe { alteration, freeze: Freeze::First(2), ..recipe() }, |_| {}).unwrap();
    assert!(frozen.frozen >= 37, "{frozen:?}");
    // Paired with it: the same rows and the same head.
    assert_eq!((&frozen.batches, &frozen.head), (&proof.batches, &proof.head));
}

#[test]
fn a_layer_missing_from_the_optimizer_ends_the_run() {
    let forget = |session: &mut Session| session.forget("encoder.layer.1.");
    let error = trained(recipe(), forget).unwrap_err().to_string();
    assert!(error.contains("encoder.layer.1.attention.self.query.weight was to learn, and did not change"), "{error}");
}

#[test]
fn a_frozen_layer_that_learns_ends_the_run() {
    let plant = |session: &mut Session| session.remember("encoder.layer.0.");
    let error = trained(Recipe { freeze: Freeze::First(1), ..recipe() }, plant).unwrap_err().to_string();
    assert!(error.contains("encoder.layer.0.") && error.contains("was to stay frozen, and changed"), "{error}");
    let plant = |session: &mut Session| session.remember("encoder.layer.1.");
    let error = trained(Recipe { freeze: Freeze::AllBut(1), ..recipe() }, plant).unwrap_err().to_string();
    assert!(error.contains("encoder.layer.1.") && error.contains("was to stay frozen, and changed"), "{error}");
}

#[test]
fn the_last_layers_learn_and_nothing_before_them() {
    // Sixteen tensors of a layer, in three layers; five of the embeddings.
    for (last, learning) in [(1, 16), (2, 32), (3, 48), (4, 53), (9, 53)] {
        let proof = trained(Recipe { freeze: Freeze::AllBut(last), ..recipe() }, |_| {}).unwrap();
        assert_eq!(proof.trained + proof.frozen, 53);
        // The bias of keys has no gradient.
        assert!(proof.trained <= learning && proof.trained + 4 >= learning, "{last}: {proof:?}");
    }
}

#[test]
fn a_pass_from_kept_states_is_the_whole_pass() {
    let (design, network) = (Design::read(CONFIG).unwrap(), network());
    let weights = Weights::check(&network.weights, &design.contents()).unwrap();
    let head = ["weight", "bias"].map(|part| Filled { name: part.to_owned(), shape: vec![0], values: vec![] });
    let parameters = Parameters::new(&design, design.fill(&weights).unwrap(), head, Freeze::First(2));
    let tensors = parameters.tensors();
    let bound = parameters.bound(&tensors, true);
    let batch = Texts.batch(&[0, 3, 5], &[false; 3]).unwrap();
    let states = design.states_after(&bound, 2, &batch).unwrap().unwrap();
    assert_eq!(states.iter().map(Vec::len).collect::<Vec<_>>(), [24; 3]);
    let whole = design.pass(&bound, BatchNorms::Frozen, &batch).unwrap().features.inner().into_data();
    let from = design.pass_from(&bound, 2, states.concat(), &batch).unwrap().features.inner().into_data();
    for (a, b) in numbers(&whole).iter().zip(numbers(&from)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}
