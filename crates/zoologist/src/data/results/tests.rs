//! What is accepted, what is said about it, and what is refused.

use std::path::{Path, PathBuf};

use super::{OfModel, Results, read, read_wide};
use crate::base::{Fail, Fault};
use crate::data::Error;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn long(&self, text: &str) -> Result<Results, Error> {
        read(&self.file("results.csv", text), None)
    }

    fn refusal(&self, text: &str) -> String {
        self.long(text).unwrap_err().to_string()
    }
}

fn of_model(model: usize, accuracy: Option<f64>, scores: &[Option<f64>]) -> OfModel {
    OfModel { model, accuracy, scores: scores.to_vec(), size: None }
}

#[test]
fn the_long_form_is_read_by_its_column_names() {
    let text = "Model,family,Data-Set,LogME,Finetune Accuracy,params\nr18,cnn,pets,0.5,0.91,11\nr50,cnn,pets,-,0.93,25\n\
                r18,cnn,cars,NA,,11\n";
    let found = Folder::new().long(text).unwrap();
    assert_eq!((found.models, found.scores), (vec!["r18".into(), "r50".into()], vec!["LogME".into()]));
    assert_eq!(found.size, Some("params".into()));
    assert_eq!(found.datasets[0].models[1], OfModel { size: Some(25.0), ..of_model(1, Some(0.93), &[None]) });
    assert_eq!(found.datasets[1].models[0], OfModel { size: Some(11.0), ..of_model(0, None, &[None]) });
    assert_eq!(
        found.notes[0],
        "columns: models Model, data sets Data-Set, truth Finetune Accuracy, scores LogME, size params"
    );
    assert_eq!(found.notes[1], "columns that are no scores: \"family\"");
}

#[test]
fn one_data_set_needs_no_column_of_data_sets() {
    let found = Folder::new().long("model;acc;a;b\nx;0.5;1;2\ny;0.75;2;1\n").unwrap();
    assert_eq!(
        found.datasets[0].models,
        [of_model(0, Some(0.5), &[Some(1.0), Some(2.0)]), of_model(1, Some(0.75), &[Some(2.0), Some(1.0)])]
    );
}

#[test]
fn percentages_become_fractions_and_other_truths_stay() {
    let text = "model,dataset,accuracy,a\nx,percent,50%,1\ny,percent,75,2\nx,fraction,0.5,1\nx,loss,-3,1\n";
    let found = Folder::new().long(text).unwrap();
    let accuracies: Vec<Option<f64>> =
        found.datasets.iter().flat_map(|dataset| &dataset.models).map(|model| model.accuracy).collect();
    assert_eq!(accuracies, [Some(0.5), Some(0.75), Some(0.5), Some(-3.0)]);
    assert!(found.notes.contains(&"accuracies of percent are read as percentages".to_owned()));
    assert!(found.notes.iter().any(|note| note.starts_with("accuracies of loss are outside")));
}

#[test]
fn the_wide_form_is_read_as_published_tables_look() {
    let folder = Folder::new();
    let truth = folder
        .file("truth.csv", "model,Params,pets,cars,mean\nr18,11,91,60,75.5\nr50,25,93,66,79.5\nvgg,138,90,50,70\n");
    let score = folder.file("logme.csv", ",pets,cars,food\nr50,0.5,0.2,1\nr18,0.4,–,1\nvit,1,1,1\n");
    let found = read_wide(&[score], &truth).unwrap();
    assert_eq!((found.scores, found.size), (vec!["logme".into()], Some("Params".into())));
    let names: Vec<&str> = found.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    assert_eq!(names, ["pets", "cars"]);
    assert_eq!(found.datasets[1].models[1], OfModel { size: Some(25.0), ..of_model(1, Some(0.66), &[Some(0.2)]) });
    assert_eq!(found.datasets[1].models[2], OfModel { size: Some(138.0), ..of_model(2, Some(0.5), &[None]) });
    for said in ["lacks models of the truth: vgg", "without truth, which are left out: vit", "left out: food"] {
        assert!(found.notes.iter().any(|note| note.contains(said)), "{:?}", found.notes);
    }
}

#[test]
fn tables_that_do_not_fit_together_are_refused() {
    let folder = Folder::new();
    let truth = folder.file("truth.csv", "model,pets\nr18,91\n");
    let transposed = folder.file("logme.csv", "data,r18\npets,0.4\n");
    assert!(read_wide(&[transposed], &truth).unwrap_err().to_string().contains("has no model (first column) of"));
    let twice = folder.file("leep.csv", "model,pets\nr18,1\nr18,2\n");
    assert!(read_wide(&[twice], &truth).unwrap_err().to_string().contains("line 3: repeats the model r18 (line 2)"));
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_column() {
    let folder = Folder::new();
    let head = "model,dataset,accuracy,a\n";
    let cases = [
        ("x,d,0.5,1\nx,d,0.6,1\n", "line 3: repeats the model x on the same data set (line 2)"),
        ("x,d,0.5,1\ny,d,good,1\n", "line 3: has \"good\" in the column accuracy"),
        ("x,d,0.5,inf\n", "line 2: has \"inf\" in the column a"),
        ("x,d,0.5,1\ny,d,0.5,1e999\n", "line 3: has \"1e999\" in the column a"),
        ("x,d,0.5,1\n,d,0.5,1\n", "line 3: has nothing in the column model"),
        ("x,d,0.5\n", "has 3 cells where the first line has 4"),
        ("", "is empty"),
    ];
    for (rows, expected) in cases {
        let message = folder.refusal(&format!("{head}{rows}"));
        assert!(message.contains(expected), "{message}");
    }
    assert!(
        folder.refusal("model,acc,truth,a\nx,1,1,1\n").contains("two columns that may be the truth: truth and acc")
    );
    assert!(folder.refusal("model,a\nx,1\n").contains("--truth"));
    assert!(folder.refusal("model,accuracy,family\nx,1,cnn\n").contains("no column of scores"));
}

#[test]
fn scores_can_be_chosen_and_an_unknown_one_is_a_fault_of_the_request() {
    let folder = Folder::new();
    let path = folder.file("results.csv", "model,accuracy,a,b,c\nx,0.5,1,2,inf\n");
    let choose = |names: &[&str]| read(&path, Some(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()));
    assert_eq!(choose(&["b", "a", "b"]).unwrap().scores, ["b", "a"]);
    let error = choose(&["d"]).unwrap_err();
    assert!(error.to_string().contains("has no column d. It has: model, accuracy, a, b, c"), "{error}");
    assert_eq!(error.fault(), Fault::Usage);
    assert_eq!(read(Path::new("missing.csv"), None).unwrap_err().fault(), Fault::Input);
}
