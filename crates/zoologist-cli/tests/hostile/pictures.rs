//! Pictures in a data set of class folders: one odd or bad one among good ones. The network of the tests looks at them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::write::ZlibEncoder;

use crate::common::data;
use crate::judge::{Case, Content, Verdict, try_all};

/// Where the pictures are that Pillow wrote for the decoder's own tests.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../zoologist/tests/data/pictures")
}

fn known(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// A data set of four good pictures and this one.
pub fn among_good(verdict: Verdict, name: &str, file: &str, bytes: impl Into<Vec<u8>>) -> Case {
    let case = Case::file(verdict, name, &format!("data/a/{file}"), bytes);
    let good = |place: &str| (place.to_owned(), Content::Bytes(known("rgb.png")));
    let mut case = with_model(case);
    case.files.extend(["data/a/good.png", "data/a/more.png", "data/b/good.png", "data/b/more.png"].map(good));
    case.subject = file.to_owned();
    case
}

/// The same with a network, whose features of the pictures are asked for.
fn with_model(case: Case) -> Case {
    let network = fs::read(data().join("models/classifier.onnx")).unwrap();
    let settings = r#"{"do_resize": true, "size": {"height": 32, "width": 32}, "do_center_crop": false,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2}"#;
    case.beside("model/onnx/model.onnx", Content::Bytes(network))
        .beside("model/preprocessor_config.json", Content::Bytes(settings.into()))
        .asking(&["extract", "model", "data", "-o", "out.npy", "--runtime", "rten"])
}

/// The same, ranked: only that says what was left out before any model saw it.
fn ranked(case: Case) -> Case {
    case.asking(&["rank", "data", "--zoo", "model", "--runtime", "rten", "--no-baselines"])
}

fn bad(name: &str, file: &str, bytes: impl Into<Vec<u8>>) -> Case {
    among_good(Verdict::InPart, name, file, bytes)
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes(), &kind[..], data, &crc.sum().to_be_bytes()].concat()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PNG of this size, bit depth, colour type and interlacing, with these chunks after its header.
fn png(size: [u32; 2], kind: [u8; 2], interlaced: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let header = [size.map(u32::to_be_bytes).concat(), kind.to_vec(), vec![0, 0, interlaced]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunks.concat(), chunk(b"IEND", &[])].concat()
}

/// Grey pixels of 8 bits: two rows of three.
fn pixels() -> Vec<u8> {
    chunk(b"IDAT", &zlib(&[0, 1, 2, 3, 0, 4, 5, 6]))
}

fn small(chunks: &[Vec<u8>]) -> Vec<u8> {
    png([3, 2], [8, 0], 0, &[chunks.concat(), pixels()])
}

/// Every kind that Pillow wrote, and some that it can't write.
pub fn controls() -> Vec<Case> {
    let mut names: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with(".ppm") && folder().join(name).is_file());
    names.sort();
    let good = |name: &str, file: &str, bytes: Vec<u8>| among_good(Verdict::Accepted, name, file, bytes);
    let mut cases: Vec<Case> = names.iter().map(|name| good(name, name, known(name))).collect();
    cases.extend([
        good("an unknown chunk", "odd.png", small(&[chunk(b"teSt", b"anything")])),
        good(
            "a text that unpacks to 200 MiB",
            "odd.png",
            small(&[chunk(b"zTXt", &[b"a\0\0", &zlib(&vec![b'a'; 200 << 20])[..]].concat())]),
        ),
        good("bytes after the end", "odd.png", [small(&[]), vec![0; 100]].concat()),
        good("one pixel", "odd.png", png([1, 1], [8, 0], 0, &[chunk(b"IDAT", &zlib(&[0, 7]))])),
        good("one row of 60,000", "odd.png", png([60_000, 1], [8, 0], 0, &[chunk(b"IDAT", &zlib(&vec![0; 60_001]))])),
        good("another extension", "png_in_truth.jpg", known("rgb.png")),
        good("interlaced", "odd.png", png([1, 1], [8, 0], 1, &[chunk(b"IDAT", &zlib(&[0, 7]))])),
    ]);
    cases
}

