//! What would a Python pickle import? An opcode reader, never an unpickler.
//!
//! A pickle is a program for a small stack machine. It runs foreign code only through things that it imports by module
//! and name. So the reader follows the stack and the memo just closely enough to know which strings name an import,
//! and builds no object. Where the two strings cannot be told, the import counts as unresolved, and unsafe; so does a
//! stream that cannot be read to its end. Names are held against a list of allowed ones, never of forbidden ones.
//!
//! Source: the opcodes of protocols 0 to 5 as `pickletools.py` of CPython documents them, and their effects in
//! `pickle.py`. In doubt the reader is stricter than Python.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// A file with more opcodes is refused.
const MAX_OPCODES: usize = 50_000_000;

/// A pickle with more things on the stack or in the memo is refused.
const MAX_HELD: usize = 1 << 20;

/// A file with more different imports is refused.
const MAX_NAMED: usize = 10_000;

/// Torch's older files begin with five pickles: magic number, protocol, system information, object, storage keys. Raw
/// numbers follow.
const LEADING_PICKLES: usize = 5;

/// What a file of pickles would import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Globals {
    /// Module and name of each import, without repetition.
    pub named: BTreeSet<(String, String)>,
    /// How many imports are not told by the file: a name that is computed, or a code of Python's extension registry.
    pub unresolved: usize,
}

/// The file is no pickle, is cut off, or is beyond the limits. It must count as unsafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The byte from which nothing could be made of it.
    pub at: usize,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "not readable as a pickle from byte {}", self.at)
    }
}

impl std::error::Error for Unreadable {}

/// Lists what a file of one or more pickles, one behind the other, would import.
///
/// Bytes that are no pickle may follow after five pickles, as in the older files of torch. Members of an archive must be
/// unpacked first. Memory is bounded by fixed limits.
///
/// # Errors
///
/// The file is empty, has an unknown opcode, ends early, or is beyond the limits.
pub fn globals(bytes: &[u8]) -> Result<Globals, Unreadable> {
    let mut found = Globals::default();
    let (mut start, mut pickles, mut budget) = (0, 0_usize, MAX_OPCODES);
    while start < bytes.len() || pickles == 0 {
        let mut machine = Machine { bytes, at: start, budget, ..Machine::default() };
        if machine.run().is_none() {
            let raw_numbers = pickles >= LEADING_PICKLES && machine.budget > 0;
            return if raw_numbers { Ok(found) } else { Err(Unreadable { at: machine.at }) };
        }
        found.unresolved = found.unresolved.saturating_add(machine.unresolved);
        found.named.extend(machine.named.iter().map(|&(module, name)| (module.to_owned(), name.to_owned())));
        if found.named.len() > MAX_NAMED {
            return Err(Unreadable { at: machine.at });
        }
        (start, budget, pickles) = (machine.at, machine.budget, pickles.saturating_add(1));
    }
    Ok(found)
}

/// Whether an import can do no more than rebuild tensors and the containers that hold them.
///
/// The list follows torch's `weights_only` unpickler, and adds what numpy's arrays need. Names that load bytes in turn,
/// such as `torch.storage._load_from_bytes`, are not on it. `torch._tensor._rebuild_from_type_v2` calls a function that
/// the pickle hands to it. It is on the list, since that function has to be imported too.
pub fn is_allowed(module: &str, name: &str) -> bool {
    match module {
        "collections" => name == "OrderedDict",
        "torch" => STORAGES.contains(&name) || DTYPES.contains(&name) || ["Size", "Tensor", "device"].contains(&name),
        "torch.cuda" => STORAGES.contains(&name),
        "torch.storage" => ["TypedStorage", "UntypedStorage"].contains(&name),
        "torch._utils" => REBUILDERS.contains(&name),
        "torch._tensor" => name == "_rebuild_from_type_v2",
        "torch.nn.parameter" => name == "Parameter",
        "torch.serialization" => name == "_get_layout",
        "numpy" => ["ndarray", "dtype"].contains(&name),
        "numpy.core.multiarray" | "numpy._core.multiarray" => ["_reconstruct", "scalar"].contains(&name),
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "_codecs" => name == "encode",
        _ => false,
    }
}

const REBUILDERS: [&str; 7] = [
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_sparse_tensor",
    "_rebuild_qtensor",
];

