//! Data sets of pictures: what is recognised, in which order, what is left out, and what the errors say.
#![allow(clippy::unwrap_used, reason = "a test that cannot prepare its files must fail")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{Compression, write::GzEncoder};
use tempfile::TempDir;
use zoologist::base::Targets;
use zoologist::data::{
    Dataset, Inputs, PictureReader, PictureSource, RawPicture, Split, TableOptions, content_digests,
};

fn open(path: &Path) -> Result<Dataset, zoologist::data::Error> {
    zoologist::data::open(path, &TableOptions::default())
}

fn open_unlabelled(path: &Path) -> Result<Dataset, zoologist::data::Error> {
    zoologist::data::open_unlabelled(path, &TableOptions::default())
}

/// A folder with these files, each holding its own name; a name that ends in `/` is an empty folder.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        put(folder.path(), name, name.as_bytes());
    }
    folder
}

fn put(root: &Path, name: &str, content: &[u8]) {
    let path = root.join(name);
    if name.ends_with('/') {
        fs::create_dir_all(path).unwrap();
    } else {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Opening it would wait for a writer that never comes.
fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn pictures(dataset: &Dataset) -> &[PictureSource] {
    let Inputs::Pictures(pictures) = &dataset.inputs else { panic!("no pictures") };
    pictures
}

fn files(dataset: &Dataset) -> Vec<String> {
    let name = |source: &PictureSource| match source {
        PictureSource::File(file) => file.to_string_lossy().into_owned(),
        PictureSource::Idx { file, row } => format!("{}#{row}", file.display()),
    };
    pictures(dataset).iter().map(name).collect()
}

fn labels(dataset: &Dataset) -> Vec<&str> {
    let Some(Targets::Classes(classes)) = &dataset.targets else { panic!("no classes") };
    classes.index().iter().map(|&class| classes.names()[class as usize].as_str()).collect()
}

fn splits(dataset: &Dataset) -> Vec<Option<Split>> {
    dataset.splits.clone()
}

/// The error of opening this folder, its own path written as DATA.
fn error(folder: &TempDir) -> String {
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.lines().count() <= 5, "{error}");
    error.replace(folder.path().to_str().unwrap(), "DATA")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx(kind: u8, shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

#[test]
fn class_folders_are_classes_and_pictures_stand_in_the_order_of_their_bytes() {
    let data =
        folder(&["b/2.JPG", "b/10.png", "a/x.webp", "a-c/y.Tiff", "a/deep/er/z.gif", "README.md", ".git/config"]);
    let dataset = open(data.path()).unwrap();
    assert_eq!(files(&dataset), ["a-c/y.Tiff", "a/deep/er/z.gif", "a/x.webp", "b/10.png", "b/2.JPG"]);
    assert_eq!(labels(&dataset), ["a-c", "a", "a", "b", "b"]);
    assert_eq!(dataset.format, "folder per class");
    assert_eq!(
        dataset.notes,
        [
            "Folder per class: 5 pictures, 3 classes.",
            "Class folders hold 2 folders more, whose pictures belong to the class."
        ]
    );
}

#[test]
fn splits_are_recognised_by_their_folders_and_classes_are_merged_over_them() {
    let cases: &[(&[&str], &[Option<Split>])] = &[
        (
            &["Train/a/1.png", "Train/b/1.png", "valid/a/1.png", "valid/b/1.png"],
            &[Some(Split::Train), Some(Split::Train), Some(Split::Validation), Some(Split::Validation)],
        ),
        (&["train/a/1.png", "train/b/1.png"], &[Some(Split::Train); 2]),
        (&["train/a/1.png", "train/b/1.png", "test/1.png"], &[Some(Split::Train); 2]),
        (&["train/1.png", "bus/1.png"], &[None; 2]),
        (&["test/a/1.png", "bus/1.png"], &[None; 2]),
    ];
    for (names, expected) in cases {
        let data = folder(names);
        let dataset = open(data.path()).unwrap();
        assert_eq!(splits(&dataset), *expected, "{names:?}");
        assert_eq!(dataset.targets.unwrap().names().len(), 2, "{names:?}");
    }
}

#[test]
fn a_class_that_is_empty_in_one_split_but_not_in_another_is_only_noted() {
    let data = folder(&["train/a/1.png", "train/b/1.png", "val/a/", "val/b/1.png"]);
    let dataset = open(data.path()).unwrap();
    assert!(dataset.notes.contains(&"val/a holds no picture.".to_owned()), "{:?}", dataset.notes);
    assert!(dataset.notes.contains(&"Splits: train 2, validation 1.".to_owned()), "{:?}", dataset.notes);
}

#[test]
fn loops_of_links_end_and_only_regular_files_are_taken() {
    let data = folder(&["a/1.png", "b/1.png", "b/notes"]);
    symlink("..", data.path().join("a/up")).unwrap();
    symlink(".", data.path().join("a/self")).unwrap();
    symlink("nowhere.png", data.path().join("a/dead.png")).unwrap();
    symlink("/dev/zero", data.path().join("a/zero.png")).unwrap();
    pipe(&data.path().join("a/pipe.png"));
    symlink("1.png", data.path().join("b/link.png")).unwrap();
    let dataset = open(data.path()).unwrap();
    assert_eq!(files(&dataset), ["a/1.png", "b/1.png", "b/link.png"]);
    let skipped: Vec<String> = dataset.skipped.iter().map(|(path, why)| format!("{} {why}", path.display())).collect();
    assert_eq!(
        skipped,
        [
            "a/dead.png is not a regular file",
            "a/pipe.png is not a regular file",
            "a/self is a link to a folder that was walked already",
            "a/up is a link to a folder that was walked already",
            "a/zero.png is not a regular file",
            "b/notes has no extension, so it is not known to be a picture",
        ]
    );
}

#[test]
fn hidden_files_and_files_of_another_kind_are_counted() {
    let data = folder(&["a/1.png", "a/.DS_Store", "a/1.txt", "b/1.png", "b/2.json", "stray.png"]);
    let notes = open(data.path()).unwrap().notes;
    assert_eq!(
        notes[1..],
        [
            "Left out because they are no pictures: 1 hidden file, 2 files.",
            "Left out: 1 picture outside the class folders."
        ]
    );
}

#[test]
fn names_that_are_not_utf8_survive_and_class_names_are_kept_exactly() {
    let data = folder(&["50% <b>é/1.png"]);
    let odd = data.path().join(OsStr::from_bytes(b"cat\xff"));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join(OsStr::from_bytes(b"\xfe.png")), b"x").unwrap();
    let dataset = open(data.path()).unwrap();
    assert_eq!(labels(&dataset), ["50% <b>é", "cat%FF"]);
    let json = serde_json::to_string(&pictures(&dataset)[1]).unwrap();
    assert_eq!(json, r#"{"file":"cat%FF/%FE.png"}"#);
    let source: PictureSource = serde_json::from_str(&json).unwrap();
    assert_eq!(PictureReader::new(&dataset.root).read(&source).unwrap(), RawPicture::Encoded(b"x".to_vec()));
}

#[test]
fn folders_that_are_no_data_set_are_refused_with_advice() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "DATA: holds no pictures. They are known by their extension: jpg, jpeg, png, webp, bmp, gif, tif, tiff."),
        (
            &["a/", "b/"],
            "DATA: holds no pictures. They are known by their extension: jpg, jpeg, png, webp, bmp, gif, tif, tiff.",
        ),
        (
            &["1.png", "2.png"],
            "DATA: holds pictures but no labels. Sort them into one folder per class, or add a labels.csv with the columns file_name and label.",
        ),
        (&["a/1.png", "b/"], "DATA/b: this class folder holds no picture. Add pictures or remove the folder."),
        (
            &["a/1.png", "b/", "c/1.txt"],
            "DATA/b: this class folder holds no picture, nor do 1 more. Add pictures or remove the folder.",
        ),
        (
            &["images/a/1.png", "images/b/2.png"],
            "DATA: all pictures are in one folder, images: nothing to rank. If the classes are folders inside it, give DATA/images.",
        ),
        (&["a/1.png", "a/2.png"], "DATA: all labels are equal (a): nothing to rank. At least two classes are needed."),
    ];
    for (names, message) in cases {
        assert_eq!(error(&folder(names)), *message, "{names:?}");
    }
    assert_eq!(
        open(Path::new("no/such/data")).unwrap_err().to_string(),
        "no/such/data: there is no such file or folder. Check the spelling of the path."
    );
    let data = folder(&["notes.txt"]);
    assert!(open(&data.path().join("notes.txt")).unwrap_err().to_string().contains("is not a data set"));
}

