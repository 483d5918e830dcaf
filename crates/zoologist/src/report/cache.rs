//! What the cache holds, whether it is sound, and what was removed: as text and as JSON.

use std::fmt::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::base::path_text::{encode, escape, show};
use crate::store::cache::{Collected, JobEntry, JobState, OtherLayout, Reason, Removal, Survey, Verification};
use crate::store::{About, Unsound};

/// Digits of a job's key that are shown: enough to tell jobs apart.
const DIGITS: usize = 12;

/// The jobs, one a line, the one used last first; then texts, other versions and the total.
pub fn list(survey: &Survey, now: SystemTime) -> String {
    let mut text = String::new();
    for job in &survey.jobs {
        let (state, bytes, ago) = (state(job.state), size(job.bytes), ago(job.last_used, now));
        let in_use = if job.in_use && job.state != JobState::Running { ", in use" } else { "" };
        // Writing to a String can't fail.
        let _ =
            writeln!(text, "{}  {state:7}  {bytes:>9}  {ago:>13}  {}{in_use}", short(job), about(job.about.as_ref()));
    }
    let texts: u64 = survey.texts.iter().map(|texts| texts.bytes).sum();
    let _ = writeln!(text, "{} jobs, {} files of texts ({})", survey.jobs.len(), survey.texts.len(), size(texts));
    text.push_str(&others(&survey.others));
    let limit =
        survey.limit.map_or(String::new(), |limit| format!(" of at most {} (ZOOLOGIST_CACHE_MAX)", size(limit)));
    let _ = writeln!(text, "total: {}{limit} in {}", size(survey.bytes), show(&survey.path));
    text
}

/// The same for machines. Times are seconds since 1970.
pub fn listed(survey: &Survey) -> Value {
    let job = |job: &JobEntry| {
        json!({
            "key": job.key, "model": job.about.as_ref().map(|about| &about.model),
            "data": job.about.as_ref().map(|about| &about.data), "state": state(job.state), "in_use": job.in_use,
            "bytes": job.bytes, "last_used": seconds(job.last_used),
        })
    };
    let texts = survey
        .texts
        .iter()
        .map(|texts| json!({ "path": encode(&texts.path), "bytes": texts.bytes, "written": seconds(texts.written) }));
    json!({
        "schema": 1, "path": encode(&survey.path), "jobs": survey.jobs.iter().map(job).collect::<Vec<_>>(),
        "texts": texts.collect::<Vec<_>>(), "other_versions": versions(&survey.others), "bytes": survey.bytes,
        "limit": survey.limit,
    })
}

/// The files that will not be used, one a line, then how much was verified.
pub fn verification(found: &Verification) -> String {
    let mut text = String::new();
    for fault in &found.faults {
        let _ =
            writeln!(text, "{}: the {} {}; {}", show(&fault.path), fault.kind, fault.unsound, instead(fault.unsound));
    }
    text.push_str(&others(&found.others));
    let (files, bytes) = (found.files, size(found.bytes));
    let bad = found.faults.len();
    let _ = writeln!(text, "{files} files verified ({bytes}) in {}: {bad} of them will not be used", show(&found.path));
    text
}

fn instead(unsound: Unsound) -> &'static str {
    match unsound {
        Unsound::Damaged => "it is computed again when needed, `zoologist cache gc` removes it",
        Unsound::Newer(_) => "this one computes it again when needed, and puts its own in that place",
    }
}

/// The same for machines.
pub fn verified(found: &Verification) -> Value {
    let faults = found.faults.iter().map(|fault| {
        let newer = matches!(fault.unsound, Unsound::Newer(_));
        json!({
            "path": encode(&fault.path), "kind": fault.kind, "fault": if newer { "newer" } else { "damaged" },
            "words": format!("the {} {}", fault.kind, fault.unsound),
        })
    });
    json!({
        "schema": 1, "path": encode(&found.path), "files": found.files, "bytes": found.bytes,
        "faults": faults.collect::<Vec<_>>(), "other_versions": versions(&found.others),
    })
}

/// What was removed, one a line, and the size before and after.
pub fn collection(collected: &Collected) -> String {
    let mut text = String::new();
    let verb = if collected.dry_run { "would remove" } else { "removed" };
    for gone in &collected.removed {
        let what = gone.about.as_ref().map_or(String::new(), |known| format!(", {}", about(Some(known))));
        let (place, bytes) = (beneath(&gone.path, &collected.path), size(gone.bytes));
        let _ = writeln!(text, "{verb} {place}: {} ({bytes}{what})", reason(gone.reason));
    }
    text.push_str(&others(&collected.newer));
    let (before, after) = (size(collected.before), size(collected.after));
    let _ = writeln!(text, "{before} before, {after} after, in {}", show(&collected.path));
    if collected.above_limit > 0 {
        let above = size(collected.above_limit);
        let _ = writeln!(text, "{above} above the limit: the rest is in use, texts, or a newer zoologist's");
    }
    text
}

