//! `zoologist rank` from the outside.

mod common;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Fixture, Run, children, model, without_timing};

#[test]
fn models_and_baselines_are_ranked_with_evidence() {
    let ranking = Fixture::new().rank(&["--json"]).json(0);
    assert_eq!(
        (&ranking["schema"], &ranking["task"], &ranking["metric"]),
        (&1.into(), &"classification".into(), &"logme".into())
    );
    assert_eq!((&ranking["data"]["n"], &ranking["data"]["classes"]), (&60.into(), &3.into()));
    assert_eq!(ranking["data"]["class_names"], serde_json::json!(["blue", "green", "red"]));
    let names: Vec<&str> =
        ranking["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    for name in ["classifier", "other", "raw pixels", "colour histogram", "classifier (permuted weights)"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let found = model(&ranking, "classifier");
    assert_eq!((&found["status"], &found["dim"], &found["baseline"]), (&"ok".into(), &12.into(), &false.into()));
    assert_eq!(found["features_from"], "input of the last matrix product (Gemm) before output `logits`");
    // 12 maps of 16 x 16, each from 3 x 5 x 5 numbers, and 12 x 4 of the classifier.
    assert_eq!(found["multiply_adds"], 12 * 16 * 16 * 75 + 48);
    let interval = found["interval"].as_array().unwrap();
    assert!(interval[0].as_f64() < found["score"].as_f64() && found["score"].as_f64() < interval[1].as_f64());
    assert!(ranking["verdict"].as_str().unwrap().lines().count() == 2);
}

#[test]
fn any_metric_orders_and_one_that_compares_a_pool_has_values_here() {
    let fixture = Fixture::new();
    for metric in ["ncti", "hscore_regularized", "sfda"] {
        let ranking = fixture.rank(&["--json", "--metric", metric]).json(0);
        let scores: Vec<f64> =
            ranking["models"].as_array().unwrap().iter().filter_map(|model| model["score"].as_f64()).collect();
        assert!(scores.len() >= 3 && scores.is_sorted_by(|a, b| a >= b), "{metric}: {scores:?}");
    }
}

#[test]
fn threads_runs_and_the_store_do_not_change_the_result() {
    let fixture = Fixture::new();
    let first = without_timing(fixture.rank(&["--json", "--threads", "1"]).json(0));
    let again = fixture.rank(&["--json", "--threads", "2"]);
    assert_eq!(first.to_string(), without_timing(again.json(0)).to_string());
    let elsewhere = without_timing(Fixture::new().rank(&["--json", "--threads", "2"]).json(0));
    assert_eq!(first.to_string(), elsewhere.to_string(), "a fresh cache and two threads give the same bytes");
    let seeded = without_timing(fixture.rank(&["--json", "--seed", "7"]).json(0));
    assert_ne!(first["models"][0]["interval"], seeded["models"][0]["interval"], "the seed matters");
}

#[test]
fn a_sample_is_stratified_and_said() {
    let ranking = Fixture::new().rank(&["--json", "--samples", "30"]).json(0);
    assert_eq!((&ranking["data"]["n"], &ranking["data"]["available"]), (&30.into(), &60.into()));
    assert_eq!(ranking["data"]["class_counts"], serde_json::json!([10, 10, 10]));
}

#[test]
fn the_test_split_is_never_scored_but_judges() {
    let fixture = Fixture::new();
    for (split, count) in [("train", 12), ("val", 4), ("test", 8)] {
        fixture.pictures(&format!("split/{split}"), &[("blue", [40, 60, 200]), ("red", [190, 50, 40])], count);
    }
    let run = fixture.run(&["rank", "split", "--zoo", "zoo", "--runtime", "rten", "--json", "--truth", "probe"]);
    let ranking = run.json(0);
    assert_eq!((&ranking["data"]["n"], &ranking["data"]["split"]), (&32.into(), &"train+val".into()));
    assert_eq!((&ranking["truth"]["n"], &ranking["truth"]["models"][0]["accuracy"]), (&16.into(), &1.0.into()));
}

#[test]
fn without_a_test_split_a_fifth_judges_and_is_not_scored() {
    let ranking = Fixture::new().rank(&["--json", "--truth", "probe"]).json(0);
    assert_eq!((&ranking["data"]["n"], &ranking["truth"]["n"]), (&48.into(), &12.into()));
}

#[test]
fn an_unreadable_picture_is_named_counted_and_skipped() {
    let fixture = Fixture::new();
    fs::write(fixture.path("data/red/broken.jpg"), b"\xff\xd8\xff not a picture").unwrap();
    let run = fixture.rank(&["--json"]);
    let ranking = run.json(4);
    assert_eq!(ranking["data"]["n"], 60);
    assert_eq!(ranking["skipped"].as_array().unwrap().len(), 1);
    assert_eq!(ranking["skipped"][0]["path"], "red/broken.jpg");
    assert_eq!(fixture.rank(&["--json", "--skip-bad"]).code, 0);
    assert!(fixture.rank(&[]).out.contains("red/broken.jpg"), "the table names it too");
}

#[test]
fn a_bad_model_among_good_ones_is_named_and_the_rest_is_unchanged() {
    let fixture = Fixture::new();
    let alone = fixture.rank(&["--json"]).json(0);
    fixture.network_as("zoo", "classifier", "damaged");
    fs::write(fixture.path("zoo/damaged/onnx/model.onnx"), b"\x08\x07 no model").unwrap();
    fixture.network("zoo", "not_finite");
    fs::create_dir_all(fixture.path("zoo/pickled")).unwrap();
    fs::write(fixture.path("zoo/pickled/pytorch_model.bin"), b"\x80\x02").unwrap();
    let ranking = fixture.rank(&["--json"]).json(4);
    assert_eq!(model(&ranking, "damaged")["status"], "failed");
    assert!(model(&ranking, "not_finite")["error"].as_str().unwrap().contains("NaN"), "{ranking:#}");
    let skipped = ranking["skipped"].as_array().unwrap();
    assert!(skipped.iter().any(|skipped| skipped["path"].as_str().unwrap().contains("pickled")), "{skipped:?}");
    for name in ["classifier", "other", "raw pixels"] {
        assert_eq!(
            without_timing(model(&alone, name)["scores"].clone()),
            without_timing(model(&ranking, name)["scores"].clone())
        );
    }
}

#[test]
fn every_form_of_network_gives_the_same_features() {
    let fixture = Fixture::new();
    for name in ["with_features", "fixed_batch", "channels_last", "outside_weights"] {
        fixture.network("zoo", name);
    }
    let ranking = fixture.rank(&["--json"]).json(0);
    let expected = model(&ranking, "classifier")["score"].as_f64().unwrap();
    for name in ["with_features", "fixed_batch", "channels_last", "outside_weights"] {
        let found = model(&ranking, name)["score"].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-5, "{name}: {found} for {expected}");
    }
    assert_eq!(model(&ranking, "with_features")["features_from"], "output `features`");
}

