//! What is to be predicted, one entry per sample: classes, several yes/no labels, or numbers.

use serde::{Deserialize, Serialize};

/// The kind of prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One class out of several.
    Classification,
    /// One or several real numbers.
    Regression,
    /// Several labels, each set or not.
    Multilabel,
}

/// The targets of a data set.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class per sample.
    Classes(Classes),
    /// Labels that are each set (1) or not (0).
    Multilabel(Columns),
    /// Real numbers.
    Regression(Columns),
}

/// One class per sample, with the names that the user gave the classes. Every class occurs, and there are two or
/// more. Classes stand in the order of their names: numbers by value, other names by their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    names: Vec<String>,
    index: Vec<u32>,
}

/// An n × t table of target values, row after row, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    names: Vec<String>,
    values: Vec<f64>,
}

/// Why labels can't be used as targets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetsError {
    /// Fewer than two samples.
    #[error("there are {0} labelled samples: at least 2 are needed")]
    TooFew(usize),
    /// One class only.
    #[error("all labels are equal ({0}): nothing to rank. At least two classes are needed")]
    OneClass(String),
    /// A value that is not a finite number.
    #[error("the target of row {row}, column {column} is NaN or infinite: mend or drop that row")]
    NotFinite {
        /// Row, counted from 0.
        row: usize,
        /// Target column, counted from 0.
        column: usize,
    },
    /// The table is ragged or empty.
    #[error("the targets hold {values} values: not a whole number of rows of {columns}")]
    Shape {
        /// How many values there are.
        values: usize,
        /// How many columns a row has.
        columns: usize,
    },
}

impl Classes {
    /// Classes from one name per sample.
    ///
    /// ```
    /// use zoologist::base::Classes;
    /// let classes = Classes::from_names(&["10", "9", "9"])?;
    /// assert_eq!(classes.names(), ["9", "10"]);
    /// assert_eq!(classes.index(), [1, 0, 0]);
    /// # Ok::<(), zoologist::base::TargetsError>(())
    /// ```
    pub fn from_names<S: AsRef<str>>(labels: &[S]) -> Result<Self, TargetsError> {
        let mut names: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
        let as_numbers = names.iter().all(|name| name.parse::<i64>().is_ok());
        if as_numbers {
            names.sort_unstable_by_key(|name| (name.parse::<i64>().unwrap_or_default(), *name));
        } else {
            names.sort_unstable();
        }
        names.dedup();
        if labels.len() < 2 {
            return Err(TargetsError::TooFew(labels.len()));
        }
        if let [only] = names[..] {
            return Err(TargetsError::OneClass(super::path_text::escape(only)));
        }
        let place: std::collections::HashMap<&str, u32> = names.iter().copied().zip(0..).collect();
        let index = labels.iter().map(|label| place[label.as_ref()]).collect();
        Ok(Self { names: names.into_iter().map(str::to_owned).collect(), index })
    }

    /// The class names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The class of each sample, as a place in [`Classes::names`].
    pub fn index(&self) -> &[u32] {
        &self.index
    }

    /// How many samples each class has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        for &class in &self.index {
            counts[class as usize] += 1;
        }
        counts
    }
}

impl Columns {
    /// A table of `names.len()` columns from its values, row after row.
    pub fn new(names: Vec<String>, values: Vec<f64>) -> Result<Self, TargetsError> {
        let columns = names.len();
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(TargetsError::Shape { values: values.len(), columns });
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(TargetsError::NotFinite { row: place / columns, column: place % columns });
        }
        if values.len() / columns < 2 {
            return Err(TargetsError::TooFew(values.len() / columns));
        }
        Ok(Self { names, values })
    }

    /// The column names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many columns there are.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// The values of one sample.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width()..(row + 1) * self.width()]
    }
}

impl Targets {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.index.len(),
            Self::Multilabel(columns) | Self::Regression(columns) => columns.values.len() / columns.width(),
        }
    }

    /// Whether there is no sample. Never true: the constructors refuse fewer than two.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of prediction.
    pub fn task(&self) -> Task {
        match self {
            Self::Classes(_) => Task::Classification,
            Self::Multilabel(_) => Task::Multilabel,
            Self::Regression(_) => Task::Regression,
        }
    }

    /// Names of the classes, labels or target columns.
    pub fn names(&self) -> &[String] {
        match self {
            Self::Classes(classes) => &classes.names,
            Self::Multilabel(columns) | Self::Regression(columns) => &columns.names,
        }
    }

    /// The same targets, each row with the target of another row; every class still occurs if this is a permutation.
    #[must_use]
    pub fn rearranged(&self, sources: &[u32]) -> Self {
        let pick = |columns: &Columns| Columns {
            names: columns.names.clone(),
            values: sources.iter().flat_map(|&row| columns.row(row as usize).iter().copied()).collect(),
        };
        match self {
            Self::Classes(classes) => Self::Classes(Classes {
                names: classes.names.clone(),
                index: sources.iter().map(|&row| classes.index[row as usize]).collect(),
            }),
            Self::Multilabel(columns) => Self::Multilabel(pick(columns)),
            Self::Regression(columns) => Self::Regression(pick(columns)),
        }
    }

    /// The targets of some samples, in the order given. Classes that no longer occur are dropped.
    pub fn select(&self, rows: &[usize]) -> Result<Self, TargetsError> {
        let pick = |columns: &Columns| {
            let values = rows.iter().flat_map(|&row| columns.row(row).iter().copied()).collect();
            Columns::new(columns.names.clone(), values)
        };
        Ok(match self {
            Self::Classes(classes) => {
                let names: Vec<&str> =
                    rows.iter().map(|&row| classes.names[classes.index[row] as usize].as_str()).collect();
                Self::Classes(Classes::from_names(&names)?)
            }
            Self::Multilabel(columns) => Self::Multilabel(pick(columns)?),
            Self::Regression(columns) => Self::Regression(pick(columns)?),
        })
    }
}

/// How many class numbers up to the largest never occur: 0 unless the names of the classes are whole numbers from 0.
pub fn absent_numbers(targets: &Targets) -> u64 {
    let Targets::Classes(classes) = targets else { return 0 };
    let numbers: Option<Vec<u64>> = classes.names.iter().map(|name| name.parse().ok()).collect();
    let largest = numbers.and_then(|numbers| numbers.into_iter().max());
    largest.map_or(0, |largest| (largest + 1).saturating_sub(classes.names.len() as u64))
}