#[test]
fn a_table_lists_pictures_in_its_own_order() {
    let tables = [
        ("labels.csv", "\u{feff}File_Name,label,split\nb.png,cat,train\n./sub/a.png,dog,val\nb.png,dog,\n"),
        ("metadata.csv", "extra,target,path,split\n1,cat,b.png,train\n2,dog,sub/a.png,dev\n3,dog,b.png,\n"),
        (
            "metadata.jsonl",
            "{\"file_name\": \"b.png\", \"label\": \"cat\", \"split\": \"train\"}\n\
             {\"label\": \"dog\", \"file_name\": \"sub/a.png\", \"split\": \"validation\"}\n\
             {\"file_name\": \"b.png\", \"label\": \"dog\"}\n",
        ),
    ];
    for (name, content) in tables {
        let data = folder(&["b.png", "sub/a.png", "unnamed.png"]);
        put(data.path(), name, content.as_bytes());
        let dataset = open(data.path()).unwrap();
        assert_eq!(dataset.format, name);
        assert_eq!(files(&dataset), ["b.png", "sub/a.png", "b.png"], "{name}");
        assert_eq!(labels(&dataset), ["cat", "dog", "dog"], "{name}");
        assert_eq!(splits(&dataset), [Some(Split::Train), Some(Split::Validation), None], "{name}");
        assert_eq!(
            dataset.notes,
            [
                format!("{name}: 3 pictures, 2 classes."),
                "Splits: train 1, validation 1.".into(),
                "Rows that name the picture of an earlier row: 1.".into(),
                "Left out: 1 picture that no row names.".into(),
            ]
        );
    }
}

