//! From labels as they stand in a file to targets: which task they are for, and whether they can serve it.

use std::path::Path;

use crate::base::path_text::escape;
use crate::base::{Classes, Columns, Interned, Targets, Task};
use crate::data::Error;
use crate::data::files::counted;

/// Labels as a file holds them, one entry or row per sample.
#[derive(Debug)]
pub(in crate::data) enum Raw {
    /// One name or number per sample, as text.
    Texts(Interned),
    /// One whole number per sample.
    Integers(Vec<i64>),
    /// One or several numbers per sample.
    Numbers {
        /// The columns' names.
        names: Vec<String>,
        /// Their values, row after row.
        values: Vec<f64>,
    },
}

impl Raw {
    /// What these labels are for, if nobody says: whole numbers and names are classes, fractions are numbers to
    /// predict, and several columns of 0 and 1 are yes/no labels.
    fn task(&self) -> Task {
        match self {
            Self::Texts(texts) if are_fractions(texts.names()) => Task::Regression,
            Self::Texts(_) | Self::Integers(_) => Task::Classification,
            Self::Numbers { names, values } if names.len() > 1 && values.iter().copied().all(is_yes_or_no) => {
                Task::Multilabel
            }
            Self::Numbers { .. } => Task::Regression,
        }
    }

    /// Targets for the task, or for the one that the labels look made for.
    pub fn targets(self, path: &Path, task: Option<Task>) -> Result<Targets, Error> {
        let task = task.unwrap_or_else(|| self.task());
        Ok(match task {
            Task::Classification => Targets::Classes(self.classes(path)?),
            Task::Regression => Targets::Regression(self.columns(path)?),
            Task::Multilabel => Targets::Multilabel(self.yes_or_no(path)?),
        })
    }

    fn classes(self, path: &Path) -> Result<Classes, Error> {
        let classes = match self {
            Self::Texts(texts) => Classes::from_interned(texts),
            Self::Integers(values) => Classes::from_numbers(&values),
            Self::Numbers { names, .. } if names.len() > 1 => {
                let problem = "one class per row is needed. Save the argmax of one-hot labels";
                return Err(unfit(path, format!("there are {} columns, and {problem}", names.len())));
            }
            Self::Numbers { values, .. } => {
                if let Some(row) = values.iter().position(|value| value.fract() != 0.0) {
                    return Err(unfit(path, format!("{} is {}, not a class number", at_row(row), values[row])));
                }
                Classes::from_names(&values.iter().map(f64::to_string).collect::<Vec<_>>())
            }
        };
        classes.map_err(Error::targets(path))
    }

    fn numbers(self, path: &Path) -> Result<(Vec<String>, Vec<f64>), Error> {
        let one = || vec!["target".to_owned()];
        match self {
            Self::Numbers { names, values } => Ok((names, values)),
            Self::Integers(values) => Ok((one(), values.into_iter().map(|value| value as f64).collect())),
            Self::Texts(texts) => Ok((one(), parsed(&texts, path)?)),
        }
    }

    fn columns(self, path: &Path) -> Result<Columns, Error> {
        let (names, values) = self.numbers(path)?;
        Columns::new(names, values).map_err(Error::targets(path))
    }

    fn yes_or_no(self, path: &Path) -> Result<Columns, Error> {
        let (names, values) = self.numbers(path)?;
        match values.iter().position(|value| !is_yes_or_no(*value)) {
            Some(place) => {
                Err(unfit(path, format!("{} is {}, not 0 or 1", at_row(place / names.len()), values[place])))
            }
            None => Columns::new(names, values).map_err(Error::targets(path)),
        }
    }
}

fn parsed(texts: &Interned, path: &Path) -> Result<Vec<f64>, Error> {
    let values: Vec<Result<f64, &String>> = texts.names().iter().map(|text| text.parse().map_err(|_| text)).collect();
    let number = |(row, &place): (usize, &u32)| {
        values[place as usize]
            .map_err(|text| unfit(path, format!("{} is \"{}\", not a number", at_row(row), escape(text))))
    };
    texts.index().iter().enumerate().map(number).collect()
}

fn are_fractions(texts: &[String]) -> bool {
    let numbers: Option<Vec<f64>> = texts.iter().map(|text| text.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.iter().any(|number| number.is_finite() && number.fract() != 0.0))
}

fn is_yes_or_no(value: f64) -> bool {
    matches!(value, 0.0 | 1.0)
}

fn at_row(row: usize) -> String {
    format!("row {row} (counted from 0)")
}

fn unfit(path: &Path, problem: String) -> Error {
    Error::Task { path: path.to_path_buf(), problem }
}

/// What the labels were taken for, in words.
pub(in crate::data) fn in_words(targets: &Targets) -> String {
    let count = targets.names().len();
    match targets {
        Targets::Classes(_) => format!("{count} classes"),
        Targets::Multilabel(_) => format!("{} (multi-label)", counted(count, "yes/no label")),
        Targets::Regression(_) => format!("{} to predict (regression)", counted(count, "number")),
    }
}
