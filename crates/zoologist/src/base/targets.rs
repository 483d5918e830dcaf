//! What is to be predicted, one entry per sample: classes, several yes/no labels, or numbers.

use std::collections::HashMap;

use ahash::AHashSet;
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

/// One text per sample, each different text kept once.
#[derive(Debug, Default, Clone)]
pub struct Interned {
    names: Vec<String>,
    index: Vec<u32>,
    places: HashMap<String, u32>,
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

impl<'t> FromIterator<&'t str> for Interned {
    fn from_iter<I: IntoIterator<Item = &'t str>>(texts: I) -> Self {
        let mut interned = Self::default();
        texts.into_iter().for_each(|text| interned.push(text));
        interned
    }
}

impl Interned {
    /// The place of a text among the different ones, where it is put if it is new.
    fn place(&mut self, text: &str) -> u32 {
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = self.names.len() as u32;
        self.names.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }

    /// Adds the text of the next sample.
    pub fn push(&mut self, text: &str) {
        let place = self.place(text);
        self.index.push(place);
    }

    /// Adds the text of a sample that comes before all others.
    pub fn push_first(&mut self, text: &str) {
        let place = self.place(text);
        self.index.insert(0, place);
    }

    /// The text of each sample.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        self.index.iter().map(|&place| self.names[place as usize].as_str())
    }

    /// The different texts.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The text of each sample, as a place in [`Interned::names`].
    pub fn index(&self) -> &[u32] {
        &self.index
    }
}

/// Places of the names that occur: numbers by value, other names by their bytes.
fn in_order(names: &[String], index: &[u32]) -> Vec<u32> {
    let mut occurs = vec![false; names.len()];
    index.iter().for_each(|&label| occurs[label as usize] = true);
    let mut places: Vec<u32> = (0..names.len() as u32).filter(|&place| occurs[place as usize]).collect();
    let name = |place: u32| names[place as usize].as_str();
    let values: Option<HashMap<u32, i64>> =
        places.iter().map(|&place| name(place).parse().ok().map(|value| (place, value))).collect();
    match values {
        Some(values) => places.sort_unstable_by_key(|place| (values[place], name(*place))),
        None => places.sort_unstable_by_key(|&place| name(place)),
    }
    places
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
        Self::from_interned(labels.iter().map(AsRef::as_ref).collect())
    }

    /// Classes from one whole number per sample: what [`Classes::from_names`] makes of the numbers as text, in a
    /// fraction of the memory.
    ///
    /// ```
    /// use zoologist::base::Classes;
    /// assert_eq!(Classes::from_numbers(&[10, 9, -1])?, Classes::from_names(&["10", "9", "-1"])?);
    /// # Ok::<(), zoologist::base::TargetsError>(())
    /// ```
    pub fn from_numbers(labels: &[i64]) -> Result<Self, TargetsError> {
        let found: AHashSet<i64> = labels.iter().copied().collect();
        let mut found: Vec<i64> = found.into_iter().collect();
        found.sort_unstable();
        let class = |label| found.partition_point(|&other| other < label) as u32;
        let index = labels.iter().map(|&label| class(label)).collect();
        Self::checked(found.iter().map(i64::to_string).collect(), index)
    }

    /// Classes from names that are all different and, for each sample, the place of its name among them. Names that
    /// no sample has are dropped.
    pub fn from_interned(labels: Interned) -> Result<Self, TargetsError> {
        let Interned { names, mut index, .. } = labels;
        let ordered = in_order(&names, &index);
        let mut class = vec![0; names.len()];
        ordered.iter().zip(0..).for_each(|(&name, place)| class[name as usize] = place);
        index.iter_mut().for_each(|label| *label = class[*label as usize]);
        let mut names: Vec<Option<String>> = names.into_iter().map(Some).collect();
        let ordered = ordered.into_iter().filter_map(|name| names[name as usize].take()).collect();
        Self::checked(ordered, index)
    }

    fn checked(names: Vec<String>, index: Vec<u32>) -> Result<Self, TargetsError> {
        match &names[..] {
            _ if index.len() < 2 => Err(TargetsError::TooFew(index.len())),
            [only] => Err(TargetsError::OneClass(super::path_text::escape(only))),
            _ => Ok(Self { names, index }),
        }
    }

    /// The classes of some samples, in the order given.
    fn select(&self, rows: &[usize]) -> Result<Self, TargetsError> {
        let index = rows.iter().map(|&row| self.index[row]).collect();
        Self::from_interned(Interned { names: self.names.clone(), index, places: HashMap::new() })
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
            Self::Classes(classes) => Self::Classes(classes.select(rows)?),
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
    largest.map_or(0, |largest| largest.saturating_add(1).saturating_sub(classes.names.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_classes_that_their_texts_become() {
        for labels in [vec![3, 10, 3, 9, -1], vec![i64::MIN, i64::MAX, 0, 0], vec![7, 7], vec![1], vec![]] {
            let texts: Vec<String> = labels.iter().map(i64::to_string).collect();
            assert_eq!(Classes::from_numbers(&labels), Classes::from_names(&texts), "{labels:?}");
        }
    }

    #[test]
    fn selected_classes_are_those_that_the_names_of_the_rows_would_give() {
        let names = ["10", "b", "9", "10", "01", "1", "b", "9"];
        let targets = Targets::Classes(Classes::from_names(&names).unwrap());
        for rows in [vec![0, 2, 3], vec![7, 6, 5, 4, 0, 0], vec![4, 5], vec![1, 6], vec![1], vec![0, 1]] {
            let picked: Vec<&str> = rows.iter().map(|&row| names[row]).collect();
            assert_eq!(targets.select(&rows), Classes::from_names(&picked).map(Targets::Classes), "{rows:?}");
        }
    }

    #[test]
    fn whole_numbers_stand_by_value_and_spellings_of_one_number_stay_apart() {
        let classes = Classes::from_names(&["10", "1", "01", "-2"]).unwrap();
        assert_eq!(
            (classes.names(), classes.index()),
            (["-2", "01", "1", "10"].map(str::to_owned).as_slice(), &[3, 2, 1, 0][..])
        );
    }
}
