//! On which lines the rows of a CSV file stand, and quotes that were closed too late.
//!
//! The parser `csv` counts the blank lines before a row as its own, counts no lone carriage return, and lets a cell go on
//! after its closing quote. Where that one stands on a later line than the opening one, the opening one was never closed:
//! the quote of a later cell closed it, and the rows between became part of the cell. So the bytes are followed here too.

use std::collections::VecDeque;

use super::files::MOST_COLUMNS;

const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The rows that were read and not yet handed out, and the state after the last byte.
pub(super) struct FollowedRows {
    delimiter: u8,
    state: State,
    /// Bytes that were followed.
    offset: u64,
    line: u64,
    /// Whether the last byte was a carriage return, which ends a line unless a line feed does.
    returned: bool,
    /// The line of the last quote that opened a cell.
    opened: u64,
    /// Delimiters of this row.
    delimiters: usize,
    /// Whether a row had too many of them.
    too_wide: bool,
    /// The first byte of each row, and its lines.
    rows: VecDeque<(u64, Lines)>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// Its first line, from 1.
    pub first: u64,
    /// Its last line.
    pub last: u64,
    /// The line on which a cell of several lines is closed and goes on.
    pub closed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a row.
    Row,
    /// Before another cell.
    Cell,
    /// In a cell without quotes.
    Plain,
    /// In quotes.
    Within,
    /// After a quote that closes a cell, or is the first of two.
    Closed,
}

impl FollowedRows {
    pub fn new(delimiter: u8) -> Self {
        let (state, rows) = (State::Row, VecDeque::new());
        Self { delimiter, state, offset: 0, line: 1, returned: false, opened: 1, delimiters: 0, too_wide: false, rows }
    }

    /// The lines of the first row that begins at this byte or later; what stands before is forgotten.
    pub fn from(&mut self, byte: u64) -> Option<Lines> {
        while self.rows.front().is_some_and(|(begin, _)| *begin < byte) {
            self.rows.pop_front();
        }
        self.rows.front().map(|(_, lines)| *lines)
    }

    /// Whether a row was met that has more than [`MOST_COLUMNS`] cells.
    pub fn too_wide(&self) -> bool {
        self.too_wide
    }

    /// Takes in the next bytes of the file.
    pub fn follow(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let dull = self.dull(rest);
            if dull > 0 {
                self.offset += dull as u64;
                rest = &rest[dull..];
                continue;
            }
            self.take(byte);
            rest = &rest[1..];
        }
    }

    /// How many of the next bytes change nothing, most of them in most files.
    fn dull(&self, bytes: &[u8]) -> usize {
        if !matches!(self.state, State::Plain | State::Within) || self.returned || self.offset < MARK.len() as u64 {
            return 0;
        }
        let tells = |&byte: &u8| byte == b'"' || byte == b'\n' || byte == b'\r' || byte == self.delimiter;
        bytes.iter().position(tells).unwrap_or(bytes.len())
    }

    fn take(&mut self, byte: u8) {
        if self.returned && byte != b'\n' {
            self.line += 1;
        }
        self.returned = byte == b'\r';
        let is_mark = usize::try_from(self.offset).is_ok_and(|offset| MARK.get(offset) == Some(&byte));
        if !is_mark {
            self.step(byte);
        }
        self.offset += 1;
        self.line += u64::from(byte == b'\n');
    }

    fn step(&mut self, byte: u8) {
        let ends = matches!(byte, b'\n' | b'\r') && self.state != State::Within;
        if self.state == State::Row && !ends {
            self.rows.push_back((self.offset, Lines { first: self.line, last: self.line, closed: None }));
            self.delimiters = 0;
        }
        self.state = if ends { State::Row } else { self.within_row(byte) };
        if let Some((_, lines)) = self.rows.back_mut().filter(|_| self.state != State::Row) {
            lines.last = self.line;
        }
    }

    fn within_row(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (State::Within, b'"') => State::Closed,
            (State::Within, _) | (State::Closed, b'"') => State::Within,
            (State::Row | State::Cell, b'"') => {
                self.opened = self.line;
                State::Within
            }
            (_, byte) if byte == self.delimiter => {
                self.delimiters += 1;
                self.too_wide |= self.delimiters >= MOST_COLUMNS;
                State::Cell
            }
            (State::Closed, byte) if byte != b' ' && self.line > self.opened => {
                if let Some((_, lines)) = self.rows.back_mut() {
                    lines.closed.get_or_insert(self.line);
                }
                State::Plain
            }
            _ => State::Plain,
        }
    }
}
