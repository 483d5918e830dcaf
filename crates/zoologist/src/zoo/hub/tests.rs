use super::*;
use crate::base::{Fail, Fault};
use std::fs;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

const COMMIT: &str = "c0ffee";

fn nobody(_: &str) {}
static NEVER: AtomicBool = AtomicBool::new(false);

fn offline(cache: &Path) -> Access<'static> {
    Access { cache: Some(cache.to_path_buf()), remote: None, say: &nobody, stop: &NEVER }
}

/// A cache with one snapshot of `org/name`, whose main branch points to it.
fn cache(files: &[(&str, &str)]) -> TempDir {
    let cache = tempfile::tempdir().unwrap();
    let repository = cache.path().join("models--org--name");
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), format!("{COMMIT}\n")).unwrap();
    for (name, text) in files {
        let path = repository.join("snapshots").join(COMMIT).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    cache
}

fn names(text: &str) -> Option<(String, String)> {
    Name::parse(text).map(|name| (name.repository, name.revision))
}

#[test]
fn the_environment_says_where_the_cache_is() {
    let all = [("HF_HUB_CACHE", "/a"), ("HF_HOME", "/b"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/d")];
    let expected = ["/a", "/b/hub", "/c/huggingface/hub", "/d/.cache/huggingface/hub"];
    for (first, expected) in expected.iter().enumerate() {
        let variable = |name: &str| all[first..].iter().find(|(key, _)| *key == name).map(|(_, v)| OsString::from(v));
        assert_eq!(cache::folder(variable), Some(PathBuf::from(expected)));
    }
    assert_eq!(cache::folder(|_| None), None);
}

#[test]
fn the_environment_says_whether_and_where_a_network_is_used() {
    let of = |offline, variables: &[(&str, &str)]| {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, v)| OsString::from(v));
        Access::of(offline, variable, &nobody, &NEVER).remote
    };
    for value in ["1", "true", "TRUE", "Yes", "on"] {
        assert!(of(false, &[("HF_HUB_OFFLINE", value)]).is_none(), "{value}");
    }
    assert!(of(true, &[]).is_none());
    for value in ["", "0", "no", "off"] {
        assert!(of(false, &[("HF_HUB_OFFLINE", value)]).is_some(), "{value}");
    }
    let usual = of(false, &[("HF_TOKEN", ""), ("HF_HUB_DOWNLOAD_TIMEOUT", "soon")]).unwrap();
    assert_eq!((usual.endpoint.as_str(), usual.token, usual.patience), (ENDPOINT, None, PATIENCE));
    let variables = [("HF_ENDPOINT", "http://hub.lan/"), ("HF_TOKEN", "hf_x\n"), ("HF_HUB_DOWNLOAD_TIMEOUT", "3")];
    let other = of(false, &variables).unwrap();
    assert_eq!(other.endpoint, "http://hub.lan");
    assert_eq!((other.token.as_deref(), other.patience), (Some("hf_x"), Duration::from_secs(3)));
}

#[test]
fn a_name_has_one_or_two_parts_and_perhaps_a_revision() {
    let pair = |repository: &str, revision: &str| Some((repository.to_owned(), revision.to_owned()));
    assert_eq!(names("gpt2"), pair("gpt2", "main"));
    assert_eq!(names("timm/resnet50.a1_in1k"), pair("timm/resnet50.a1_in1k", "main"));
    assert_eq!(names("org/name@refs/pr/1"), pair("org/name", "refs/pr/1"));
    assert_eq!(names("org/name@v1.0"), pair("org/name", "v1.0"));
    let long = "a".repeat(97);
    for wrong in [
        "", "/", "a/", "/a", "a/b/c", "../a", ".", "a/..", "a b", "a/b@", "@main", "a/b@../c", "a/b@/c", "a/b@c/",
        "a/b@.c", "a/b@c@d", "a--b/c", "a/b..c", "-a/b", "a/b-", "ä/b", "a\n/b", "a/b@c?d", "a/b@c%2F", &long,
    ] {
        assert_eq!(names(wrong), None, "{wrong}");
    }
}

#[test]
fn what_exists_or_looks_like_a_file_is_no_name() {
    for file in ["a/model.onnx", "zoo.toml", "features.npy", "labels.csv", "./a", "/a/b", "a/b/", "net.safetensors"] {
        assert_eq!(named(Path::new(file)), None, "{file}");
    }
    assert!(Path::new("src").exists() && named(Path::new("src")).is_none());
    assert_eq!(named(Path::new("timm/resnet50.a1_in1k")).unwrap().repository, "timm/resnet50.a1_in1k");
}