#[test]
fn fractions_in_a_table_are_numbers_to_predict_and_whole_numbers_are_classes() {
    for (cells, classes) in [("1\n2\n", true), ("1.5\n2\n", false), ("1\n2.25\n", false), ("a\n1.5\n", true)] {
        let data = folder(&["x.png"]);
        let rows: Vec<String> = cells.lines().map(|label| format!("x.png,{label}")).collect();
        put(data.path(), "labels.csv", format!("file,label\n{}\n", rows.join("\n")).as_bytes());
        let targets = open(data.path()).unwrap().targets.unwrap();
        assert_eq!(matches!(targets, Targets::Classes(_)), classes, "{cells:?}");
    }
}

#[test]
fn rows_without_a_picture_or_a_label_are_skipped_by_name() {
    let data = folder(&["a.png", "b.png", "folder.png/"]);
    put(data.path(), "labels.csv", b"file,label\na.png,x\nmissing.png,x\nb.png,\nb.png,y\nfolder.png,y\n");
    let dataset = open(data.path()).unwrap();
    assert_eq!(files(&dataset), ["a.png", "b.png"]);
    assert_eq!(
        dataset.skipped,
        [
            (PathBuf::from("missing.png"), "line 3: there is no such file".to_owned()),
            (PathBuf::from("b.png"), "line 4: has no label".to_owned()),
            (PathBuf::from("folder.png"), "line 6: is not a regular file".to_owned()),
        ]
    );
}

