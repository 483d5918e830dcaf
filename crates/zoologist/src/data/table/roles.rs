//! Which column is what: asked for, or found by name, or by what the columns hold.

use std::path::Path;

use super::TableOptions;
use super::cell::{Column, Sniffed};
use crate::base::path_text::{escape, show};
use crate::data::Error;

/// Names of columns of texts, the likeliest first.
const TEXT: [&str; 18] = [
    "text",
    "sentence",
    "content",
    "review",
    "review_text",
    "body",
    "document",
    "utterance",
    "tweet",
    "comment",
    "message",
    "description",
    "abstract",
    "passage",
    "question",
    "query",
    "headline",
    "title",
];
/// Names of pairs of such columns.
const PAIRS: [[&str; 2]; 8] = [
    ["sentence1", "sentence2"],
    ["premise", "hypothesis"],
    ["question1", "question2"],
    ["text1", "text2"],
    ["text_a", "text_b"],
    ["question", "sentence"],
    ["question", "answer"],
    ["query", "passage"],
];
/// Names of columns of picture paths.
const PICTURE: [&str; 7] = ["file_name", "path", "filename", "file", "image", "image_path", "img"];
/// Names of columns of labels, the likeliest first.
const LABEL: [&str; 12] = [
    "label",
    "labels",
    "class",
    "target",
    "targets",
    "category",
    "y",
    "score",
    "rating",
    "sentiment",
    "intent",
    "tags",
];
/// The name of the column of splits.
const SPLIT: &str = "split";
/// Texts of fewer bytes in the mean are more likely labels.
const SHORT: f64 = 16.0;

/// What stands before a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// One text, or two.
    Text(Vec<usize>),
    /// The path of a picture.
    Picture(usize),
}

/// Places of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roles {
    pub subject: Subject,
    /// Empty where no labels are wanted.
    pub labels: Vec<usize>,
    pub split: Option<usize>,
}

impl Roles {
    /// Settles every role; labels only if they are wanted.
    pub fn find(path: &Path, table: &Sniffed, options: &TableOptions, labelled: bool) -> Result<Self, Error> {
        let named = |name: &String| place(path, table, name);
        let split = options.split.as_ref().map(named).transpose()?.or_else(|| by_name(table, &[SPLIT]));
        let asked = options.label.iter().map(named).collect::<Result<Vec<usize>, Error>>()?;
        let subject = if options.text.is_empty() {
            subject(path, table, &asked, split)?
        } else {
            Subject::Text(options.text.iter().map(named).collect::<Result<_, _>>()?)
        };
        let taken: Vec<usize> = subject.places().into_iter().chain(split).collect();
        let labels = match (labelled, asked.is_empty()) {
            (false, _) => vec![],
            (true, false) => asked,
            (true, true) => vec![label(path, table, &taken)?],
        };
        if let Some(both) = labels.iter().find(|label| taken.contains(label)) {
            let name = escape(&table.columns[*both].name);
            return Err(unclear(path, format!("the column {name} can't be both label and text or split")));
        }
        Ok(Self { subject, labels, split })
    }

    /// The columns of the subject.
    pub fn columns(&self) -> Vec<usize> {
        self.subject.places()
    }

    /// All columns that are read: the subject's, the labels', the split's.
    pub fn all(&self) -> Vec<usize> {
        self.columns().into_iter().chain(self.labels.iter().copied()).chain(self.split).collect()
    }

    /// What was settled, said aloud.
    pub fn notes(&self, path: &Path, table: &Sniffed) -> Vec<String> {
        let names = |places: &[usize]| {
            places
                .iter()
                .map(|&place| format!("`{}`", escape(&table.columns[place].name)))
                .collect::<Vec<_>>()
                .join(" and ")
        };
        let subject = match &self.subject {
            Subject::Text(columns) if columns.len() == 2 => format!("pairs of texts in {}", names(columns)),
            Subject::Text(columns) => format!("texts in {}", names(columns)),
            Subject::Picture(column) => format!("paths of pictures in {}", names(&[*column])),
        };
        let labels =
            if self.labels.is_empty() { String::new() } else { format!(", labels in {}", names(&self.labels)) };
        let split = self.split.map_or(String::new(), |split| format!(", splits in {}", names(&[split])));
        let used = self.all();
        let others: Vec<usize> = (0..table.columns.len()).filter(|place| !used.contains(place)).take(8).collect();
        let others = if others.is_empty() { String::new() } else { format!(" Not used: {}.", names(&others)) };
        vec![format!("{}: {subject}{labels}{split}.{others}", show(path))]
    }
}