const STORAGES: [&str; 18] = [
    "DoubleStorage",
    "FloatStorage",
    "HalfStorage",
    "BFloat16Storage",
    "LongStorage",
    "IntStorage",
    "ShortStorage",
    "CharStorage",
    "ByteStorage",
    "BoolStorage",
    "ComplexFloatStorage",
    "ComplexDoubleStorage",
    "QUInt8Storage",
    "QInt8Storage",
    "QInt32Storage",
    "QUInt4x2Storage",
    "QUInt2x4Storage",
    "UntypedStorage",
];

const DTYPES: [&str; 23] = [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "complex128",
    "complex64",
    "complex32",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
    "quint8",
    "qint8",
    "qint32",
];

/// What follows an opcode in the stream.
#[derive(Clone, Copy)]
enum Argument {
    /// So many bytes.
    Bytes(usize),
    /// A length of so many bytes, little-endian, and as many bytes as it says.
    Counted(usize),
    /// Bytes up to the end of the line. `GLOBAL` and `INST` have a second line.
    Line,
}

impl Argument {
    fn of(opcode: u8) -> Option<Self> {
        Some(match opcode {
            b'(' | b')' | b'.' | b'0' | b'1' | b'2' | b'N' | b'Q' | b'R' | b']' | b'a' | b'b' | b'd' | b'e' => {
                Self::Bytes(0)
            }
            b'l' | b'o' | b's' | b't' | b'u' | b'}' | 0x81 | 0x85..=0x89 | 0x8f..=0x94 | 0x97 | 0x98 => Self::Bytes(0),
            b'K' | b'h' | b'q' | 0x80 | 0x82 => Self::Bytes(1),
            b'M' | 0x83 => Self::Bytes(2),
            b'J' | b'j' | b'r' | 0x84 => Self::Bytes(4),
            b'G' | 0x95 => Self::Bytes(8),
            b'C' | b'U' | 0x8a | 0x8c => Self::Counted(1),
            b'B' | b'T' | b'X' | 0x8b => Self::Counted(4),
            0x8d | 0x8e | 0x96 => Self::Counted(8),
            b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'c' | b'g' | b'i' | b'p' => Self::Line,
            _ => return None,
        })
    }
}

/// A thing on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item<'a> {
    Mark,
    /// A string that stands in the stream as it is.
    Text(&'a str),
    Other,
}

/// The stack machine of one pickle. `None` from its functions means that the pickle cannot be read on.
#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// End of the frame that was begun last.
    frame_end: usize,
    /// How many opcodes may still be read.
    budget: usize,
    stack: Vec<Item<'a>>,
    memo: HashMap<u64, Item<'a>>,
    named: BTreeSet<(&'a str, &'a str)>,
    unresolved: usize,
}