#[test]
fn tables_that_are_wrong_are_refused_with_file_and_line() {
    let cases: &[(&str, &[u8], &str)] = &[
        (
            "labels.csv",
            b"",
            "line 1: there is no column file_name or path or filename or file or image. The columns are: ",
        ),
        (
            "labels.csv",
            b"file,kind\n",
            "line 1: there is no column label or class or target. The columns are: file, kind.",
        ),
        ("labels.csv", b"file,label,label\n", "line 1: has the column \"label\" twice."),
        (
            "labels.csv",
            b"file,label\na.png,x,y\n",
            "line 2: has 3 cells where the first line has 2. Quote cells that hold commas.",
        ),
        ("labels.csv", b"file,label\na.png,x\na.png,\xff\n", "line 3: is not valid UTF-8. Save the file as UTF-8."),
        (
            "labels.csv",
            b"file,label\n/etc/passwd,x\n",
            "line 2: \"/etc/passwd\" is not a path beneath the folder of the table.",
        ),
        (
            "labels.csv",
            b"file,label\nsub/../../a.png,x\n",
            "line 2: \"sub/../../a.png\" is not a path beneath the folder of the table.",
        ),
        ("labels.csv", b"file,label\n,x\n", "line 2: \"\" is not a path beneath the folder of the table."),
        (
            "labels.csv",
            b"file,label,split\na.png,x,holdout\n",
            "line 2: the split \"holdout\" is not known: use train, validation or test.",
        ),
        (
            "metadata.jsonl",
            b"{\"file\": \"a.png\", \"label\": 1}\n{\"file\": \"a.png\"}\n",
            "line 2: there is no column label",
        ),
        (
            "metadata.jsonl",
            b"{\"file\": \"a.png\", \"label\": 1, \"label\": 2}\n",
            "line 1: has the column \"label\" twice.",
        ),
        ("metadata.jsonl", b"{\"file\": \"a.png\", \"label\": [1]}\n", "line 1: label is neither text nor a number."),
        ("metadata.jsonl", b"[1, 2]\n", "line 1: is not a JSON object"),
        (
            "metadata.jsonl",
            b"{\"file\": \"a.png\", \"label\": \"\xff\"}\n",
            "line 1: is not valid UTF-8. Save the file as UTF-8.",
        ),
    ];
    for (name, content, message) in cases {
        let data = folder(&["a.png"]);
        put(data.path(), name, content);
        let expected = format!("DATA/{name}, {message}");
        let found = error(&data);
        assert!(found.starts_with(&expected), "\nfound    {found}\nexpected {expected}");
    }
}

#[test]
fn control_characters_of_a_table_do_not_reach_the_terminal() {
    let data = folder(&["a.png"]);
    put(data.path(), "labels.csv", b"file,label\n../\x1b[2J\x07,x\n");
    assert!(!error(&data).chars().any(char::is_control));
}

fn mnist(images: &[u8], labels: &[u8], ending: &str) -> TempDir {
    let data = tempfile::tempdir().unwrap();
    put(data.path(), &format!("train-images-idx3-ubyte{ending}"), images);
    put(data.path(), &format!("train-labels-idx1-ubyte{ending}"), labels);
    data
}

#[test]
fn idx_files_are_read_gzip_or_not_with_splits_and_class_names() {
    let images = idx(8, &[3, 1, 2], &[1, 2, 3, 4, 5, 6]);
    let labels_file = idx(8, &[3], &[1, 0, 1]);
    let packed = mnist(&gzip(&images), &gzip(&labels_file), ".gz");
    let plain = mnist(&images, &labels_file, "");
    for data in [&packed, &plain] {
        put(data.path(), "t10k-images.idx3-ubyte", &idx(8, &[1, 1, 2], &[7, 8]));
        put(data.path(), "t10k-labels.idx1-ubyte", &idx(8, &[1], &[0]));
        put(data.path(), "classes.txt", b"shirt\nshoe\n");
        let dataset = open(data.path()).unwrap();
        assert_eq!(labels(&dataset), ["shirt", "shoe", "shirt", "shoe"]);
        assert_eq!(splits(&dataset)[0..2], [Some(Split::Test), Some(Split::Train)]);
        let reader = PictureReader::new(&dataset.root);
        let picture = reader.read(&pictures(&dataset)[3]).unwrap();
        assert_eq!(picture, RawPicture::Pixels { width: 2, height: 1, channels: 1, bytes: vec![5, 6] });
    }
    let without_labels = open_unlabelled(plain.path()).unwrap();
    assert_eq!((pictures(&without_labels).len(), without_labels.targets), (4, None));
    let alone = open(&plain.path().join("train-images-idx3-ubyte")).unwrap();
    assert_eq!((files(&alone).len(), &alone.root), (3, &plain.path().to_path_buf()));
}

