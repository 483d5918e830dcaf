use std::path::PathBuf;

use super::*;
use crate::extract::head::Dense;
use crate::extract::onnx::sketch;
use crate::extract::order::{LayerSet, PortablePath};
use crate::extract::picture::Rgb;
use crate::extract::runtime::Rten;
use crate::extract::text::load_encoder;
use crate::store::Text;
use crate::zoo::preprocessing::{Preprocessing, Size};
use crate::zoo::{Preset, TextFile, TextSettings, TokenPooling, Vocabulary};

const PICTURES: &str = "input x float 1 3 8 8
    output y float 1 2
    a = Conv(x, k1[4 3 3 3]) strides=2,2 dilations=1,1 pads=1,1,1,1
    b = Relu(a)
    c = Conv(b, k2[4 4 3 3]) strides=1,1 dilations=1,1 pads=1,1,1,1
    d = Relu(c)
    e = Add(d, b)
    f = GlobalAveragePool(e)
    g = Flatten(f)
    y = Gemm(g, own[4 2])";

/// A folder with a model and a head.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new(model: &str, head: &Head) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.onnx"), sketch::model(model)).unwrap();
        std::fs::write(folder.path().join("head.safetensors"), head.bytes().unwrap()).unwrap();
        let words: Vec<String> = ('a'..='s').map(String::from).collect();
        std::fs::write(folder.path().join("words.txt"), words.join("\n")).unwrap();
        Self(folder)
    }

    fn plan(&self, input: ModelInput, layers: LayerSet) -> NetworkPlan {
        NetworkPlan {
            folder: self.0.path().to_owned(),
            weights: PathBuf::from("model.onnx"),
            external: Vec::<PortablePath>::new(),
            form: Form::Onnx,
            input,
            features: None,
            head: None,
            digest: String::new(),
            layers,
        }
    }

    /// The plan of the same model with the head on it, written beside it, asked for what the head gives.
    fn tuned(&self, plan: &NetworkPlan) -> NetworkPlan {
        let (bytes, names) = attach(plan, &self.0.path().join("head.safetensors"), &Rten).unwrap();
        std::fs::write(self.0.path().join("tuned.onnx"), bytes).unwrap();
        let weights = PathBuf::from("tuned.onnx");
        NetworkPlan {
            weights,
            features: Some(names.features),
            head: Some(names.logits),
            layers: LayerSet::Head,
            ..plan.clone()
        }
    }
}

fn head(columns: Option<Vec<usize>>, into: usize) -> Head {
    let weight = (0..into * 3).map(|place| (place * 7 % 11) as f32 / 10.0 - 0.5).collect();
    Head { columns, layers: vec![Dense { into, out: 3, weight, bias: vec![0.5, -0.25, 0.0] }] }
}

fn by_hand(head: &Head, features: &[f32]) -> Vec<f32> {
    let layer = &head.layers[0];
    let used: Vec<f32> = match &head.columns {
        Some(columns) => columns.iter().map(|&column| features[column]).collect(),
        None => features.to_vec(),
    };
    let sum =
        |out: usize| used.iter().enumerate().map(|(into, value)| value * layer.weight[into * 3 + out]).sum::<f32>();
    (0..3).map(|out| sum(out) + layer.bias[out]).collect()
}

fn assert_near(found: &[f32], expected: &[f32]) {
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{found:?} {expected:?}");
}

fn of_pictures(plan: &NetworkPlan, how: &Preprocessing) -> (Vec<String>, Vec<f32>) {
    let (description, mut networks) = network::load(plan, how, None, &Rten, 1).unwrap();
    assert!(description.is_sound());
    let picture = Rgb::new(8, 8, (0..192).map(|place| (place * 31 % 256) as u8).collect()).unwrap();
    let names = description.layers.into_iter().map(|layer| layer.name).collect();
    (names, networks[0].features(&picture).unwrap())
}

#[test]
fn a_head_on_pictures_gives_what_the_features_and_loops_give() {
    let mut how = Preset::named("imagenet").unwrap().preprocessing(Some(8));
    how.resize = crate::zoo::preprocessing::Resize::Exact(Size { height: 8, width: 8 });
    for (layers, head) in [
        (LayerSet::Last, head(None, 4)),
        (LayerSet::All, head(None, 8)),
        (LayerSet::All, head(Some(vec![0, 3, 5]), 3)),
        (LayerSet::All, head(Some(vec![4, 7]), 2)),
    ] {
        let fixture = Fixture::new(PICTURES, &head);
        let plan = fixture.plan(ModelInput::Pictures(how.clone()), layers);
        let (names, features) = of_pictures(&plan, &how);
        assert_eq!(names.len(), if layers == LayerSet::All { 2 } else { 1 });
        let tuned = fixture.tuned(&plan);
        assert_eq!(of_pictures(&tuned, &how), (vec!["head".to_owned()], by_hand_near(&tuned, &how, &head, &features)));
        // The same features are there as before, and the head is not taken for one of them.
        assert_eq!(of_pictures(&NetworkPlan { layers, head: None, ..tuned }, &how), (names, features));
    }
}