#[test]
fn the_snapshot_is_that_of_the_revision() {
    let cache = cache(&[("model.onnx", ""), ("preprocessor_config.json", "{}")]);
    let repository = cache.path().join("models--org--name");
    let snapshot = |name: &str| fetched(&offline(cache.path()), name);
    let expected = repository.join("snapshots").join(COMMIT);
    for name in ["org/name", "org/name@main", "org/name@c0ffee"] {
        assert_eq!(snapshot(name).unwrap(), expected, "{name}");
    }
    assert!(snapshot("org/name@v1").is_err());
    fs::write(repository.join("refs/v1"), COMMIT).unwrap();
    assert_eq!(snapshot("org/name@v1").unwrap(), expected);
    for wrong in ["..", "", "../../..", "/"] {
        fs::write(repository.join("refs/main"), wrong).unwrap();
        assert!(snapshot("org/name").is_err(), "{wrong}");
    }
}

#[test]
fn without_a_network_what_is_missing_is_said_with_the_remedy() {
    let empty = tempfile::tempdir().unwrap();
    let remedy = |name: &str| {
        format!(
            "no network is allowed. Run without --offline and HF_HUB_OFFLINE, or fetch it with `hf download {name}`."
        )
    };
    let not_cached = |name: &str, rest: &str| format!("{name}: not in the Hugging Face cache, and {}", remedy(rest));
    let malformed = "is not a name of the hub: write it as org/name, perhaps with @revision.";
    for (name, expected) in [
        ("org/name", not_cached("org/name", "org/name")),
        ("org/name@v1", not_cached("org/name@v1", "org/name --revision v1")),
        ("../name", format!("../name: {malformed}")),
    ] {
        let error = fetched(&offline(empty.path()), name).unwrap_err();
        assert_eq!((error.to_string(), error.fault()), (expected, Fault::Input));
    }
    let homeless = Access { cache: None, ..offline(empty.path()) };
    assert_eq!(fetched(&homeless, "org/name").unwrap_err().fault(), Fault::Environment);

    let without = cache(&[("config.json", "{}"), ("pytorch_model.bin", "")]);
    let error = fetched(&offline(without.path()), "org/name").unwrap_err().to_string();
    let lacking = "in the Hugging Face cache without weights that can be run, and";
    assert_eq!(error, format!("org/name: {lacking} {}", remedy("org/name")));
    let broken = cache(&[("model.onnx", ""), ("preprocessor_config.json", "{}")]);
    let link = broken.path().join("models--org--name/snapshots/c0ffee/model.onnx_data");
    symlink("../../blobs/12ab", link).unwrap();
    let error = fetched(&offline(broken.path()), "org/name").unwrap_err().to_string();
    assert!(error.contains("in the Hugging Face cache without the content of model.onnx_data, and"), "{error}");
}

#[test]
fn a_snapshot_lacks_settings_if_nothing_says_how_the_input_is_prepared() {
    let timm = r#"{"pretrained_cfg": {}}"#;
    let cases: [(&[(&str, &str)], _); 6] = [
        (&[("onnx/model.onnx", ""), ("config.json", "{}")], Some(Lacking::Settings)),
        (&[("onnx/model.onnx", ""), ("config.json", timm)], None),
        (&[("model.safetensors", ""), ("tokenizer.json", "{}")], None),
        (&[("model.onnx", ""), ("processor_config.json", "{}")], None),
        (&[("onnx/model.onnx", ""), ("onnx/model.toml", "")], None),
        (&[("onnx/vision.onnx", ""), ("preprocessor_config.json", "{}")], None),
    ];
    for (files, expected) in cases {
        let cache = cache(files);
        let snapshot = cache.path().join("models--org--name/snapshots").join(COMMIT);
        assert_eq!(cache::lacking(&snapshot).unwrap(), expected, "{files:?}");
        assert!(fetched(&offline(cache.path()), "org/name").is_ok(), "what lacks settings only is left to its reader");
    }
}

#[test]
fn a_name_that_could_be_a_path_is_told_to_be_neither() {
    let empty = tempfile::tempdir().unwrap();
    let error = crate::zoo::open(Path::new("no/such-model"), &offline(empty.path())).unwrap_err().to_string();
    let expected = "no/such-model: there is no such file or folder here, and as a name of the Hugging Face hub: not in \
        the Hugging Face cache, and no network is allowed.";
    assert!(error.starts_with(expected), "{error}");
    let error = crate::zoo::model(Path::new("no/such/model"), &offline(empty.path())).unwrap_err().to_string();
    assert_eq!(error, "no/such/model: there is no such file or folder. Check the spelling of the path.");
}