#[test]
fn colour_idx_pictures_have_three_channels() {
    let data = mnist(&idx(8, &[2, 1, 1, 3], &[1, 2, 3, 4, 5, 6]), &idx(8, &[2], &[0, 1]), "");
    fs::rename(data.path().join("train-images-idx3-ubyte"), data.path().join("train-images-idx4-ubyte")).unwrap();
    let dataset = open(data.path()).unwrap();
    let picture = PictureReader::new(&dataset.root).read(&pictures(&dataset)[1]).unwrap();
    assert_eq!(picture, RawPicture::Pixels { width: 1, height: 1, channels: 3, bytes: vec![4, 5, 6] });
}

#[test]
fn idx_files_that_lie_are_refused() {
    let labels = idx(8, &[2], &[0, 1]);
    let huge = idx(8, &[u32::MAX, u32::MAX, u32::MAX], &[0; 8]);
    let cases: &[(Vec<u8>, Vec<u8>, &str)] = &[
        (
            idx(8, &[2, 1, 1], &[1]),
            labels.clone(),
            "DATA/train-images-idx3-ubyte: is cut off or damaged: its header promises more values",
        ),
        (huge, labels.clone(), "DATA/train-images-idx3-ubyte: is cut off or damaged"),
        (vec![0, 0, 8], labels.clone(), "DATA/train-images-idx3-ubyte: is cut off: it ends too early."),
        (
            b"\x89PNG....".to_vec(),
            labels.clone(),
            "DATA/train-images-idx3-ubyte: is not an IDX file: it does not begin",
        ),
        (
            idx(7, &[2, 1, 1], &[1, 2]),
            labels.clone(),
            "DATA/train-images-idx3-ubyte: is not an IDX file: there is no value type 0x07.",
        ),
        (idx(0x0D, &[2, 1, 1], &[0; 8]), labels.clone(), "DATA/train-images-idx3-ubyte: holds pictures of F32 values"),
        (
            idx(8, &[2, 1], &[1, 2]),
            labels.clone(),
            "DATA/train-images-idx3-ubyte: holds no pictures: count x height x width",
        ),
        (idx(8, &[2, 0, 1], &[]), labels.clone(), "DATA/train-images-idx3-ubyte: is empty"),
        (
            idx(8, &[3, 1, 1], &[1, 2, 3]),
            labels.clone(),
            "DATA/train-images-idx3-ubyte has 3 rows, DATA/train-labels-idx1-ubyte has 2.",
        ),
        (
            idx(8, &[2, 1, 1], &[1, 2]),
            idx(8, &[2], &[0, 1, 1]),
            "DATA/train-labels-idx1-ubyte: is damaged: it holds more values",
        ),
        (idx(8, &[2, 1, 1], &[1, 2]), idx(0x0D, &[2], &[0; 8]), "DATA/train-labels-idx1-ubyte: holds no labels"),
    ];
    for (images, labels, message) in cases {
        let found = error(&mnist(images, labels, ""));
        assert!(found.starts_with(message), "\nfound    {found}\nexpected {message}");
    }
}

#[test]
fn a_label_that_classes_txt_does_not_name_is_refused_with_its_row() {
    let data = mnist(&idx(8, &[2, 1, 1], &[1, 2]), &idx(8, &[2], &[0, 7]), "");
    put(data.path(), "classes.txt", b"shirt\nshoe\n");
    assert!(error(&data).contains("row 1 (counted from 0) has the label 7, which classes.txt does not name"));
}

#[test]
fn two_sets_in_one_folder_and_missing_labels_are_refused() {
    let data = mnist(&idx(8, &[2, 1, 1], &[1, 2]), &idx(8, &[2], &[0, 1]), "");
    put(data.path(), "letters-train-images-idx3-ubyte", b"");
    assert!(error(&data).contains("holds several data sets"));
    let data = folder(&["train-images-idx3-ubyte"]);
    assert!(error(&data).contains("has no labels beside it. Add train-labels-idx1-ubyte"));
}

