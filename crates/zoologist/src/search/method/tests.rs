//! What every searcher owes: its budget, its seed, its history.

use super::*;
use crate::search::History;

fn value(architecture: &[u8]) -> f64 {
    architecture.iter().enumerate().map(|(place, &option)| f64::from(option) * (1.0 + 0.1 * place as f64)).sum()
}

fn run(method: Method, space: &Space, seed: u64, budget: f64) -> (History, Option<Distribution>) {
    let mut searcher = method.searcher(space, Seed(seed), budget);
    let mut history = History::default();
    while let Some(trial) = searcher.ask() {
        let value = value(&trial.architecture) * trial.fidelity;
        searcher.tell(&trial, value);
        history.push(trial, value);
    }
    (history, searcher.distribution().cloned())
}

fn all() -> Vec<Method> {
    METHODS.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn methods_read_back_what_they_write() {
    for name in METHODS {
        assert_eq!(name.parse::<Method>().unwrap().to_string(), name);
    }
    assert!("annealing".parse::<Method>().is_err());
}

#[test]
fn the_budget_is_spent_and_never_exceeded() {
    let space = Space::of_sizes(&[4, 4, 4, 4]);
    for method in all() {
        for budget in [1.0, 7.0, 30.0, 100.0] {
            let spent = run(method, &space, 0, budget).0.spent();
            assert!(spent <= budget + 1e-9, "{method} {budget}: {spent}");
            let whole = if method.needs_fidelities() { budget - 3.0 } else { budget };
            assert!(spent >= whole - 1e-9, "{method} {budget}: {spent}");
        }
    }
}

#[test]
fn a_seed_fixes_the_run_and_a_history_told_again_goes_on_where_it_was() {
    let space = Space::of_sizes(&[3, 5, 2, 4]);
    for method in all() {
        let (whole, distribution) = run(method, &space, 7, 60.0);
        assert_eq!(whole, run(method, &space, 7, 60.0).0);
        if whole.0.len() > 20 {
            assert_ne!(whole, run(method, &space, 8, 60.0).0, "{method}");
        }
        let mut searcher = method.searcher(&space, Seed(7), 60.0);
        let mut history = History(whole.0[..whole.0.len() / 2].to_vec());
        history.replay(searcher.as_mut()).unwrap();
        while let Some(trial) = searcher.ask() {
            let value = value(&trial.architecture) * trial.fidelity;
            searcher.tell(&trial, value);
            history.push(trial, value);
        }
        assert_eq!(history, whole, "{method}");
        assert_eq!(searcher.distribution().cloned(), distribution);
        let mut other = method.searcher(&space, Seed(9), 60.0);
        assert!(whole.replay(other.as_mut()).is_err(), "{method}");
    }
}

#[test]
fn distributions_stay_distributions() {
    let space = Space::of_sizes(&[4, 4, 4]);
    for method in all() {
        let Some(distribution) = run(method, &space, 1, 300.0).1 else { continue };
        for choice in &distribution.0 {
            assert!((choice.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{method}: {choice:?}");
            assert!(choice.iter().all(|&it| it >= 0.0), "{method}: {choice:?}");
        }
    }
}

#[test]
fn a_warm_up_teaches_nothing() {
    let space = Space::of_sizes(&[4, 4, 4]);
    let after = |method: &str, count: usize| {
        let mut searcher = method.parse::<Method>().unwrap().searcher(&space, Seed(3), 100.0);
        for _ in 0..count {
            let trial = searcher.ask().unwrap();
            searcher.tell(&trial, value(&trial.architecture));
        }
        searcher.distribution().unwrap().clone()
    };
    for rule in ["mean", "duel"] {
        let method = format!("{rule}/warm-up:0.3");
        assert_eq!(after(&method, 30), Distribution::uniform(&space), "{rule}");
        assert_ne!(after(&method, 60), Distribution::uniform(&space), "{rule}");
        assert_ne!(after(rule, 30), Distribution::uniform(&space), "{rule}");
    }
}

#[test]
fn limits_are_kept_by_every_method() {
    let mut space = Space::of_sizes(&[4, 4, 4, 4]);
    let costs = vec![vec![0.0, 1.0, 2.0, 3.0]; 4];
    space.limits.push(crate::search::Limit { name: "size".to_owned(), costs, most: 6.0 });
    for method in all() {
        let history = run(method, &space, 2, 40.0).0;
        assert!(history.0.iter().all(|told| space.allows(&told.trial.architecture)), "{method}");
    }
}

#[test]
fn what_learns_beats_drawing_at_random() {
    let space = Space::of_sizes(&[5; 8]);
    let mean = |method: &str| {
        let method: Method = method.parse().unwrap();
        (0..30).map(|seed| run(method, &space, seed, 100.0).0.best().unwrap().1).sum::<f64>() / 30.0
    };
    let random = mean("random");
    for method in ["evolution", "local", "duel", "pbil", "reinforce", "duel+ls", "guided", "transfer"] {
        assert!(mean(method) > random, "{method}");
    }
}