impl<'a> Machine<'a> {
    /// Reads up to the end of this pickle.
    fn run(&mut self) -> Option<()> {
        loop {
            self.budget = self.budget.checked_sub(1)?;
            let opcode = *self.take(1)?.first()?;
            let argument = self.argument(Argument::of(opcode)?)?;
            if opcode == b'.' {
                self.value()?;
                // Pythons disagree on where the next pickle begins if a frame goes on behind the end of this one.
                return (self.at >= self.frame_end).then_some(());
            }
            self.apply(opcode, argument)?;
            if self.stack.len().max(self.memo.len()) > MAX_HELD || self.named.len() > MAX_NAMED {
                return None;
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// The bytes up to the end of the line, without that end.
    fn line(&mut self) -> Option<&'a [u8]> {
        let length = self.bytes.get(self.at..)?.iter().position(|&byte| byte == b'\n')?;
        let line = self.take(length)?;
        self.take(1)?;
        Some(line)
    }

    fn argument(&mut self, argument: Argument) -> Option<&'a [u8]> {
        match argument {
            Argument::Bytes(length) => self.take(length),
            Argument::Counted(width) => {
                let length = little_endian(self.take(width)?)?;
                self.take(usize::try_from(length).ok()?)
            }
            Argument::Line => self.line(),
        }
    }

    /// The effect of an opcode on the stack. Lists and dictionaries that are filled are taken off and put back.
    fn apply(&mut self, opcode: u8, argument: &'a [u8]) -> Option<()> {
        match opcode {
            b'(' => self.stack.push(Item::Mark),
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d => self.stack.push(text(opcode, argument)),
            b'0' => drop(self.stack.pop()?),
            b'1' => self.pop_to_mark()?,
            b'2' => self.stack.push(self.top()?),
            b'c' | b'i' | 0x93 | 0x82..=0x84 => self.import(opcode, argument)?,
            b'g' | b'h' | b'j' => self.stack.push(*self.memo.get(&key(opcode, argument)?)?),
            b'p' | b'q' | b'r' => drop(self.memo.insert(key(opcode, argument)?, self.top()?)),
            0x94 => drop(self.memo.insert(self.memo.len() as u64, self.top()?)),
            b'd' | b'l' | b'o' | b't' | 0x91 => {
                self.pop_to_mark()?;
                self.replace(0)?;
            }
            b'e' | b'u' | 0x90 => {
                self.pop_to_mark()?;
                self.replace(1)?;
            }
            b'Q' | 0x85 | 0x98 => self.replace(1)?,
            b'R' | b'a' | b'b' | 0x81 | 0x86 => self.replace(2)?,
            b's' | 0x87 | 0x92 => self.replace(3)?,
            0x80 => {}
            0x95 => self.begin_frame(argument)?,
            // What is left makes a number, a truth value, bytes, a persistent object or an empty container.
            _ => self.replace(0)?,
        }
        Some(())
    }

    /// Notes an import and leaves its result on the stack.
    fn import(&mut self, opcode: u8, argument: &'a [u8]) -> Option<()> {
        match opcode {
            b'c' | b'i' => {
                let name = str::from_utf8(self.line()?).ok()?;
                self.named.insert((str::from_utf8(argument).ok()?, name));
            }
            0x93 => {
                let name = self.value()?;
                let module = self.value()?;
                self.import_from_stack(module, name);
            }
            _ => self.unresolved = self.unresolved.saturating_add(1),
        }
        if opcode == b'i' {
            self.pop_to_mark()?;
        }
        self.replace(0)
    }

    fn import_from_stack(&mut self, module: Item<'a>, name: Item<'a>) {
        if let (Item::Text(module), Item::Text(name)) = (module, name) {
            self.named.insert((module, name));
        } else {
            self.unresolved = self.unresolved.saturating_add(1);
        }
    }

    /// Frames only tell readers how much to fetch. One inside another is an error.
    fn begin_frame(&mut self, length: &[u8]) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(little_endian(length)?).ok()?)?;
        let fits = self.at >= self.frame_end && end <= self.bytes.len();
        self.frame_end = end;
        fits.then_some(())
    }

    /// What is on top, which must not be a mark.
    fn top(&self) -> Option<Item<'a>> {
        self.stack.last().copied().filter(|&item| item != Item::Mark)
    }

    fn value(&mut self) -> Option<Item<'a>> {
        self.stack.pop().filter(|&item| item != Item::Mark)
    }

    /// Takes so many values off and puts one of no interest there.
    fn replace(&mut self, values: usize) -> Option<()> {
        for _ in 0..values {
            self.value()?;
        }
        self.stack.push(Item::Other);
        Some(())
    }

    fn pop_to_mark(&mut self) -> Option<()> {
        let mark = self.stack.iter().rposition(|&item| item == Item::Mark)?;
        self.stack.truncate(mark);
        Some(())
    }
}

fn little_endian(bytes: &[u8]) -> Option<u64> {
    let mut wide = [0; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(wide))
}

/// The place in the memo: written out in the opcodes of protocol 0, else binary.
fn key(opcode: u8, argument: &[u8]) -> Option<u64> {
    match opcode {
        b'g' | b'p' => str::from_utf8(argument).ok()?.parse().ok(),
        _ => little_endian(argument),
    }
}

/// The string of an opcode. One with escapes, or that is not UTF-8, is not worked out: no allowed name needs it.
fn text(opcode: u8, argument: &[u8]) -> Item<'_> {
    let content = if opcode == b'S' { unquoted(argument) } else { argument };
    let escaped = matches!(opcode, b'S' | b'V') && content.contains(&b'\\');
    str::from_utf8(content).ok().filter(|_| !escaped).map_or(Item::Other, Item::Text)
}

