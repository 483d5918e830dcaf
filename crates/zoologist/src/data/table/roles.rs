//! Which column is what: asked for, or found by name, or by what the columns hold.

use std::path::Path;

use super::TableOptions;
use super::sniff::Sniffed;
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
/// Columns that a sentence names.
const SHOWN: usize = 8;
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
        table.check_names(path)?;
        let named = |name: &String| place(path, table, name);
        let split = options.split.as_ref().map(named).transpose()?.or_else(|| by_name(table, &[SPLIT]));
        let asked = options.label.iter().map(named).collect::<Result<Vec<usize>, Error>>()?;
        let subject = if options.text.is_empty() {
            subject(path, table, &asked, split)?
        } else {
            Subject::Text(options.text.iter().map(named).collect::<Result<_, _>>()?)
        };
        let taken: Vec<usize> = subject.places().into_iter().chain(split).collect();
        let labels = if asked.is_empty() && labelled { labels(path, table, &taken)? } else { asked };
        let roles = Self { subject, labels, split };
        roles.check(path, table)?;
        Ok(if labelled { roles } else { Self { labels: vec![], ..roles } })
    }

    /// Refuses a column with two roles, and texts that are numbers.
    fn check(&self, path: &Path, table: &Sniffed) -> Result<(), Error> {
        let all = self.all();
        if let Some(both) = all.iter().enumerate().find(|(place, column)| all[..*place].contains(column)) {
            let name = escape(&table.columns[*both.1].name);
            let problem = "is given two roles. The texts, the labels and the split need a column each";
            return Err(unclear(path, format!("the column {name} {problem}")));
        }
        if let Some(column) =
            self.columns().iter().map(|&place| &table.columns[place]).find(|column| column.is_numbers())
        {
            let (name, columns) = (escape(&column.name), table.in_words());
            let problem = format!("the column {name} holds numbers, not texts. Choose another with --text: {columns}");
            return Err(unclear(path, problem));
        }
        Ok(())
    }

    /// The same columns, by their names, in the table of another split: without labels where that has none.
    pub fn elsewhere(&self, here: &Sniffed, path: &Path, there: &Sniffed) -> Result<Self, Error> {
        there.check_names(path)?;
        let name = |place: &usize| &here.columns[*place].name;
        let find = |place: &usize| self::place(path, there, name(place));
        let subject = match &self.subject {
            Subject::Text(columns) => Subject::Text(columns.iter().map(find).collect::<Result<_, _>>()?),
            Subject::Picture(column) => Subject::Picture(find(column)?),
        };
        let labels = self.labels.iter().map(find).collect::<Result<_, _>>()?;
        let split = self.split.as_ref().and_then(|split| by_name(there, &[name(split)]));
        Ok(Self { subject, labels, split })
    }

    /// The first of the columns of labels that another table lacks.
    pub fn missing_label<'s>(&self, here: &'s Sniffed, there: &Sniffed) -> Option<&'s str> {
        let names = self.labels.iter().map(|&place| here.columns[place].name.as_str());
        names.into_iter().find(|name| by_name(there, &[name]).is_none())
    }

    /// What a column is used as, in a word.
    pub fn of(&self, column: usize) -> Option<&'static str> {
        match &self.subject {
            Subject::Text(columns) if columns.contains(&column) => Some("text"),
            Subject::Picture(picture) if *picture == column => Some("picture"),
            _ if self.labels.contains(&column) => Some("label"),
            _ if self.split == Some(column) => Some("split"),
            _ => None,
        }
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
        let names = |places: &[usize]| names(table, places);
        let subject = match &self.subject {
            Subject::Text(columns) if columns.len() == 2 => format!("pairs of texts in {}", names(columns)),
            Subject::Text(columns) => format!("texts in {}", names(columns)),
            Subject::Picture(column) => format!("paths of pictures in {}", names(&[*column])),
        };
        let labels =
            if self.labels.is_empty() { String::new() } else { format!(", labels in {}", names(&self.labels)) };
        let split = self.split.map_or(String::new(), |split| format!(", splits in {}", names(&[split])));
        let others: Vec<usize> = (0..table.columns.len()).filter(|&place| self.of(place).is_none()).collect();
        let others = if others.is_empty() { String::new() } else { format!(" Not used: {}.", names(&others)) };
        vec![format!("{}: {subject}{labels}{split}.{others}", show(path))]
    }
}

/// Columns by their names; of many, the first.
fn names(table: &Sniffed, places: &[usize]) -> String {
    let name = |&place: &usize| format!("`{}`", escape(&table.columns[place].name));
    let mut names: Vec<String> = places.iter().take(SHOWN).map(name).collect();
    if places.len() > SHOWN {
        names.push(format!("{} more", places.len() - SHOWN));
    }
    match names.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
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

/// Whether a column may be called so because of what it holds.
pub(super) fn is_known(name: &str) -> bool {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    names_a_subject(name) || is_id(name) || LABEL.iter().any(is) || is(&SPLIT)
}

/// Whether a column of texts or of picture paths may be called so.
pub(super) fn names_a_subject(name: &str) -> bool {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    TEXT.iter().any(is) || PICTURE.iter().any(is) || PAIRS.as_flattened().iter().any(is)
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
    let is_picture = |place: usize| words(place) && table.columns[place].is_pictures();
    let picture = by_name(table, &PICTURE).filter(|&place| is_picture(place));
    if let Some(picture) = picture.or_else(|| (0..table.columns.len()).find(|&place| is_picture(place))) {
        return Ok(Subject::Picture(picture));
    }
    let named = TEXT.iter().find_map(|name| by_name(table, &[name]).filter(|&place| words(place)));
    if let Some(text) = named {
        return Ok(Subject::Text(vec![text]));
    }
    let likely = |place: &usize| {
        let column = &table.columns[*place];
        words(*place) && column.length() >= SHORT && column.distinct() >= 0.5
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

/// The columns of labels: one of a known name, or the only one that is left, or all that are left if they say yes or no.
fn labels(path: &Path, table: &Sniffed, taken: &[usize]) -> Result<Vec<usize>, Error> {
    let free = |place: &usize| !taken.contains(place);
    if let Some(label) = LABEL.iter().find_map(|name| by_name(table, &[name]).filter(free)) {
        return Ok(vec![label]);
    }
    let candidates: Vec<usize> =
        (0..table.columns.len()).filter(|place| free(place) && !is_id(&table.columns[*place].name)).collect();
    let yes_or_no = || candidates.iter().all(|&place| table.columns[place].is_yes_or_no());
    match candidates.len() {
        0 => {
            let problem = "no column of labels was found. Name it with --label. The columns:";
            Err(unclear(path, format!("{problem} {}", table.in_words())))
        }
        1 => Ok(candidates),
        _ if yes_or_no() => Ok(candidates),
        _ => {
            let problem = "several columns may hold the labels. Choose with --label, several yes/no ones with commas \
                           between. The columns:";
            Err(unclear(path, format!("{problem} {}", table.in_words())))
        }
    }
}

fn is_id(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["id", "idx", "index", "uid", "guid", ""].contains(&name.as_str()) || name.ends_with("_id")
}

fn unclear(path: &Path, problem: String) -> Error {
    Error::Unclear { path: path.to_path_buf(), problem }
}
