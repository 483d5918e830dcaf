//! What `cache gc` removes, and what it never touches.
#![allow(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use zoologist::store::cache::{JobState, Reason, Request};
use zoologist::store::{About, Block, JobFolder, Key, Store};

const DAY: Duration = Duration::from_hours(24);

fn cache() -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let store = Store::at(folder.path());
    (folder, store)
}

fn blocks(store: &Store, model: &str) -> JobFolder {
    let job = store.job(&Key::of(&[("model", model)])).unwrap();
    job.write_about(&About { model: model.to_owned(), data: "data".to_owned() }).unwrap();
    for first in [0, 4] {
        job.write_block(&Block { first, dim: 64, values: vec![1.0; 256], failures: vec![], truncated: 0 }).unwrap();
    }
    job
}

fn sealed(store: &Store, model: &str, days: u32) -> JobFolder {
    let job = blocks(store, model);
    job.seal(&[0..4, 4..8], BTreeMap::new()).unwrap();
    drop(job.mark_used(&job.lock(|| ()).unwrap()).unwrap());
    age(&job.path().join(".used"), days);
    job
}

fn age(path: &Path, days: u32) {
    File::open(path).unwrap().set_modified(SystemTime::now() - DAY * days).unwrap();
}

fn removed(store: &Store, request: Request) -> Vec<(String, Reason)> {
    let collected = store.collect(request).unwrap();
    assert_eq!(collected.before - collected.after, collected.removed.iter().map(|gone| gone.bytes).sum::<u64>());
    if !request.dry_run {
        assert_eq!(store.survey().unwrap().bytes, collected.after);
    }
    let name = |path: &Path| path.strip_prefix(store.root()).unwrap_or(path).display().to_string();
    collected.removed.iter().map(|gone| (name(&gone.path), gone.reason)).collect()
}

#[test]
fn the_least_recently_used_go_first_and_what_is_held_stays() {
    let (_folder, store) = cache();
    let jobs = [("a", 4), ("b", 3), ("c", 2), ("d", 1)].map(|(model, days)| sealed(&store, model, days));
    let partial = blocks(&store, "partial");
    let survey = store.survey().unwrap();
    let states: Vec<JobState> = survey.jobs.iter().map(|job| job.state).collect();
    assert_eq!(states.iter().filter(|state| **state == JobState::Sealed).count(), 4);
    let names: Vec<&str> = survey.jobs.iter().filter_map(|job| Some(job.about.as_ref()?.model.as_str())).collect();
    assert_eq!(names, ["partial", "d", "c", "b", "a"], "the last used first");
    // The oldest one is computed, the next one used: both stay.
    let lock = jobs[0].lock(|| ()).unwrap();
    let used = jobs[1].mark_used(&jobs[1].lock(|| ()).unwrap()).unwrap();
    age(&jobs[1].path().join(".used"), 3);
    let request = Request { limit: Some(survey.bytes - 1), dry_run: true, ..Request::default() };
    let expected = vec![(format!("jobs/{}", name(&jobs[2])), Reason::LeastRecentlyUsed)];
    assert_eq!(removed(&store, request), expected);
    assert!(jobs.iter().all(|job| job.path().exists()), "a dry run touches nothing");
    assert_eq!(removed(&store, Request { dry_run: false, ..request }), expected);
    let all = store.collect(Request { limit: Some(0), ..Request::default() }).unwrap();
    let gone: Vec<&Path> = all.removed.iter().map(|gone| gone.path.as_path()).collect();
    assert_eq!(gone, [jobs[3].path(), partial.path()], "one that is not finished has its turn");
    assert_eq!(all.above_limit, all.after);
    assert!(jobs[0].path().exists() && jobs[1].path().exists());
    assert_eq!(store.survey().unwrap().jobs.iter().filter(|job| job.state == JobState::Running).count(), 1);
    drop((lock, used));
    assert_eq!(store.clone().limited(0).keep_within_limit().unwrap().len(), 2);
    assert_eq!(store.keep_within_limit().unwrap(), [], "without a limit nothing goes");
}

fn name(job: &JobFolder) -> String {
    job.path().file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn leftovers_go_unless_they_may_belong_to_somebody() {
    let (folder, store) = cache();
    let job = sealed(&store, "a", 1);
    let unfinished = |name: &str, days| {
        let path = job.path().join(name);
        fs::write(&path, "half").unwrap();
        age(&path, days);
    };
    unfinished(".new-old", 1);
    unfinished("blocks/.new-young", 0);
    unfinished("results/.new-young", 0);
    fs::create_dir_all(store.root().join("jobs/.gone-x/blocks")).unwrap();
    fs::create_dir_all(folder.path().join("v0/jobs")).unwrap();
    fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
    let mut texts = store.write_texts(1).unwrap();
    texts.put(0, "text", None).unwrap();
    let texts = texts.finish().unwrap().0;
    let lock = job.lock(|| ()).unwrap();
    let gone = format!("jobs/{}", name(&job));
    let found = removed(&store, Request::default());
    assert_eq!(found[1..], [("jobs/.gone-x".to_owned(), Reason::Leftover)], "the job is held");
    assert_eq!(found[0].1, Reason::OtherVersion);
    drop(lock);
    age(&texts, 1);
    let found: Vec<String> = removed(&store, Request::default()).into_iter().map(|(path, _)| path).collect();
    let text = format!("texts/{}", texts.file_name().unwrap().display());
    // Blocks beside sealed features are of no use whatever their age.
    assert_eq!(found, [format!("{gone}/.new-old"), format!("{gone}/blocks/.new-young"), text]);
    assert!(job.path().join("results/.new-young").exists() && folder.path().join("notes.txt").exists());
}

#[test]
fn damaged_files_and_empty_jobs_go_and_the_rest_of_a_job_stays() {
    let (_folder, store) = cache();
    let job = sealed(&store, "a", 1);
    let key = Key::of(&[("metric", "logme")]);
    job.write_result(&key, &1.5).unwrap();
    fs::write(job.path().join("features.safetensors"), "damaged").unwrap();
    let empty = store.job(&Key::of(&[("model", "empty")])).unwrap();
    age(empty.path(), 1);
    let found: Vec<Reason> = removed(&store, Request::default()).into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&Reason::Damaged) && found.contains(&Reason::Leftover));
    assert_eq!(job.result(&key).unwrap(), Some(1.5));
    assert!(!empty.path().exists());
}
