//! Lists of pictures in a folder, read as tables where a column or task is asked for.

use std::path::PathBuf;

use zoologist::base::{Targets, Task};
use zoologist::data::{Inputs, PictureSource, TableOptions, open};

use super::{Folder, columns, labels};

const CSV: &str = "file_name,label,age\np/a.png,x,30\nb.png,y,40\n";
const JSONL: &str =
    "{\"file_name\":\"p/a.png\",\"label\":\"x\",\"age\":30}\n{\"file_name\":\"b.png\",\"label\":\"y\",\"age\":40}\n";

#[test]
fn the_label_and_task_of_a_list_can_be_chosen() {
    for (name, content) in [("metadata.csv", CSV), ("metadata.jsonl", JSONL), ("labels.csv", CSV)] {
        let folder = Folder::with(&[(&format!("set/{name}"), content), ("set/p/a.png", ""), ("set/b.png", "")]);
        let set = folder.path("set");
        assert_eq!(labels(&folder.open("set").unwrap()), ["x", "y"], "{name}");
        let by_age = TableOptions { label: columns(&["age"]), ..TableOptions::default() };
        let dataset = open(&set, &by_age).unwrap();
        assert_eq!(labels(&dataset), ["30", "40"], "{name}");
        let files = ["p/a.png", "b.png"].map(|file| PictureSource::File(PathBuf::from(file)));
        assert_eq!((&dataset.inputs, &dataset.root), (&Inputs::Pictures(files.to_vec()), &set), "{name}");
        let to_predict = TableOptions { task: Some(Task::Regression), ..by_age };
        let Some(Targets::Regression(found)) = open(&set, &to_predict).unwrap().targets else { panic!("{name}") };
        assert_eq!((found.names(), found.row(1)), (&columns(&["age"])[..], &[40.0][..]), "{name}");
    }
}
