//! CSV and TSV: tables of texts, and labels alone.

use crate::judge::{Case, Content, try_all};

const FILE: &str = "table.csv";

fn bad(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::bad(name, FILE, bytes)
}

fn good(name: &str, bytes: impl Into<Vec<u8>>) -> Case {
    Case::good(name, FILE, bytes)
}

/// A table of texts and two classes, with these rows at its end.
pub fn table(separator: &str, rows: &[u8]) -> Vec<u8> {
    let lines = ["text", "a good day", "a bad day", "a long night", "one more day"];
    let labels = ["label", "yes", "no", "no", "yes"];
    let lines = lines.iter().zip(labels).map(|(text, label)| format!("{text}{separator}{label}\n"));
    [lines.collect::<String>().as_bytes(), rows].concat()
}

fn with(rows: impl AsRef<[u8]>) -> Vec<u8> {
    table(",", rows.as_ref())
}

/// A row of so many cells.
fn wide(cells: usize, cell: &str) -> String {
    format!("{}\n", vec![cell; cells].join(","))
}

/// Texts, labels and 2,000 columns of numbers.
fn many_columns() -> String {
    let line = |text: &str, label: &str, cell: &dyn Fn(usize) -> String| {
        let cells: Vec<String> = (0..2000).map(cell).collect();
        format!("{text},{label},{}\n", cells.join(","))
    };
    let number = |column| format!("{column}.5");
    let rows = [line("a day", "yes", &number), line("a night", "no", &number)].concat();
    line("text", "label", &|column| format!("c{column}")) + &rows
}

pub fn controls() -> Vec<Case> {
    vec![
        good("plain", with("")),
        good("a mark of the byte order", [b"\xef\xbb\xbf".to_vec(), with("")].concat()),
        good("line ends of Windows", String::from_utf8(with("")).unwrap().replace('\n', "\r\n")),
        good("line ends of old Macs", String::from_utf8(with("")).unwrap().replace('\n', "\r")),
        good("no line end at the end", with("last,yes")),
        good("blank lines", with("\n\nlast,yes\n\n\n")),
        good("quotes with line breaks and quotes", with("\"a\nb \"\"c\"\", d\",\"yes\"\n")),
        good("labels in Unicode", with("text,день\ntext,été\ntext,👍\ntext,ي\n")),
        good("control characters", with("te\u{1b}[2Jxt,la\u{1b}]0;x\u{7}bel\nte\0xt,\0label\n")),
        good("empty cells", with(",yes\ntext,\n,\n")),
        good("spaces around labels", with("text, yes \n")),
        good("a column without a name", "text,label,\na day,yes,1\na night,no,2\nmorning,yes,3\n"),
        good("one long text", with(format!("{},yes\n", "word ".repeat(1 << 18)))),
        good("numbers that are missing", "text,label\na,0.5\nb,nan\nc,0.75\nd,inf\ne,1.5\nf,-Infinity\n"),
        good("classes that are missing", "text,label\na b,0\nb c,NaN\nc d,1\nd e,1\n"),
        good("many columns", many_columns()),
        Case::good("tabs", "table.tsv", table("\t", b"a \"quoted\" word\tyes\n")),
        Case::good("labels alone", "labels.csv", "label\na\nb\na\n"),
        Case::good("labels without a name", "labels.csv", "1\n2\n1\n"),
        Case::good("labels in lines", "labels.txt", "\u{feff}a\r\nb\r\na\n\n"),
    ]
}

fn damaged() -> Vec<Case> {
    vec![
        bad("empty", ""),
        bad("a heading alone", "text,label\n"),
        bad("a mark of the byte order alone", b"\xef\xbb\xbf".as_slice()),
        bad("zeros", vec![0; 4096]),
        bad("not UTF-8", with(b"caf\xe9,yes\n")),
        bad("not UTF-8 in a label", with(b"text,\xff\xfe\n")),
        bad("not UTF-8 in the heading", b"text,lab\xffel\na,b\nc,d\n".as_slice()),
        bad(
            "UTF-16",
            String::from_utf8(with("")).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        ),
        bad("a quote that is never closed", with("\"open,yes\nmore,no\n")),
        bad("a quote that a later row closes", with("\"open,yes\nmore,\"no\"\n")),
        bad("too few cells", with("text\n")),
        bad("too many cells", with("text,yes,no\n")),
        bad("a column twice", "text,label,label\na b,c,d\ne f,g,h\n"),
        bad("one class", "text,label\na b,c\nd e,c\n"),
        bad("no labels at all", "text,label\na b,\nc d,\n"),
        bad("a row that is too long", with(format!("{},yes\n", "x".repeat(17 << 20)))),
        bad("a row that never ends", vec![b'x'; 40 << 20]),
        bad("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xff".as_slice()),
    ]
}

fn greedy() -> Vec<Case> {
    vec![
        bad("a heading of four million columns", ",".repeat(4_000_000)),
        bad("rows of four million columns", [wide(1_000_000, "x"), wide(1_000_000, "y")].concat()),
        bad("eight million quoted columns", "\"\",".repeat(4_000_000)),
        Case::bad("labels of four million columns", "labels.csv", wide(2_000_000, "1").repeat(3)),
        Case::bad("one endless line of labels", "labels.txt", vec![b'x'; 300 << 20]),
        Case::bad("a wide table of tabs", "table.tsv", "\t".repeat(8_000_000)),
    ]
}

fn elsewhere() -> Vec<Case> {
    let place = |name: &str, content| bad(name, "").replaced(content);
    vec![
        place("a pipe", Content::Pipe),
        place("a folder", Content::Folder),
        place("a device", Content::Link("/dev/zero".to_owned())),
        place("a link to nothing", Content::Link("gone".to_owned())),
        place("a link to itself", Content::Link(FILE.to_owned())),
        bad("a path that climbs", "file_name,label\n../up.png,a\n../up.png,b\n"),
        bad("a path from the root", "file_name,label\n/etc/passwd.png,a\n/etc/passwd.png,b\n"),
    ]
}

#[test]
fn odd_tables_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_tables_are_refused() {
    try_all(&damaged());
}

#[test]
fn tables_that_would_eat_memory_are_refused() {
    try_all(&greedy());
}

#[test]
fn what_is_no_table_is_refused() {
    try_all(&elsewhere());
}
