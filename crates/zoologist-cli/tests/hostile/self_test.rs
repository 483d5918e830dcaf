//! The judge finds the guilty guilty: programs that cheat in one way each, in the place of ours.

use std::process::Command;
use std::time::Duration;

use crate::common::Fixture;
use crate::judge::Case;

/// Tells [`eater`] to be one.
const EAT: &str = "ZOOLOGIST_EATER";

fn faults(case: &Case, program: &str) -> String {
    let fixture = Fixture::empty();
    let mut command = Command::new("sh");
    command.args(["-c", program]).current_dir(fixture.path(""));
    case.faults_of(&command, &fixture.path("seen"), Duration::from_secs(6)).join("\n")
}

fn bad() -> Case {
    Case::bad("bad", "table.csv", "")
}

fn good() -> Case {
    Case::good("good", "table.csv", "")
}

#[test]
fn a_program_that_does_right_is_not_guilty() {
    assert_eq!(faults(&good(), "echo a table"), "");
    assert_eq!(faults(&bad(), "echo zoologist: table.csv: is empty >&2; exit 3"), "");
}

#[test]
fn programs_that_cheat_are_guilty() {
    for (case, program, fault) in [
        (bad(), "exit 0", "ended with a wrong code"),
        (good(), "echo zoologist: table.csv: no >&2; exit 3", "ended with a wrong code"),
        (bad(), "echo zoologist: table.csv: no >&2; exit 1", "ended with a wrong code"),
        (bad(), "exit 3", "gave no message"),
        (bad(), "echo zoologist: no >&2; exit 3", "did not name the file"),
        (bad(), "echo zoologist: table.csv >&2; seq 9 >&2; exit 3", "said too much"),
        (bad(), "echo a table; echo zoologist: table.csv >&2; exit 5", "refused it and gave a result"),
        (bad(), "echo thread main panicked at table.csv >&2; exit 101", "panicked"),
        (bad(), "kill -SEGV $$", "was ended by a signal"),
        (bad(), "sleep 9", "took too long"),
        (bad(), "printf 'zoologist: table.csv \\033[2J' >&2; exit 3", "printed control characters"),
    ] {
        let found = faults(&case, program);
        assert!(found.contains(fault), "{program}: {found}");
    }
}

#[test]
fn a_program_that_eats_is_guilty_and_so_is_one_whose_worker_does() {
    let eater = std::env::current_exe().unwrap();
    let program = format!("env {EAT}=1 {} --exact self_test::eater", eater.display());
    for program in [format!("exec {program}"), format!("{program}; echo done")] {
        let found = faults(&good(), &program);
        assert!(found.contains("took too much memory"), "{program}: {found}");
    }
}

/// Touches 400 MiB where it is told to.
#[test]
fn eater() {
    if std::env::var_os(EAT).is_some() {
        assert_eq!(std::hint::black_box(vec![1_u8; 400 << 20]).last(), Some(&1));
    }
}