#[test]
fn weights_outside_the_folder_are_refused() {
    let fixture = Fixture::new();
    fixture.network("zoo", "outside_weights");
    let folder = fixture.path("zoo/outside_weights/onnx");
    fs::rename(folder.join("outside_weights.onnx.data"), fixture.path("stolen.data")).unwrap();
    std::os::unix::fs::symlink(fixture.path("stolen.data"), folder.join("outside_weights.onnx.data")).unwrap();
    let ranking = fixture.rank(&["--json"]).json(4);
    let named = ranking.to_string();
    assert!(named.contains("outside_weights") && (named.contains("refused") || named.contains("outside")), "{named}");
}

#[test]
fn bad_input_gets_a_short_message_and_nothing_on_standard_output() {
    let fixture = Fixture::new();
    fixture.pictures("one_class", &[("red", [190, 50, 40])], 4);
    fixture.pictures("empty_class", &[("blue", [1, 2, 3]), ("red", [190, 50, 40])], 4);
    fs::create_dir(fixture.path("empty_class/green")).unwrap();
    for class in ["a", "b"] {
        fs::create_dir_all(fixture.path("unreadable").join(class)).unwrap();
        fs::write(fixture.path("unreadable").join(class).join("x.png"), b"no picture").unwrap();
    }
    fixture.network_as("damaged", "classifier", "damaged");
    fs::write(fixture.path("damaged/damaged/onnx/model.onnx"), b"\x08\x07 no model").unwrap();
    fs::write(fixture.path("model.pt"), b"\x80\x02").unwrap();
    fixture.network_as("pinned", "classifier", "changed");
    fs::write(fixture.path("pinned/changed/SHA256SUMS"), format!("{}  onnx/model.onnx\n", "0".repeat(64))).unwrap();
    fs::create_dir(fixture.path("empty_zoo")).unwrap();
    let cases = [
        ("missing", "zoo", "missing"),
        ("one_class", "zoo", "class"),
        ("empty_class", "zoo", "green"),
        ("unreadable", "zoo", "can be read"),
        ("data", "damaged", "ONNX"),
        ("data", "model.pt", "pickle"),
        ("data", "pinned", "sha256"),
        ("data", "empty_zoo", "no model"),
        ("data", "no_zoo", "no_zoo"),
    ];
    for (data, zoo, expected) in cases {
        let run = fixture.run(&["rank", data, "--zoo", zoo, "--runtime", "rten"]);
        let message = run.message(3);
        assert!(message.contains(expected), "{data} {zoo}: {message}");
    }
}

