//! A search for an architecture: as text, and as a page with the drawing and the history.

use std::iter;

use askama::Template;

use super::chart;
use super::curves::{self, Curve, Point};
use super::drawing::{self, Edge};
use super::table::{finish, new_table, paragraph};
use super::words::{self, NOTHING};
use crate::base::path_text::{escape, show};
use crate::extract::training::SkeletonKind;
use crate::rank::searching::{Architecture, ArchitectureSearch, Network, Search};

const NETWORKS: [&str; 6] =
    ["Network", "Alone", "With shared\nweights", "Parameters", "Multiply-adds", "ms per\npicture"];

/// What was found, against what, and how sure that is. `width` is that of the terminal, in columns.
pub fn search(found: &ArchitectureSearch, width: Option<u16>) -> String {
    let mut table = new_table(&NETWORKS, 1..NETWORKS.len());
    // Not on the page: the bytes of that depend on the run alone, not on the machine's mood.
    let milliseconds = found.timing.milliseconds.iter().copied().chain(iter::repeat(None));
    for (network, milliseconds) in found.networks.iter().zip(milliseconds) {
        let milliseconds = milliseconds.map_or(NOTHING.to_owned(), |milliseconds| format!("{milliseconds:.2}"));
        table.add_row(cells(network).into_iter().chain([milliseconds]));
    }
    let architectures = found.searches.iter().map(|it| paragraph(&in_words(it, found), width));
    let answer: Vec<String> = found.answer.iter().map(|line| paragraph(&escape(line), width)).collect();
    let written = found.output.as_ref().map(|output| paragraph(&format!("Written: {}.", escape(output)), width));
    let parts = [
        paragraph(&summary(found), width),
        architectures.collect::<String>(),
        finish(table, width),
        answer.concat(),
        written.unwrap_or_default(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// What was searched, and on what.
fn summary(found: &ArchitectureSearch) -> String {
    let data = &found.data;
    format!(
        "{}: {} of {} channels, pictures of {} × {}; {} steps of a search, {} of a training alone. {} learned from, {} compared on; {} judge what was trained alone: {}.",
        show(&data.path),
        found.skeleton.kind,
        found.skeleton.channels,
        found.edge,
        found.edge,
        words::count(found.steps),
        words::count(found.training_steps),
        words::count(data.learned),
        words::count(data.validation),
        words::count(data.judged),
        data.judged_on
    )
}

fn in_words(search: &Search, found: &ArchitectureSearch) -> String {
    let named = found.choices.iter().zip(&search.found.operations).filter(|(_, operation)| *operation != "none");
    let named: Vec<String> = named.map(|(choice, operation)| format!("{} {operation}", choice.name)).collect();
    let alone = search.alone.map_or(String::new(), |value| format!(", accuracy alone {value:.3}"));
    format!("{}, seed {}{alone}: {}.", search.method, search.seed, named.join(", "))
}

fn cells(network: &Network) -> [String; 5] {
    let values: Vec<f64> = network.alone.values.iter().copied().flatten().collect();
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let Architecture { operations, one_shot, parameters, multiply_adds } = &network.architecture;
    let places: Vec<&str> = operations.iter().map(String::as_str).filter(|operation| *operation != "none").collect();
    [
        format!("{}: {}", network.role, places.join(" ")),
        if values.is_empty() { NOTHING.to_owned() } else { format!("{mean:.3}") },
        format!("{one_shot:.3}"),
        words::count(*parameters as usize),
        words::multiply_adds(*multiply_adds as u64),
    ]
}

#[derive(Template)]
#[template(path = "search.html")]
struct Page {
    data: String,
    summary: String,
    answer: Vec<String>,
    drawings: Vec<(String, String)>,
    entropy: Option<String>,
    losses: String,
    rows: Vec<[String; 5]>,
    colours: [(&'static str, String); 5],
    version: &'static str,
}

/// A search as one page that holds everything and asks for nothing; equal searches give equal bytes.
///
/// # Errors
/// None that a search can cause: the template and the pictures are written to memory.
pub fn page(found: &ArchitectureSearch) -> Result<String, askama::Error> {
    let name = |it: &Search| format!("{}, seed {}", it.method, it.seed);
    let curve = |it: &Search, values: Vec<f64>| Curve {
        name: name(it),
        is_probe: false,
        points: values.iter().zip(1..).map(|(&y, x)| Point { x: f64::from(x), y, whisker: None }).collect(),
    };
    let learned = found.searches.iter().filter(|it| !it.entropies.is_empty());
    let entropies: Vec<Curve> =
        learned.map(|it| curve(it, it.entropies.iter().map(|each| mean(each)).collect())).collect();
    let losses: Vec<Curve> = found.searches.iter().map(|it| curve(it, it.losses.clone())).collect();
    let entropy = (!entropies.is_empty()).then(|| curves::curves(["evaluations", "mean entropy, nats"], &entropies));
    let mut drawings = vec![];
    for it in &found.searches {
        for (part, svg) in drawn(found, it).map_err(askama::Error::custom)? {
            drawings.push((format!("{}{part}", name(it)), svg));
        }
    }
    let page = Page {
        data: show(&found.data.path),
        summary: summary(found),
        answer: found.answer.clone(),
        drawings,
        entropy: entropy.transpose().map_err(askama::Error::custom)?,
        losses: curves::curves(["twentieths of the steps", "loss"], &losses).map_err(askama::Error::custom)?,
        rows: found.networks.iter().map(cells).collect(),
        colours: chart::colours(),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// What was found, drawn: the chain, or each kind of cell.
fn drawn(found: &ArchitectureSearch, search: &Search) -> Result<Vec<(String, String)>, chart::Fault> {
    let operations = &search.found.operations;
    if found.skeleton.kind == SkeletonKind::Chain {
        let nodes: Vec<String> =
            ["stem".to_owned()].into_iter().chain((0..operations.len()).map(|layer| layer.to_string())).collect();
        let edge = |(layer, name): (usize, &String)| Edge { from: layer, to: layer + 1, name: name.clone() };
        let edges: Vec<Edge> = operations.iter().enumerate().map(edge).collect();
        return Ok(vec![(String::new(), drawing::graph(&nodes, &edges)?)]);
    }
    // The names of choices say which cell, which node and where from.
    let parts = found.choices.iter().zip(operations).filter_map(|(choice, name)| {
        let mut words = choice.name.split('.');
        let kind = words.next()?.to_owned();
        let (to, from) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some((kind, Edge { from, to, name: name.clone() }))
    });
    let mut kinds: Vec<(String, Vec<Edge>)> = vec![];
    for (kind, edge) in parts.filter(|(_, edge)| edge.name != "none") {
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, edges)) => edges.push(edge),
            None => kinds.push((kind, vec![edge])),
        }
    }
    let cell = |(kind, edges): (String, Vec<Edge>)| {
        let last = edges.iter().map(|edge| edge.to).max().unwrap_or(1);
        let nodes: Vec<String> = (0..=last)
            .map(|node| if node < 2 { format!("input {node}") } else { format!("node {}", node - 2) })
            .collect();
        Ok((format!(", {kind} cell"), drawing::graph(&nodes, &edges)?))
    };
    kinds.into_iter().map(cell).collect()
}