#[test]
fn a_packed_idx_file_that_unpacks_to_more_or_less_than_it_says_is_refused_when_read() {
    for (values, problem) in [(vec![0; 1 << 20], "holds more values than its header says"), (vec![0; 1], "is cut off")]
    {
        let data = mnist(&gzip(&idx(8, &[2, 1, 1], &values)), &gzip(&idx(8, &[2], &[0, 1])), ".gz");
        let dataset = open(data.path()).unwrap();
        let reader = PictureReader::new(&dataset.root);
        let error = reader.read(&pictures(&dataset)[0]).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(reader.read(&pictures(&dataset)[1]).unwrap_err().to_string().contains("could not be read"));
    }
}

#[test]
fn a_reader_opens_nothing_outside_its_root_and_no_pipe() {
    let data = folder(&["a.png"]);
    let other = folder(&["a.png"]);
    symlink("/dev/zero", data.path().join("zero.png")).unwrap();
    symlink(other.path().join("a.png"), data.path().join("other.png")).unwrap();
    symlink(other.path(), data.path().join("folder")).unwrap();
    symlink("a.png", data.path().join("inside.png")).unwrap();
    pipe(&data.path().join("pipe.png"));
    let reader = PictureReader::new(data.path());
    for (path, problem) in [
        ("../a.png", "leads out of the data set"),
        ("/etc/passwd", "leads out of the data set"),
        ("zero.png", "leads out of the data set"),
        ("other.png", "leads out of the data set"),
        ("folder/a.png", "leads out of the data set"),
        ("pipe.png", "is not a regular file"),
        ("gone.png", "there is no such file"),
    ] {
        let error = reader.read(&PictureSource::File(path.into())).unwrap_err().to_string();
        assert!(error.contains(problem), "{path}: {error}");
    }
    for path in ["./a.png", "inside.png"] {
        assert!(reader.read(&PictureSource::File(path.into())).is_ok());
    }
}

#[test]
fn a_snapshot_of_the_cache_may_link_to_its_own_blobs_only() {
    let cache = folder(&[
        "datasets--org--own/blobs/12ab",
        "datasets--org--other/blobs/34cd",
        "datasets--org--own/snapshots/c0ffee/",
    ]);
    let snapshot = cache.path().join("datasets--org--own/snapshots/c0ffee");
    symlink("../../blobs/12ab", snapshot.join("own.png")).unwrap();
    symlink("../../../datasets--org--other/blobs/34cd", snapshot.join("other.png")).unwrap();
    let dataset = open_unlabelled(&snapshot).unwrap();
    assert_eq!(files(&dataset), ["own.png"]);
    assert!(PictureReader::new(&snapshot).read(&pictures(&dataset)[0]).is_ok());
    assert!(dataset.skipped[0].1.contains("leads out of the data set"), "{:?}", dataset.skipped);
}

#[test]
fn pictures_without_labels_can_be_opened_as_such() {
    let data = folder(&["sub/b.png", "a.jpg", "notes.txt"]);
    let dataset = open_unlabelled(data.path()).unwrap();
    assert_eq!((files(&dataset), &dataset.targets), (vec!["a.jpg".to_owned(), "sub/b.png".to_owned()], &None));
    let single = open_unlabelled(&data.path().join("a.jpg")).unwrap();
    assert_eq!((files(&single), single.root), (vec!["a.jpg".to_owned()], data.path().to_path_buf()));
    assert!(open_unlabelled(folder(&["x.txt"]).path()).unwrap_err().to_string().contains("holds no pictures"));
}

#[test]
fn digests_are_those_of_the_bytes_and_a_lost_picture_has_one_too() {
    let data = folder(&["a/1.png", "b/2.png", "b/3.png"]);
    let dataset = open(data.path()).unwrap();
    fs::remove_file(data.path().join("b/3.png")).unwrap();
    let digests = content_digests(&dataset.root, pictures(&dataset));
    assert_eq!(digests[..2], [*blake3::hash(b"a/1.png").as_bytes(), *blake3::hash(b"b/2.png").as_bytes()]);
    let lost = digests[2];
    fs::write(data.path().join("b/3.png"), b"").unwrap();
    assert_ne!(content_digests(&dataset.root, pictures(&dataset))[2], lost);
}
