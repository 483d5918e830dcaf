//! A table of everything that was tried: a line per architecture (or recipe, or configuration), with columns that say what
//! was chosen and columns of numbers that say what came of it. NAS-Bench-201 is one.

use std::collections::HashMap;
use std::path::Path;

use super::Error;
use super::csv_file::{self, line};

/// Options of a choice at most.
const MOST_OPTIONS: usize = 256;
/// Rows at most: each is held in memory.
const MOST_ROWS: usize = 50_000_000;

/// A table of everything that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The choices by name, each with its options in alphabetical order.
    pub choices: Vec<(String, Vec<String>)>,
    /// For each row the option of each choice.
    pub architectures: Vec<Vec<u8>>,
    /// For each column of numbers that was asked for, its value in each row.
    pub numbers: Vec<Vec<f64>>,
}

/// Reads a table. `chosen` are the columns of choices; a single one whose cells all have the same number of signs is cut
/// into one choice per sign. `numbers` are columns of finite numbers.
///
/// # Errors
/// A missing column, a cell that is no finite number, two rows of the same choices: with the line.
pub fn read(path: &Path, chosen: &[String], numbers: &[String]) -> Result<Tried, Error> {
    let mut reader = csv_file::open(path)?;
    let Some(header) = csv_file::next(path, &mut reader)? else {
        return Err(Error::at_line(path, 1, "is empty".to_owned()));
    };
    let place = |name: &String| {
        let known: Vec<&str> = header.iter().collect();
        header.iter().position(|column| column == name).ok_or_else(|| {
            Error::at_line(path, 1, format!("has no column `{name}`. Its columns: {}", known.join(", ")))
        })
    };
    let chosen_places = chosen.iter().map(place).collect::<Result<Vec<usize>, Error>>()?;
    let number_places = numbers.iter().map(place).collect::<Result<Vec<usize>, Error>>()?;
    let (mut cells, mut lines, mut columns) = (vec![], vec![], vec![vec![]; numbers.len()]);
    while let Some(row) = csv_file::next(path, &mut reader)? {
        if lines.len() == MOST_ROWS {
            return Err(Error::at_line(path, line(&row), format!("has more than {MOST_ROWS} rows")));
        }
        cells.push(chosen_places.iter().map(|&place| row[place].to_owned()).collect::<Vec<String>>());
        lines.push(line(&row));
        for ((column, &place), name) in columns.iter_mut().zip(&number_places).zip(numbers) {
            let number = row[place].parse::<f64>().ok().filter(|number| number.is_finite());
            column.push(number.ok_or_else(|| {
                Error::at_line(path, line(&row), format!("column `{name}` holds no finite number: `{}`", &row[place]))
            })?);
        }
    }
    if cells.is_empty() {
        return Err(Error::at_line(path, 1, "has a header and no rows".to_owned()));
    }
    let mut names = chosen.to_vec();
    if let Some(signs) = signs_of(&cells) {
        names = (1..=signs).map(|sign| format!("{}.{sign}", chosen[0])).collect();
        cells = cells.into_iter().map(|row| row[0].chars().map(String::from).collect()).collect();
    }
    let choices = names.into_iter().enumerate().map(|(place, name)| (name, options(&cells, place)));
    let choices: Vec<(String, Vec<String>)> = choices.collect();
    if let Some((name, options)) = choices.iter().find(|(_, options)| options.len() > MOST_OPTIONS) {
        let problem =
            format!("column `{name}` has {} different values; a choice has {MOST_OPTIONS} at most", options.len());
        return Err(Error::at_line(path, 1, problem));
    }
    let architectures = numbered(&cells, &choices);
    refuse_twice(path, &architectures, &lines)?;
    Ok(Tried { choices, architectures, numbers: columns })
}

/// How many signs each cell of the only column has, if all have equally many and more than one.
fn signs_of(cells: &[Vec<String>]) -> Option<usize> {
    let [first] = &cells.first()?[..] else { return None };
    let signs = first.chars().count();
    (signs > 1 && cells.iter().all(|row| row[0].chars().count() == signs)).then_some(signs)
}

fn options(cells: &[Vec<String>], place: usize) -> Vec<String> {
    let all: std::collections::BTreeSet<&String> = cells.iter().map(|row| &row[place]).collect();
    all.into_iter().cloned().collect()
}

fn numbered(cells: &[Vec<String>], choices: &[(String, Vec<String>)]) -> Vec<Vec<u8>> {
    let number = |(cell, (_, options)): (&String, &(String, Vec<String>))| {
        options.binary_search(cell).map_or(0, |place| place as u8)
    };
    cells.iter().map(|row| row.iter().zip(choices).map(number).collect()).collect()
}

fn refuse_twice(path: &Path, architectures: &[Vec<u8>], lines: &[u64]) -> Result<(), Error> {
    let mut seen: HashMap<&Vec<u8>, u64> = HashMap::with_capacity(lines.len());
    for (architecture, &line) in architectures.iter().zip(lines) {
        if let Some(before) = seen.insert(architecture, line) {
            return Err(Error::at_line(path, line, format!("makes the same choices as line {before}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, chosen: &[&str], numbers: &[&str]) -> Result<Tried, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        read(file.path(), &owned(chosen), &owned(numbers)).map_err(|error| error.to_string())
    }

    #[test]
    fn one_column_of_signs_becomes_a_choice_per_sign() {
        let found = read_text("arch,acc\n02,1.5\n12,2\n", &["arch"], &["acc"]).unwrap();
        let names: Vec<&str> = found.choices.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            (names, &found.choices[0].1, &found.choices[1].1),
            (vec!["arch.1", "arch.2"], &vec!["0".to_owned(), "1".to_owned()], &vec!["2".to_owned()])
        );
        assert_eq!((found.architectures, found.numbers), (vec![vec![0, 0], vec![1, 0]], vec![vec![1.5, 2.0]]));
    }

    #[test]
    fn several_columns_are_choices_as_they_stand() {
        let found =
            read_text("kernel,depth,acc,flops\n3x3,10,0.5,7\n5x5,2,0.7,9\n", &["kernel", "depth"], &["flops", "acc"])
                .unwrap();
        assert_eq!(found.choices[1].1, ["10", "2"]);
        assert_eq!(
            (found.architectures, found.numbers),
            (vec![vec![0, 0], vec![1, 1]], vec![vec![7.0, 9.0], vec![0.5, 0.7]])
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        let wrong = |text: &str| read_text(text, &["arch"], &["acc"]).unwrap_err();
        assert!(wrong("arch,value\n01,1\n").contains("no column `acc`"));
        let found = wrong("arch,acc\n01,1\n10,high\n");
        assert!(found.contains(":3") || found.contains("line 3"), "{found}");
        assert!(wrong("arch,acc\n01,1\n01,2\n").contains("same choices as line 2"));
        assert!(wrong("arch,acc\n").contains("no rows"));
        assert!(wrong("arch,acc\n01,nan\n").contains("no finite number"));
    }
}