/// The same for machines.
pub fn collected(collected: &Collected) -> Value {
    let removed = collected.removed.iter().map(|gone: &Removal| {
        json!({
            "path": encode(&gone.path), "reason": reason(gone.reason), "bytes": gone.bytes,
            "model": gone.about.as_ref().map(|about| &about.model), "data": gone.about.as_ref().map(|about| &about.data),
        })
    });
    json!({
        "schema": 1, "path": encode(&collected.path), "dry_run": collected.dry_run,
        "removed": removed.collect::<Vec<_>>(), "bytes_before": collected.before, "bytes_after": collected.after,
        "above_limit": collected.above_limit, "newer_versions": versions(&collected.newer),
    })
}

fn others(found: &[OtherLayout]) -> String {
    let mut text = String::new();
    for other in found {
        let (path, bytes) = (show(&other.path), size(other.bytes));
        let whose = if other.is_newer() {
            "a newer zoologist; it is not used here, and only `zoologist cache gc --all` removes it"
        } else {
            "an older zoologist; `zoologist cache gc` removes it"
        };
        let _ = writeln!(text, "{path}: {bytes} of {whose}");
    }
    text
}

fn versions(found: &[OtherLayout]) -> Vec<Value> {
    let version = |other: &OtherLayout| json!({ "path": encode(&other.path), "version": other.layout, "newer": other.is_newer(), "bytes": other.bytes });
    found.iter().map(version).collect()
}

fn short(job: &JobEntry) -> String {
    job.key.as_str().chars().take(DIGITS).collect()
}

fn about(about: Option<&About>) -> String {
    about.map_or("unknown".to_owned(), |about| format!("{} on {}", escape(&about.model), escape(&about.data)))
}

fn state(state: JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Sealed => "sealed",
        JobState::Partial => "partial",
        JobState::Empty => "empty",
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Leftover => "leftover",
        Reason::Damaged => "damaged",
        Reason::OtherVersion => "other version",
        Reason::LeastRecentlyUsed => "least recently used",
    }
}

fn beneath(path: &Path, folder: &Path) -> String {
    show(path.strip_prefix(folder).unwrap_or(path))
}

/// Bytes as people write them.
fn size(bytes: u64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let fitting = units.into_iter().find(|(_, factor)| bytes as f64 >= *factor);
    fitting.map_or_else(|| format!("{bytes} B"), |(unit, factor)| format!("{:.1} {unit}", bytes as f64 / factor))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How long ago, in the largest unit that fits. What lies in the future is now.
fn ago(time: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(time).unwrap_or_default().as_secs();
    let units = [("day", 86_400), ("hour", 3600), ("minute", 60)];
    let Some((unit, length)) = units.into_iter().find(|(_, length)| seconds >= *length) else {
        return "just now".to_owned();
    };
    let count = seconds / length;
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::{Block, Key, Store};

    #[test]
    fn sizes_and_times_are_in_the_largest_unit_that_fits() {
        assert_eq!([size(7), size(1500), size(20_000_000_000)], ["7 B", "1.5 kB", "20.0 GB"]);
        let after = |seconds| ago(UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(
            [after(5), after(60), after(7300), after(200_000)],
            ["just now", "1 minute ago", "2 hours ago", "2 days ago"]
        );
        assert_eq!(ago(UNIX_EPOCH + Duration::from_secs(9), UNIX_EPOCH), "just now");
    }

    #[test]
    fn a_cache_is_listed_verified_and_collected_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path()).limited(1);
        let job = store.job(&Key::of(&[("model", "a")])).unwrap();
        for first in 0..2 {
            job.write_block(&Block { first, dim: 1, values: vec![1.0], failures: vec![], truncated: 0 }).unwrap();
        }
        job.seal(&[0..1, 1..2], std::collections::BTreeMap::new()).unwrap();
        job.write_about(&About { model: "resnet\n".to_owned(), data: "cats".to_owned() }).unwrap();
        std::fs::create_dir(folder.path().join("v9")).unwrap();
        let text = list(&store.survey().unwrap(), SystemTime::now());
        assert!(text.contains("sealed") && text.contains("resnet\\n on cats") && text.contains("newer"), "{text}");
        let path = job.path().join("features.safetensors");
        std::fs::write(&path, "damaged").unwrap();
        let text = verification(&store.verify().unwrap());
        assert!(text.contains("features.safetensors: the features file is damaged"), "{text}");
        let request = crate::store::cache::Request { dry_run: true, ..Default::default() };
        let text = collection(&store.collect(request).unwrap());
        assert!(text.contains("would remove v1/jobs/") && path.exists(), "{text}");
    }
}