fn unquoted(quoted: &[u8]) -> &[u8] {
    match quoted {
        [b'\'', content @ .., b'\''] | [b'"', content @ .., b'"'] => content,
        _ => quoted,
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test may panic")]
mod tests {
    use super::*;

    fn named(bytes: &[u8]) -> Vec<(String, String)> {
        let found = globals(bytes).unwrap();
        assert_eq!(found.unresolved, 0);
        found.named.into_iter().collect()
    }

    fn pair(module: &str, name: &str) -> (String, String) {
        (module.to_owned(), name.to_owned())
    }

    /// Written by `pickle.dumps(OrderedDict(a=[1, 2.5], b=("x", b"y")), protocol)` of CPython 3.
    #[test]
    fn dictionaries_of_several_protocols_import_their_class() {
        let streams: [&[u8]; 3] = [b"ccollections\nOrderedDict\np0\n(tRp1\nVa\np2\n(lp3\nI1\naF2.5\nasVb\np4\n(Vx\np5\nc_codecs\nencode\np6\n(Vy\np7\nVlatin1\np8\ntp9\nRp10\ntp11\ns.", b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00aq\x02]q\x03(K\x01G@\x04\x00\x00\x00\x00\x00\x00eX\x01\x00\x00\x00bq\x04X\x01\x00\x00\x00xq\x05c_codecs\nencode\nq\x06X\x01\x00\x00\x00yq\x07X\x06\x00\x00\x00latin1q\x08\x86q\x09Rq\n\x86q\x0bu.", b"\x80\x04\x95E\x00\x00\x00\x00\x00\x00\x00\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94(\x8c\x01a\x94]\x94(K\x01G@\x04\x00\x00\x00\x00\x00\x00e\x8c\x01b\x94\x8c\x01x\x94C\x01y\x94\x86\x94u."];
        for stream in streams {
            let found = named(stream);
            assert!(found.contains(&pair("collections", "OrderedDict")), "{found:?}");
            assert!(found.iter().all(|(module, name)| is_allowed(module, name)), "{found:?}");
            assert!((0..stream.len()).all(|end| globals(&stream[..end]).is_err()));
        }
    }

    #[test]
    fn names_are_found_through_the_memo_and_below_marks() {
        let through_memo = b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94(h\x00h\x01\x930h\x00h\x01\x93\x8c\x02ls\x85R1N.";
        assert_eq!(named(through_memo), [pair("os", "system")]);
        assert_eq!(named(b"(S'ls'\nios\nsystem\n."), [pair("os", "system")]);
        assert_eq!(named(b"(cos\nsystem\nS'ls'\no."), [pair("os", "system")]);
        assert!(!is_allowed("os", "system"));
    }

    #[test]
    fn names_that_are_computed_or_registered_are_unresolved() {
        let computed = b"\x80\x04\x8c\x02os\x8c\x01xN\x86\x93.";
        let escaped = b"\x80\x04Vo\\u0073\nVsystem\n\x93.";
        let registered = b"\x80\x02\x82\x07.";
        for stream in [&computed[..], &escaped[..], &registered[..]] {
            assert_eq!(globals(stream).unwrap().unresolved, 1);
        }
    }

    #[test]
    fn raw_numbers_may_follow_five_pickles_only() {
        let mut stream = b"K\x01.".repeat(4);
        stream.extend_from_slice(b"ctorch\nFloatStorage\n.");
        stream.extend_from_slice(&[0xff; 16]);
        assert_eq!(named(&stream), [pair("torch", "FloatStorage")]);
        assert_eq!(globals(&stream[3..]), Err(Unreadable { at: stream.len() - 3 - 15 }));
    }

    #[test]
    fn streams_that_no_python_reads_are_refused() {
        let beyond_end: &[u8] = b"\x80\x04X\xff\xff\xff\xffab.";
        let mark_as_value: &[u8] = b"((\x93.";
        let missing_memo: &[u8] = b"h\x05.";
        let frame_behind_stop: &[u8] = b"\x80\x04\x95\x03\0\0\0\0\0\0\0N.N";
        let unbalanced: &[u8] = b"t.";
        for stream in [b"", beyond_end, mark_as_value, missing_memo, frame_behind_stop, unbalanced, b"."] {
            assert!(globals(stream).is_err(), "{stream:?}");
        }
    }

    #[test]
    fn loaders_of_bytes_and_longer_names_are_not_allowed() {
        assert!(is_allowed("torch._utils", "_rebuild_tensor_v2") && is_allowed("torch", "float32"));
        assert!(!is_allowed("torch.storage", "_load_from_bytes") && !is_allowed("torch", "load"));
        assert!(!is_allowed("torch", "os.system.FloatStorage") && !is_allowed("collections", "OrderedDict.fromkeys"));
    }
}
