//! The floors of docs/map.md: a module uses lower floors only, and never its own.
#![allow(clippy::unwrap_used, reason = "a test that can't read its sources fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each floor, from the ground up.
const FLOORS: [&[&str]; 6] = [
    &["base"],
    &["stats", "data", "zoo", "store", "search"],
    &["score", "extract"],
    &["layers", "vet"],
    &["rank", "inspect", "evaluate", "tabular"],
    &["report"],
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules named by `crate::module`, in code or in braces after `crate::`.
fn used(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .flat_map(|rest| {
            let names = rest.strip_prefix('{').and_then(|list| list.split('}').next()).unwrap_or(rest);
            let names: Vec<&str> = if rest.starts_with('{') { names.split(',').collect() } else { vec![names] };
            let word = |name: &str| name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.into_iter().map(word).collect::<Vec<String>>()
        })
        .collect()
}

#[test]
fn a_module_uses_lower_floors_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut faults, mut seen) = (vec![], 0);
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = floor(module).unwrap_or_else(|| panic!("{module} stands on no floor"));
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for other in used(code).into_iter().filter(|other| other != module) {
                seen += 1;
                if floor(&other).is_none_or(|other| other >= own) {
                    faults.push(format!("{}:{}: {module} uses {other}", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(seen > 50, "the test read almost nothing: {seen} uses");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn braces_and_plain_paths_are_both_understood() {
    assert_eq!(used("use crate::{base, store::Key};"), ["base", "store"]);
    assert_eq!(used("pub fn a(b: crate::zoo::Model) -> crate::rank::Error {"), ["zoo", "rank"]);
}