fn damaged_png() -> Vec<Case> {
    let bad = |name: &str, bytes: Vec<u8>| bad(name, "odd.png", bytes);
    let sized = |width, height| png([width, height], [8, 2], 0, &[pixels()]);
    let mut wrong_sum = small(&[]);
    wrong_sum[30] ^= 1;
    let mut long_chunk = small(&[]);
    long_chunk[33..37].copy_from_slice(&u32::MAX.to_be_bytes());
    let whole = known("rgb.png");
    vec![
        bad("empty", vec![]),
        bad("a text", b"no picture at all, but some words".to_vec()),
        bad("magic alone", whole[..8].to_vec()),
        bad("cut in the header", whole[..20].to_vec()),
        bad("cut in the pixels", whole[..whole.len() / 2].to_vec()),
        bad("no pixels", png([3, 2], [8, 0], 0, &[])),
        bad("too few pixels", png([3, 2], [8, 0], 0, &[chunk(b"IDAT", &zlib(&[0, 1]))])),
        bad("no width", sized(0, 5)),
        bad("65,535 x 65,535", sized(65_535, 65_535)),
        bad("the largest size there is", sized(u32::MAX >> 1, u32::MAX >> 1)),
        bad("two million wide", sized(2_000_000, 1)),
        bad("a size whose bytes wrap around", sized(0x8000_0001, 0x8000_0001)),
        bad("an unknown depth", png([3, 2], [3, 0], 0, &[pixels()])),
        bad("an unknown colour", png([3, 2], [8, 5], 0, &[pixels()])),
        bad("no palette", png([3, 2], [8, 3], 0, &[pixels()])),
        bad("a palette that is cut", png([3, 2], [8, 3], 0, &[chunk(b"PLTE", &[1, 2]), pixels()])),
        bad("a wrong checksum", wrong_sum),
        bad("a chunk of 4 GiB", long_chunk),
        bad("pixels that are not packed", png([3, 2], [8, 0], 0, &[chunk(b"IDAT", &[1; 40])])),
        bad("an unknown filter", png([3, 2], [8, 0], 0, &[chunk(b"IDAT", &zlib(&[9, 1, 2, 3, 9, 4, 5, 6]))])),
    ]
}

/// What may be read or not, but must not unpack to what it says.
fn bombs() -> Vec<Case> {
    let packed = zlib(&vec![b'a'; 300 << 20]);
    let any = |name: &str, bytes: Vec<u8>| among_good(Verdict::Any, name, "odd.png", bytes);
    let profile = chunk(b"iCCP", &[b"a\0\0", &packed[..]].concat());
    let international = chunk(b"iTXt", &[b"a\0\x01\0\0\0", &packed[..]].concat());
    let frames = chunk(b"acTL", &[u32::MAX.to_be_bytes(), [0; 4]].concat());
    vec![
        any("a profile that unpacks to 300 MiB", small(&[profile])),
        any("an international text that unpacks to 300 MiB", small(&[international])),
        any("pixels that unpack to 300 MiB", png([3, 2], [8, 0], 0, &[chunk(b"IDAT", &packed)])),
        any("four billion frames", small(&[frames])),
        any("100,000 chunks", small(&vec![chunk(b"teSt", &[]); 100_000])),
    ]
}