impl Subject {
    fn places(&self) -> Vec<usize> {
        match self {
            Self::Text(columns) => columns.clone(),
            Self::Picture(column) => vec![*column],
        }
    }
}

/// The place of a column by its name, exactly or in any letter case, or by its number from 0.
fn place(path: &Path, table: &Sniffed, name: &String) -> Result<usize, Error> {
    let exact = table.columns.iter().position(|column| column.name == *name);
    let found = exact.or_else(|| by_name(table, &[name.as_str()]));
    let number = || name.parse().ok().filter(|&number: &usize| number < table.columns.len());
    found.or_else(number).ok_or_else(|| Error::NoSuchColumn {
        path: path.to_path_buf(),
        name: escape(name),
        known: table.in_words(),
    })
}

fn by_name(table: &Sniffed, wanted: &[&str]) -> Option<usize> {
    let named = |name: &&str| table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    wanted.iter().find_map(named)
}

fn subject(path: &Path, table: &Sniffed, labels: &[usize], split: Option<usize>) -> Result<Subject, Error> {
    let free = |place: usize| !labels.contains(&place) && split != Some(place);
    let words = |place: usize| free(place) && table.columns[place].words > 0;
    for pair in PAIRS {
        if let [Some(first), Some(second)] = pair.map(|name| by_name(table, &[name]))
            && words(first)
            && words(second)
        {
            return Ok(Subject::Text(vec![first, second]));
        }
    }
    let is_picture = |place: usize| words(place) && table.columns[place].pictures * 2 > table.columns[place].words;
    let picture = by_name(table, &PICTURE).filter(|&place| is_picture(place));
    if let Some(picture) = picture.or_else(|| (0..table.columns.len()).find(|&place| is_picture(place))) {
        return Ok(Subject::Picture(picture));
    }
    let named = TEXT.iter().find_map(|name| by_name(table, &[name]).filter(|&place| words(place)));
    if let Some(text) = named {
        return Ok(Subject::Text(vec![text]));
    }
    let likely = |place: &usize| {
        let Column { length, distinct, .. } = table.columns[*place];
        words(*place) && length >= SHORT && distinct >= 0.5
    };
    let candidates: Vec<usize> = (0..table.columns.len()).filter(likely).collect();
    match candidates[..] {
        [only] => Ok(Subject::Text(vec![only])),
        [] => Err(unclear(
            path,
            format!("no column of texts was found. Name it with --text. The columns: {}", table.in_words()),
        )),
        _ => Err(unclear(
            path,
            format!("several columns may hold the texts. Choose one with --text. The columns: {}", table.in_words()),
        )),
    }
}

fn label(path: &Path, table: &Sniffed, taken: &[usize]) -> Result<usize, Error> {
    let free = |place: &usize| !taken.contains(place);
    if let Some(label) = LABEL.iter().find_map(|name| by_name(table, &[name]).filter(free)) {
        return Ok(label);
    }
    let is_id = |place: usize| {
        let name = table.columns[place].name.to_ascii_lowercase();
        ["id", "idx", "index", "uid", "guid", ""].contains(&name.as_str()) || name.ends_with("_id")
    };
    let candidates: Vec<usize> = (0..table.columns.len()).filter(|place| free(place) && !is_id(*place)).collect();
    match candidates[..] {
        [only] => Ok(only),
        [] => Err(unclear(
            path,
            format!("no column of labels was found. Name it with --label. The columns: {}", table.in_words()),
        )),
        _ => Err(unclear(
            path,
            format!("several columns may hold the labels. Choose with --label. The columns: {}", table.in_words()),
        )),
    }
}

fn unclear(path: &Path, problem: String) -> Error {
    Error::Unclear { path: path.to_path_buf(), problem }
}
