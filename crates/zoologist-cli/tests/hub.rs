//! Names of the Hugging Face hub, against a small hub of our own.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod common;
mod hub_server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Fixture, Run};
use hub_server::{COMMIT, Files, Hub, Reply, Request, small_tag};

/// What `sha256sum` prints for classifier.onnx.
const CLASSIFIER: &str = "899330d51a2003ddc52b7e27e5dff2587dca803fb108f4a3ee83c717cf645a5d";
const PREPARATION: &str = r#"{"image_processor_type": "ViTImageProcessor", "size": 32, "resample": 2,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}"#;

fn classifier() -> Vec<u8> {
    fs::read(common::data().join("models/classifier.onnx")).unwrap()
}

/// `org/tiny` with all that a real model has beside what is needed.
fn tiny() -> Files {
    Files::default()
        .add("README.md", "# Tiny")
        .add("config.json", r#"{"model_type": "vit"}"#)
        .add("preprocessor_config.json", PREPARATION)
        .add("pytorch_model.bin", "never loaded")
        .add("model.safetensors", "not needed")
        .add("onnx/model_quantized.onnx", "not needed")
        .add_large("onnx/model.onnx", classifier(), CLASSIFIER)
}

/// The program, asking this hub.
fn command(fixture: &Fixture, hub: &str, arguments: &[&str]) -> Command {
    let mut command = fixture.command(arguments);
    for name in
        ["HF_TOKEN", "HF_HOME", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    {
        command.env_remove(name);
    }
    command.env("HF_ENDPOINT", hub).env("HF_HUB_OFFLINE", "0").env("HF_HUB_DOWNLOAD_TIMEOUT", "2");
    command
}

/// A hub with `org/tiny` whose answers to some requests are changed.
fn altered(part: &'static str, change: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> Hub {
    Hub::serve(move |request| {
        let reply = tiny().answer(request);
        if request.path.contains(part) { change(reply) } else { reply }
    })
}

fn run(fixture: &Fixture, hub: &Hub, arguments: &[&str]) -> Run {
    Run::of(command(fixture, &hub.address, arguments).output().unwrap())
}

fn inspect(fixture: &Fixture, hub: &Hub) -> Run {
    run(fixture, hub, &["inspect", "org/tiny", "--runtime", "rten", "--json"])
}

fn repository(fixture: &Fixture) -> PathBuf {
    fixture.path("hub/models--org--tiny")
}

/// Every file and link beneath a folder, relative to it, in order.
fn beneath(folder: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_model_is_fetched_once_and_needs_no_hub_afterwards() {
    let (fixture, hub) = (Fixture::new(), Hub::of(&tiny()));
    let first = inspect(&fixture, &hub);
    let found = first.json(0);
    assert_eq!((found["name"].as_str(), found["sha256"].as_str()), (Some("org/tiny"), Some(CLASSIFIER)));
    assert!(first.err.contains("downloading org/tiny: onnx/model.onnx (4 kB)\n"), "{}", first.err);
    let resolved = |file: &str| format!("/org/tiny/resolve/{COMMIT}/{file}");
    let expected = [
        "/api/models/org/tiny/revision/main".to_owned(),
        resolved("config.json"),
        resolved("preprocessor_config.json"),
        resolved("onnx/model.onnx"),
        format!("/kept/{CLASSIFIER}"),
    ];
    assert_eq!(hub.asked(), expected, "only what is needed is asked for");

    fs::write(fixture.path("list.toml"), "[[model]]\nhub = 'org/tiny'\n[[model]]\npath = 'zoo/other'\n").unwrap();
    for arguments in [
        &["inspect", "org/tiny"][..],
        &["rank", "data", "--zoo", "org/tiny"],
        &["rank", "data", "--zoo", "list.toml"],
        &["extract", "org/tiny", "data", "-o", "features.npy"],
    ] {
        run(&fixture, &hub, &[arguments, &["--runtime", "rten"]].concat()).well();
        run(&fixture, &hub, &[arguments, &["--runtime", "rten", "--offline"]].concat()).well();
    }
    for arguments in [["zoo", "list", "org/tiny"], ["zoo", "verify", &format!("org/tiny@{COMMIT}")]] {
        run(&fixture, &hub, &arguments).well();
    }
    assert_eq!(hub.asked().len(), expected.len(), "nothing more is asked");
}

#[test]
fn the_cache_has_the_layout_of_hugging_faces_own_tools() {
    let (fixture, hub) = (Fixture::empty(), Hub::of(&tiny()));
    run(&fixture, &hub, &["inspect", "org/tiny@v1/a", "--runtime", "rten"]).well();
    let repository = repository(&fixture);
    let (config, preparation) = (small_tag(br#"{"model_type": "vit"}"#), small_tag(PREPARATION.as_bytes()));
    let mut expected = vec![
        format!("blobs/{config}"),
        format!("blobs/{preparation}"),
        format!("blobs/{CLASSIFIER}"),
        "refs/v1/a".to_owned(),
        format!("snapshots/{COMMIT}/config.json"),
        format!("snapshots/{COMMIT}/onnx/model.onnx"),
        format!("snapshots/{COMMIT}/preprocessor_config.json"),
    ];
    expected.sort();
    assert_eq!(beneath(&repository), expected);
    assert_eq!(fs::read_to_string(repository.join("refs/v1/a")).unwrap(), COMMIT);
    let snapshot = repository.join("snapshots").join(COMMIT);
    for (link, target) in [
        ("onnx/model.onnx", format!("../../../blobs/{CLASSIFIER}")),
        ("config.json", format!("../../blobs/{config}")),
        ("preprocessor_config.json", format!("../../blobs/{preparation}")),
    ] {
        assert_eq!(fs::read_link(snapshot.join(link)).unwrap(), Path::new(&target));
    }
    assert_eq!(fs::read(snapshot.join("onnx/model.onnx")).unwrap(), classifier());
}

#[test]
fn no_request_is_made_where_no_network_is_allowed() {
    let (fixture, hub) = (Fixture::empty(), Hub::of(&tiny()));
    let offline = run(&fixture, &hub, &["inspect", "org/tiny", "--offline"]).message(3);
    let mut by_variable = command(&fixture, &hub.address, &["inspect", "org/tiny"]);
    assert_eq!(Run::of(by_variable.env("HF_HUB_OFFLINE", "Yes").output().unwrap()).message(3), offline);
    assert_eq!(
        offline,
        "zoologist: org/tiny: there is no such file or folder here, and as a name of the Hugging Face hub: not in the \
         Hugging Face cache, and no network is allowed. Run without --offline and HF_HUB_OFFLINE, or fetch it with \
         `hf download org/tiny`."
    );
    assert_eq!(hub.asked(), [""; 0]);
}

#[test]
fn a_path_that_exists_wins() {
    let (fixture, hub) = (Fixture::empty(), Hub::of(&tiny()));
    fixture.network_as("org", "other", "tiny");
    assert_eq!(inspect(&fixture, &hub).json(0)["name"], "tiny");
    run(&fixture, &hub, &["inspect", "org/absent.onnx"]).message(3);
    run(&fixture, &hub, &["inspect", "./absent"]).message(3);
    assert_eq!(hub.asked(), [""; 0]);
}

#[test]
fn what_the_hub_refuses_is_told_apart_from_trouble_with_the_network() {
    let cases = [
        (401, 3, "the hub does not show it (401)"),
        (403, 3, "the hub refuses it (403): it is private or gated. Accept its terms on its page and set HF_TOKEN"),
        (404, 3, "the hub has no such model or revision (404)"),
        (429, 6, "the hub answers with status 429. Run again later"),
        (503, 6, "the hub answers with status 503"),
    ];
    for (status, code, expected) in cases {
        let (fixture, hub) = (Fixture::empty(), Hub::serve(move |_| Reply::of(status, b"no")));
        let message = inspect(&fixture, &hub).message(code);
        assert!(message.contains(expected) && message.lines().count() == 1, "{message}");
        assert!(!fixture.path("hub").exists(), "nothing is written");
        let gated = altered("/resolve/", move |_| Reply::of(status, b"no"));
        let message = inspect(&fixture, &gated).message(code);
        assert!(message.contains(expected), "{message}");
    }
    let fixture = Fixture::empty();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for hub in [format!("http://{closed}"), "http://hub.invalid".to_owned(), "nonsense".to_owned()] {
        let message = Run::of(command(&fixture, &hub, &["inspect", "org/tiny"]).output().unwrap()).message(6);
        assert!(message.contains("the hub can't be reached: "), "{message}");
    }
}

#[test]
fn a_zoo_goes_on_without_the_names_that_the_hub_does_not_know() {
    let (fixture, hub) = (Fixture::new(), Hub::of(&tiny()));
    fs::write(fixture.path("list.toml"), "[[model]]\nhub = 'org/absent'\n[[model]]\nhub = 'org/tiny'\n").unwrap();
    let ranking = run(&fixture, &hub, &["rank", "data", "--zoo", "list.toml", "--runtime", "rten", "--json"]).json(4);
    assert_eq!(common::model(&ranking, "org/tiny")["status"], "ok");
    let skipped = &ranking["skipped"][0];
    assert_eq!(skipped["path"], "org/absent");
    assert_eq!(skipped["reason"], "the hub has no such model or revision (404). Check the spelling");
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let store = Hub::of(&tiny());
    let files = Files { elsewhere: store.address.clone(), ..tiny() };
    let hub = Hub::serve(move |request: &Request| match request.headers.get("authorization").map(String::as_str) {
        Some("Bearer hf_secret") => files.answer(request),
        _ => Reply::of(401, b""),
    });
    let fixture = Fixture::empty();
    let message = inspect(&fixture, &hub).message(3);
    assert!(message.contains("set HF_TOKEN to a token that may read it"), "{message}");
    let arguments = ["inspect", "org/tiny", "--runtime", "rten"];
    Run::of(command(&fixture, &hub.address, &arguments).env("HF_TOKEN", "hf_secret").output().unwrap()).well();
    let [kept] = &store.requests()[..] else { panic!("{:?}", store.asked()) };
    assert_eq!(kept.path, format!("/kept/{CLASSIFIER}"));
    assert_eq!(kept.headers.get("authorization"), None);
}

#[test]
fn a_silent_hub_is_not_waited_for() {
    let hubs = [
        altered("/api/", |reply| Reply { silence: (60, 0), ..reply }),
        altered("/api/", |reply| Reply { cut: 1, silence: (0, 60), ..reply }),
        altered("/kept/", |reply| Reply { cut: 1000, silence: (0, 60), ..reply }),
    ];
    for (hub, expected) in hubs.iter().zip([
        "the hub can't be reached: it does not answer in time",
        "the hub can't be reached: it does not answer in time",
        "onnx/model.onnx did not arrive whole: nothing more comes",
    ]) {
        let (fixture, begun) = (Fixture::empty(), Instant::now());
        let message = inspect(&fixture, hub).message(6);
        assert!(message.contains(expected), "{message}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_arrives_damaged_is_not_kept_and_is_fetched_anew() {
    let cut = altered("/kept/", |reply| Reply { cut: 1000, ..reply });
    let longer = altered("/kept/", |reply| Reply::of(200, &[reply.body, vec![0]].concat()));
    let shorter = altered("/kept/", |reply| Reply::of(200, &reply.body[1..]));
    let changed = altered("/kept/", |reply| Reply::of(200, &[&reply.body[1..], b"x"].concat()));
    let fixture = Fixture::empty();
    for (hub, expected) in [
        (&cut, "onnx/model.onnx did not arrive whole: "),
        (&longer, "the hub states 4265 bytes, 4266 came"),
        (&shorter, "the hub states 4265 bytes, 4264 came"),
        (&changed, &format!("the hub states sha256 {CLASSIFIER}, it is ")),
    ] {
        let message = inspect(&fixture, hub).message(6);
        assert!(message.contains(expected), "{message}");
        let left = beneath(&repository(&fixture));
        let settings = ["config.json", "preprocessor_config.json"].map(|name| format!("snapshots/{COMMIT}/{name}"));
        let links: Vec<_> = left.iter().filter(|name| !name.starts_with("blobs/")).collect();
        assert_eq!(links, settings.iter().collect::<Vec<_>>(), "no link and no reference to what is not there");
        assert_eq!(left.len(), 4, "{left:?}");
    }
    let hub = Hub::of(&tiny());
    inspect(&fixture, &hub).json(0);
    assert_eq!(hub.asked().len(), 3, "the settings are not fetched again: {:?}", hub.asked());
}

#[test]
fn a_snapshot_that_other_tools_left_incomplete_is_completed_at_its_own_commit() {
    let (fixture, hub) = (Fixture::empty(), Hub::of(&tiny()));
    let repository = repository(&fixture);
    let snapshot = repository.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    fs::write(snapshot.join("config.json"), r#"{"model_type": "vit"}"#).unwrap();
    let message = run(&fixture, &hub, &["inspect", "org/tiny", "--offline"]).message(3);
    assert!(message.contains("in the Hugging Face cache without weights that can be run"), "{message}");
    inspect(&fixture, &hub).json(0);
    assert_eq!(hub.asked()[0], format!("/api/models/org/tiny/revision/{COMMIT}"));

    fs::remove_file(repository.join("blobs").join(CLASSIFIER)).unwrap();
    let message = run(&fixture, &hub, &["inspect", "org/tiny", "--offline"]).message(3);
    assert!(message.contains("without the content of onnx/model.onnx"), "{message}");
    inspect(&fixture, &hub).json(0);
}

#[test]
fn data_beside_the_weights_and_the_settings_of_pooling_are_fetched_too() {
    let files = tiny()
        .add("onnx/model.onnx_data", "data")
        .add("onnx/model.onnx_data_1", "data")
        .add("1_Pooling/config.json", "{}")
        .add("2_Dense/config.json", "{}")
        .add("modules.json", "[]");
    let (fixture, hub) = (Fixture::empty(), Hub::of(&files));
    run(&fixture, &hub, &["zoo", "list", "org/tiny"]).well();
    let snapshot = beneath(&repository(&fixture).join("snapshots").join(COMMIT));
    let expected = [
        "1_Pooling/config.json",
        "config.json",
        "modules.json",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model.onnx_data_1",
        "preprocessor_config.json",
    ];
    assert_eq!(snapshot, expected);
}

#[test]
fn without_weights_that_can_be_run_the_export_is_named() {
    let settings = Files::default().add("config.json", "{}").add("preprocessor_config.json", PREPARATION);
    let (fixture, hub) = (Fixture::empty(), Hub::of(&settings.clone().add("pytorch_model.bin", "never loaded")));
    let message = inspect(&fixture, &hub).message(3);
    assert!(
        message.ends_with(
            "the hub has neither onnx/model.onnx nor model.onnx nor model.safetensors of it, only pickles such as \
             pytorch_model.bin, which are never loaded. Export it with `python tools/export.py transformers org/tiny -o \
             FOLDER`."
        ),
        "{message}"
    );
    let hub = Hub::of(&settings.add("model.safetensors", "weights"));
    let message = inspect(&fixture, &hub).message(3);
    assert!(hub.asked().iter().any(|path| path.ends_with("/model.safetensors")), "{message}");
}

#[test]
fn nothing_is_written_outside_the_cache_whatever_the_hub_says() {
    let fixture = Fixture::empty();
    let outside = fixture.path("evil");
    let absolute = outside.to_str().unwrap();
    let names = [
        "../evil",
        "../../../../evil",
        absolute,
        "onnx/model.onnx_data/../../../../../../evil",
        "..\\evil",
        "../_Pooling/config.json",
        "a/../1_Pooling/config.json",
        "onnx/model.onnx_data\n",
        "\u{1b}[2J",
    ];
    let files = names.iter().fold(tiny(), |files, name| files.add(name, "evil"));
    let hub = Hub::of(&files);
    inspect(&fixture, &hub).json(0);
    assert_eq!(hub.asked().len(), 5, "{:?}", hub.asked());

    for tag in ["../../../../evil", absolute, "..", ".hidden", "", "a/b", "a\\b"] {
        let tag = format!("\"{tag}\"");
        let fixture = Fixture::empty();
        let hub = altered("/resolve/", move |reply| reply.with("x-linked-etag", &tag).with("etag", &tag));
        let message = inspect(&fixture, &hub).message(3);
        assert!(message.contains("the hub's answer can't be used: config.json has the tag "), "{message}");
        assert!(!fixture.path("hub").exists());
    }
    for commit in ["../../../../evil", absolute, "", "main"] {
        let listing = serde_json::json!({ "sha": commit, "siblings": [{ "rfilename": "model.onnx" }] }).to_string();
        let hub = Hub::serve(move |_| Reply::of(200, listing.as_bytes()));
        let message = run(&Fixture::empty(), &hub, &["inspect", "org/tiny"]).message(3);
        assert!(message.contains("the hub's answer can't be used: commit "), "{message}");
    }
    assert!(!outside.exists());
    assert_eq!(beneath(&fixture.path("")).iter().find(|path| path.contains("evil")), None);
}

#[test]
fn an_answer_that_no_hub_gives_is_an_error() {
    let redirecting = |to: &'static str| Hub::serve(move |_| Reply::of(302, b"").with("location", to));
    let cases = [
        (Hub::serve(|_| Reply::of(200, b"<html>")), "its listing: expected value at line 1 column 1"),
        (Hub::serve(|_| Reply::of(200, b"{}")), "its listing: missing field `sha`"),
        (
            Hub::of(&(0..1001).fold(tiny(), |files, n| files.add(&format!("{n}_Pooling/config.json"), ""))),
            "1004 files to fetch",
        ),
        (redirecting("/again"), "it redirects without end"),
        (redirecting("//elsewhere/x"), "it redirects to //elsewhere/x"),
        (redirecting("file:///etc/passwd"), "it redirects to file:///etc/passwd"),
        (Hub::serve(|_| Reply::of(302, b"")), "it redirects to nowhere"),
    ];
    for (hub, expected) in cases {
        let message = inspect(&Fixture::empty(), &hub).message(3);
        assert!(message.contains(&format!("the hub's answer can't be used: {expected}")), "{message}");
    }
}

#[test]
fn a_model_that_was_renamed_is_found_under_its_new_name() {
    let hub = Hub::serve(|request| match request.path.replace("/org/old", "/org/tiny") {
        path if path != request.path => Reply::of(307, b"").with("location", &path),
        _ => tiny().answer(request),
    });
    let fixture = Fixture::empty();
    run(&fixture, &hub, &["inspect", "org/old", "--runtime", "rten"]).well();
    assert!(fixture.path("hub/models--org--old/refs/main").is_file());
}

#[test]
fn an_interruption_ends_the_run_and_leaves_nothing_under_a_final_name() {
    let hub = altered("/kept/", |reply| Reply { cut: 1000, silence: (0, 1), ..reply });
    let fixture = Fixture::new();
    let arguments = ["rank", "data", "--zoo", "org/tiny", "--runtime", "rten"];
    let mut child = command(&fixture, &hub.address, &arguments);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !hub.asked().iter().any(|path| path.starts_with("/kept/")) {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let code = Run::of(child.wait_with_output().unwrap());
    let left = beneath(&repository(&fixture));
    assert!(
        !left.contains(&format!("blobs/{CLASSIFIER}")) && !left.iter().any(|name| name.contains("refs")),
        "{left:?}"
    );
    code.message(130);
}