fn damaged_jpeg() -> Vec<Case> {
    let whole = known("rgb_as_it_is.jpg");
    let frame = whole.windows(2).position(|pair| matches!(pair, [0xff, 0xc0 | 0xc2])).unwrap();
    let changed = |name: &str, place: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[place..place + bytes.len()].copy_from_slice(bytes);
        bad(name, "odd.jpg", file)
    };
    vec![
        bad("empty", "odd.jpg", ""),
        bad("magic alone", "odd.jpg", &whole[..3]),
        bad("cut", "odd.jpg", &whole[..whole.len() / 2]),
        bad("the end cut", "odd.jpg", &whole[..whole.len() - 2]),
        changed("65,535 x 65,535", frame + 5, &[0xff; 4]),
        changed("no width", frame + 7, &[0, 0]),
        changed("no colours", frame + 9, &[0]),
        changed("12 bits", frame + 4, &[12]),
        changed("a frame that is too short", frame + 2, &[0, 3]),
        bad("tables alone", "odd.jpg", [&whole[..frame], b"\xff\xd9"].concat()),
        bad("only an end", "odd.jpg", b"\xff\xd8\xff\xd9".as_slice()),
    ]
}

fn damaged_others() -> Vec<Case> {
    let (lossless, lossy, animated) = (known("lossless.webp"), known("lossy.webp"), known("animated.webp"));
    let changed = |file: &[u8], place: usize, bytes: &[u8]| {
        let mut file = file.to_vec();
        file[place..place + bytes.len()].copy_from_slice(bytes);
        file
    };
    let (gif, bmp, tiff) = (known("still.gif"), known("rgb.bmp"), known("rgb.tif"));
    vec![
        bad("empty", "odd.webp", ""),
        bad("magic alone", "odd.webp", &lossy[..12]),
        bad("lossy, cut", "odd.webp", &lossy[..lossy.len() / 2]),
        bad("lossless, cut", "odd.webp", &lossless[..lossless.len() / 2]),
        bad("animated, cut", "odd.webp", &animated[..animated.len() / 2]),
        bad("a container of 4 GiB", "odd.webp", changed(&lossy, 4, &[0xff; 4])),
        bad("a chunk of 4 GiB", "odd.webp", changed(&lossy, 16, &[0xff; 4])),
        bad("lossless of the largest size", "odd.webp", changed(&lossless, 21, &[0xff; 4])),
        bad("a canvas of 16 million", "odd.webp", changed(&animated, 24, &[0xff; 6])),
        bad("GIF, cut", "odd.gif", &gif[..gif.len() / 2]),
        bad("GIF of no size", "odd.gif", changed(&gif, 6, &[0; 4])),
        bad("BMP, cut", "odd.bmp", &bmp[..bmp.len() / 2]),
        bad("BMP of the largest size", "odd.bmp", changed(&bmp, 18, &[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f])),
        bad("TIFF, cut", "odd.tif", &tiff[..tiff.len() / 2]),
        bad("TIFF that points nowhere", "odd.tif", changed(&tiff, 4, &[0xff; 4])),
        bad("TIFF that points to itself", "odd.tif", changed(&tiff, 4, &[0, 0, 0, 0])),
        ranked(bad("a pipe", "odd.png", "").replaced(Content::Pipe)),
        ranked(bad("a device", "odd.png", "").replaced(Content::Link("/dev/zero".to_owned()))),
        ranked(bad("a link out", "odd.png", "").replaced(Content::Link("/etc/passwd".to_owned()))),
    ]
}

#[test]
fn odd_pictures_are_accepted() {
    try_all(&controls());
}

#[test]
fn bad_png_is_named_and_skipped() {
    try_all(&damaged_png());
}

#[test]
fn bad_jpeg_is_named_and_skipped() {
    try_all(&damaged_jpeg());
}

#[test]
fn other_bad_pictures_are_named_and_skipped() {
    try_all(&damaged_others());
}

#[test]
fn bombs_do_not_go_off() {
    try_all(&bombs());
}

#[test]
fn a_data_set_of_bad_pictures_alone_is_refused() {
    let alone = |name: &str, bytes: &[u8]| {
        let case = Case::bad(name, "data/a/1.png", bytes).beside("data/b/2.png", Content::Bytes(bytes.to_vec()));
        let mut case = ranked(with_model(case));
        case.subject = "png".to_owned();
        case
    };
    let large = png([65_535, 65_535], [8, 2], 0, &[pixels()]);
    try_all(&[alone("texts", b"no picture"), alone("bombs", &large)]);
}
