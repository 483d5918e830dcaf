//! Finding a model in the cache that Hugging Face's own tools fill.
//!
//! The cache is at `HF_HUB_CACHE`, else `$HF_HOME/hub`, else `$XDG_CACHE_HOME/huggingface/hub`, else
//! `~/.cache/huggingface/hub`. `models--org--name/refs/main` holds the commit whose files stand in
//! `models--org--name/snapshots/<commit>`. Nothing is downloaded.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files::settings_text;
use super::{Error, Problem};

/// The folder of the cache, given what the environment's variables hold.
pub(super) fn folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || Some(set("HOME")?.join(".cache"));
    let hugging_face = || Some(set("XDG_CACHE_HOME").or_else(home)?.join("huggingface"));
    set("HF_HUB_CACHE").or_else(|| Some(set("HF_HOME").or_else(hugging_face)?.join("hub")))
}

/// The snapshot of a hub's model in the cache.
pub(super) fn snapshot(cache: Option<&Path>, hub: &str) -> Result<PathBuf, Error> {
    let here = Path::new(hub);
    if !is_name(hub) {
        return Err(Problem::Malformed("is not a name of the hub: write it as org/name".into()).at(here));
    }
    let absent = || Problem::NotCached(hub.to_owned()).at(here);
    let repository = cache.ok_or_else(absent)?.join(format!("models--{}", hub.replace('/', "--")));
    let reference = repository.join("refs/main");
    let commit = if reference.exists() { settings_text(&reference)? } else { return Err(absent()) };
    let snapshot = repository.join("snapshots").join(commit.trim());
    let hexadecimal = !commit.trim().is_empty() && commit.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
    if hexadecimal && snapshot.is_dir() { Ok(snapshot) } else { Err(absent()) }
}

/// One or two parts of letters, digits and `-_.`, neither of which is only dots.
fn is_name(hub: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let part = |part: &str| part.bytes().all(allowed) && !part.bytes().all(|byte| byte == b'.');
    hub.split('/').count() <= 2 && hub.split('/').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_environment_says_where_the_cache_is() {
        let all = [("HF_HUB_CACHE", "/a"), ("HF_HOME", "/b"), ("XDG_CACHE_HOME", "/c"), ("HOME", "/d")];
        let expected = ["/a", "/b/hub", "/c/huggingface/hub", "/d/.cache/huggingface/hub"];
        for (first, expected) in expected.iter().enumerate() {
            let variable =
                |name: &str| all[first..].iter().find(|(key, _)| *key == name).map(|(_, v)| OsString::from(v));
            assert_eq!(folder(variable), Some(PathBuf::from(expected)));
        }
        assert_eq!(folder(|_| None), None);
    }

    #[test]
    fn the_snapshot_is_that_of_the_main_branch() {
        let cache = tempfile::tempdir().unwrap();
        let repository = cache.path().join("models--org--name");
        fs::create_dir_all(repository.join("refs")).unwrap();
        fs::create_dir_all(repository.join("snapshots/c0ffee")).unwrap();
        fs::write(repository.join("refs/main"), "c0ffee\n").unwrap();
        assert_eq!(snapshot(Some(cache.path()), "org/name").unwrap(), repository.join("snapshots/c0ffee"));
        fs::write(repository.join("refs/main"), "..").unwrap();
        assert!(snapshot(Some(cache.path()), "org/name").is_err());
    }

    #[test]
    fn a_model_that_was_never_fetched_is_refused_with_the_command_that_fetches_it() {
        let cases = [
            (
                "org/name",
                "org/name: not in the Hugging Face cache: fetch it with `hf download org/name` or export it \
                with tools/export.py.",
            ),
            ("../name", "../name: is not a name of the hub: write it as org/name."),
            ("a/b/c", "a/b/c: is not a name of the hub: write it as org/name."),
            ("", ": is not a name of the hub: write it as org/name."),
        ];
        let cache = tempfile::tempdir().unwrap();
        for (hub, expected) in cases {
            assert_eq!(snapshot(Some(cache.path()), hub).unwrap_err().to_string(), expected);
        }
        assert!(snapshot(None, "org/name").is_err());
    }
}