#[test]
fn usage_faults_end_with_2_and_a_cache_that_can_not_be_written_with_6() {
    let fixture = Fixture::new();
    assert!(fixture.run(&["rank", "data"]).message(2).contains("--zoo"));
    assert!(fixture.rank(&["--metric", "magic"]).message(2).contains("magic"));
    assert_eq!(fixture.run(&["rank"]).code, 2);
    assert_eq!(fixture.run(&["--help"]).code, 0);
    fs::write(fixture.path("cache"), b"a file where the cache should be").unwrap();
    assert!(fixture.rank(&[]).message(6).contains("cache"));
}

#[test]
fn the_report_is_one_offline_page() {
    let fixture = Fixture::new();
    assert_eq!(fixture.rank(&["--report", "report.html"]).code, 0);
    let page = fs::read_to_string(fixture.path("report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("classifier"));
    for outside in ["http://", "https://", "<script", "src="] {
        assert!(!page.contains(outside), "{outside}");
    }
}

fn order_of(worker: u32) -> String {
    let line = fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
    let order = line.split(|byte| *byte == 0).nth(2).map(|path| String::from_utf8_lossy(path).into_owned());
    order.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
}

#[test]
fn a_killed_worker_fails_its_model_only_and_a_rerun_does_what_is_missing() {
    let fixture = Fixture::new();
    fixture.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 400);
    let expected = Fixture::new();
    expected.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 400);
    let expected = expected.rank(&["--json"]).json(0);

    let arguments = ["rank", "data", "--zoo", "zoo", "--runtime", "rten", "--json", "--threads", "1", "--no-vet"];
    let child = fixture.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    'wait: loop {
        assert!(begun.elapsed() < Duration::from_mins(1), "no worker came up");
        for worker in children(child.id()) {
            // The data set makes the work long enough to be hit in the middle.
            if order_of(worker).contains("zoo/other") {
                assert!(
                    std::process::Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap().success()
                );
                break 'wait;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let ranking = Run::of(child.wait_with_output().unwrap()).json(4);
    assert_eq!(model(&ranking, "other")["status"], "failed");
    assert!(model(&ranking, "other")["error"].as_str().unwrap().contains("killed"), "{ranking:#}");
    assert_eq!(model(&ranking, "classifier")["scores"], model(&expected, "classifier")["scores"]);

    let again = fixture.rank(&["--json"]).json(0);
    assert_eq!(without_timing(again.clone()).to_string(), without_timing(expected).to_string());
    assert_eq!(model(&again, "classifier")["timing"]["from_store"], true);
    assert_eq!(model(&again, "other")["timing"]["from_store"], false);
}

#[test]
fn an_interrupted_run_ends_with_130_prints_nothing_and_goes_on_later() {
    let fixture = Fixture::new();
    fixture.pictures("data", &[("blue", [40, 60, 200]), ("green", [50, 180, 60]), ("red", [190, 50, 40])], 400);
    let arguments = ["rank", "data", "--zoo", "zoo", "--runtime", "rten", "--json", "--threads", "1", "--no-vet"];
    let child = fixture.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while children(child.id()).is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(1), "no worker came up");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let message = Run::of(child.wait_with_output().unwrap()).message(130);
    assert!(message.contains("interrupted"), "{message}");
    assert_eq!(fixture.rank(&["--json"]).json(0)["data"]["n"], 1200);
}

#[test]
fn a_path_that_is_not_utf_8_works() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = Fixture::new();
    let odd = fixture.path("data/red").join(std::ffi::OsStr::from_bytes(b"\xff.png"));
    fs::copy(fixture.path("data/red/000.png"), odd).unwrap();
    let ranking = fixture.rank(&["--json"]).json(0);
    assert_eq!(ranking["data"]["n"], 61);
}
