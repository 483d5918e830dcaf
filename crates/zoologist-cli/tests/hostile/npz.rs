//! .npz: archives of .npy files.

use crate::judge::{Case, Verdict, try_all};
use crate::npy::{array, file, header, twelve};
use crate::zip::{Entry, archive};

const FILE: &str = "features.npz";

fn bad(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::bad(name, FILE, bytes)
}

fn good(name: &str, entries: &[Entry]) -> Case {
    Case::good(name, FILE, archive(entries))
}

fn features() -> Vec<u8> {
    array("<f4", "4, 3", &twelve())
}

fn labels() -> Vec<u8> {
    array("<i8", "4,", &[0_i64, 1, 1, 0].map(i64::to_le_bytes).concat())
}

/// As `deflated` and `stored`, with one field changed.
fn lying(packed: bool, lie: impl FnOnce(&mut Entry)) -> Vec<u8> {
    let mut entry =
        if packed { Entry::deflated("features.npy", &features()) } else { Entry::stored("features.npy", &features()) };
    lie(&mut entry);
    archive(&[entry])
}

pub fn controls() -> Vec<Case> {
    let columns = file(1, &header("<f4", true, "4, 3"), &twelve());
    vec![
        good("stored", &[Entry::stored("features.npy", &features())]),
        good("deflated", &[Entry::deflated("features.npy", &features())]),
        good("with labels", &[Entry::deflated("features.npy", &features()), Entry::stored("labels.npy", &labels())]),
        good("by any name", &[Entry::stored("arr_0.npy", &features())]),
        good("among other files", &[Entry::stored("notes.txt", b"hello"), Entry::stored("X.npy", &features())]),
        good("column after column", &[Entry::deflated("X.npy", &columns)]),
        good("columns as they are", &[Entry::stored("X.npy", &columns)]),
        good("beside what can't be read", &[Entry::stored("bad.npy", b"no"), Entry::stored("X.npy", &features())]),
        Case::good(
            "an archive behind other bytes",
            FILE,
            [b"#!/bin/sh\n".to_vec(), archive(&[Entry::stored("X.npy", &features())])].concat(),
        ),
        Case::good("labels alone", "labels.npz", archive(&[Entry::stored("labels.npy", &labels())])),
        good(
            "many arrays",
            &(0..2000)
                .map(|n| Entry::stored(&format!("a{n}.npy"), &labels()))
                .chain([Entry::stored("X.npy", &features())])
                .collect::<Vec<_>>(),
        ),
    ]
}

fn damaged() -> Vec<Case> {
    let whole = archive(&[Entry::deflated("features.npy", &features())]);
    vec![
        bad("empty", ""),
        bad("no archive", "this is no archive".repeat(40)),
        bad("an archive of nothing", archive(&[])),
        bad("no array", archive(&[Entry::stored("a.txt", b"a")])),
        bad("an array that is none", archive(&[Entry::stored("features.npy", b"no array")])),
        bad("Python objects", archive(&[Entry::stored("features.npy", &array("|O", "4, 3", b"\x80\x04."))])),
        bad("which array?", archive(&[Entry::stored("a.npy", &features()), Entry::stored("b.npy", &features())])),
        bad("cut", &whole[..whole.len() / 2]),
        bad("the end cut", &whole[..whole.len() - 1]),
        bad("the beginning gone", &whole[10..]),
        bad("a wrong checksum", lying(true, |entry| entry.crc ^= 1)),
        bad("a wrong checksum of what is stored", lying(false, |entry| entry.crc ^= 1)),
        bad("another size", lying(true, |entry| entry.size -= 4)),
        bad("a stored size that is too large", lying(false, |entry| entry.size += 4)),
        bad("a size of 4 GiB", lying(true, |entry| entry.size = u32::MAX - 1)),
        bad("an unknown way of packing", lying(true, |entry| entry.method = 99)),
        bad("encrypted", lying(true, |entry| entry.flags = 1)),
        bad("what is said to be deflated and is not", lying(false, |entry| entry.method = 8)),
        bad("cut within the array", lying(true, |entry| entry.packed.truncate(20))),
        bad("a place beyond the file", lying(false, |entry| entry.place = Some(u32::MAX - 9))),
        bad("a name that climbs", archive(&[Entry::stored("../../up.txt", &features())])),
    ]
}

/// A small archive that becomes large.
fn bombs() -> Vec<Case> {
    let bomb =
        |kind: &str, shape: &str, bytes: usize| Entry::deflated("labels.npy", &array(kind, shape, &vec![0; bytes]));
    let small = Entry::deflated("labels.npy", &features());
    let many = |count: usize| {
        (0..count).map(|n| Entry { name: format!("a{n}.npy"), place: Some(0), ..small.clone() }).collect::<Vec<_>>()
    };
    let columns = file(1, &header("|u1", true, "2, 134217728"), &vec![0; 256 << 20]);
    let text = |unit: &str| archive(&[bomb(unit, "64,", (64 * 4) << 20)]);
    vec![
        bad(
            "more than its shape",
            archive(&[Entry::deflated("features.npy", &[features(), vec![0; 64 << 20]].concat())]),
        ),
        bad(
            "a row of 256 MiB",
            archive(&[Entry::deflated("X.npy", &array("|u1", "1, 268435456", &vec![0; 256 << 20]))]),
        ),
        bad("columns of 256 MiB", archive(&[Entry::deflated("X.npy", &columns)])),
        bad("256 million labels", archive(&[bomb("|i1", "268435456,", 256 << 20)])),
        bad("labels of 4 MiB each", text("|S4194304")),
        bad("60,000 arrays that are one", archive(&[vec![small.clone()], many(60_000)].concat())),
        bad("a header that never ends", archive(&[Entry::deflated("X.npy", &file(2, &" ".repeat(200 << 20), &[]))])),
    ]
}

fn changed() -> Vec<Case> {
    let whole = archive(&[Entry::deflated("features.npy", &features())]);
    let flipped = |place: usize| {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x41;
        Case::file(Verdict::Any, &format!("byte {place} flipped"), FILE, bytes)
    };
    (0..whole.len()).step_by(4).map(flipped).collect()
}

#[test]
fn odd_archives_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_archives_are_refused() {
    try_all(&damaged());
}

#[test]
fn bombs_are_refused() {
    try_all(&bombs());
}

#[test]
fn changed_archives_are_refused_or_still_archives() {
    try_all(&changed());
}