/// What the head gives, after it was compared with loops.
fn by_hand_near(tuned: &NetworkPlan, how: &Preprocessing, head: &Head, features: &[f32]) -> Vec<f32> {
    let (_, found) = of_pictures(tuned, how);
    assert_near(&found, &by_hand(head, features));
    found
}

#[test]
fn the_head_that_a_model_has_already_is_found() {
    let how = Preset::named("imagenet").unwrap().preprocessing(Some(8));
    let own = Fixture::new(PICTURES, &head(None, 4));
    let plan = own.plan(ModelInput::Pictures(how.clone()), LayerSet::Head);
    let (names, found) = of_pictures(&plan, &how);
    assert_eq!((names, found.len()), (vec!["head".to_owned()], 2));
    let none = PICTURES.replace("output y", "output g").replace("float 1 2", "float 1 4");
    let none = Fixture::new(&none, &head(None, 4));
    let refused = |plan: &NetworkPlan| network::load(plan, &how, None, &Rten, 1).err().unwrap().to_string();
    let without = none.plan(ModelInput::Pictures(how.clone()), LayerSet::Head);
    assert!(refused(&without).starts_with("it has no head: tune it first"));
    let named = |value: &str| NetworkPlan { head: Some(value.to_owned()), ..without.clone() };
    assert!(refused(&named("gone")).contains("no value called `gone`"));
    assert!(refused(&named("e")).contains("not one vector a picture"));
}

fn settings(pooling: TokenPooling) -> TextSettings {
    let words = TextFile { path: PathBuf::from("words.txt"), sha256: String::new() };
    TextSettings {
        vocabulary: Vocabulary::WordList(words),
        pooling,
        special_tokens: false,
        drop_unknown: false,
        max_tokens: None,
    }
}

fn of_texts(plan: &NetworkPlan, settings: &TextSettings) -> (String, Vec<Vec<f32>>) {
    let (description, mut encoders) = load_encoder(plan, settings, None, &Rten, 1).unwrap();
    assert!(description.is_sound());
    let texts = ["c", "a b c d e", "h i", "s r q p"].map(|text| Text { first: text.to_owned(), second: None });
    (description.features_from, encoders[0].features(&texts).unwrap().features)
}

#[test]
fn a_head_on_texts_of_unequal_length_gives_what_the_features_and_loops_give() {
    for pooling in [TokenPooling::Mean, TokenPooling::Cls, TokenPooling::Last, TokenPooling::Max] {
        for (layers, head) in [(LayerSet::Last, head(None, 6)), (LayerSet::All, head(Some(vec![1, 7, 8, 17]), 4))] {
            let fixture = Fixture::new(&sketch::encoder(2), &head);
            let settings = settings(pooling);
            let plan = fixture.plan(ModelInput::Texts(settings.clone()), layers);
            let (_, features) = of_texts(&plan, &settings);
            let (words, found) = of_texts(&fixture.tuned(&plan), &settings);
            assert_eq!(words, "value `logits`, as asked");
            for (found, features) in found.iter().zip(&features) {
                assert_near(found, &by_hand(&head, features));
            }
        }
    }
}

#[test]
fn a_text_model_without_a_head_says_so() {
    let fixture = Fixture::new(&sketch::encoder(1), &head(None, 6));
    let settings = settings(TokenPooling::Mean);
    let plan = fixture.plan(ModelInput::Texts(settings.clone()), LayerSet::Head);
    let refused = |plan: &NetworkPlan| load_encoder(plan, &settings, None, &Rten, 1).err().unwrap().to_string();
    assert!(refused(&plan).starts_with("it has no head: tune it first"));
    let states = NetworkPlan { head: Some("norm_1_ffn".to_owned()), ..plan.clone() };
    assert!(refused(&states).contains("is not one vector per text"), "{}", refused(&states));
    let table = NetworkPlan { form: Form::Static, ..plan };
    let refused = attach(&table, &fixture.0.path().join("head.safetensors"), &Rten).unwrap_err().to_string();
    assert!(refused.contains("only an ONNX graph"));
}
