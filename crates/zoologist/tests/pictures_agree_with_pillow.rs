//! Decoding and resizing against Pillow: `tests/data/make_pictures.py` wrote the files and what Pillow makes of them.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use zoologist::extract::picture::{Rgb, decode};
use zoologist::extract::preprocess::resized;
use zoologist::zoo::preprocessing::{ChannelOrder, Crop, CropRounding, Filter, Layout, Preprocessing, Resize, Size};

type Tested = Result<(), Box<dyn Error>>;

/// Mean and largest difference over all values, in levels of 255.
#[derive(Debug)]
struct Difference {
    mean: f64,
    largest: u8,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pictures")
}

/// The files that have an expected picture beside them.
fn samples() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder())? {
        paths.extend(entry?.path().to_str().and_then(|path| path.strip_suffix(".ppm")).map(PathBuf::from));
    }
    paths.sort();
    Ok(paths)
}

/// Size and pixels of a binary PPM file as Pillow writes it: `P6`, `width height`, `255`, each on a line.
fn read_ppm(path: &Path) -> Result<([u32; 2], Vec<u8>), Box<dyn Error>> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines: Vec<&[u8]> = bytes.splitn(4, |&byte| byte == b'\n').collect();
    let [b"P6", size, b"255", pixels] = lines[..] else { return Err("not as Pillow writes it".into()) };
    let (width, height) = std::str::from_utf8(size)?.split_once(' ').ok_or("no size")?;
    Ok(([width.parse()?, height.parse()?], pixels.to_vec()))
}

fn difference(ours: &Rgb, size: [u32; 2], theirs: &[u8], name: &str) -> Difference {
    assert_eq!([ours.width(), ours.height()], size, "{name}");
    let each: Vec<u8> = ours.pixels().iter().zip(theirs).map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: u32 = each.iter().copied().map(u32::from).sum();
    Difference { mean: f64::from(sum) / each.len() as f64, largest: each.into_iter().max().unwrap_or_default() }
}

fn squash(width: u32, height: u32, filter: Filter) -> Preprocessing {
    Preprocessing {
        resize: Resize::Exact(Size { height, width }),
        filter,
        crop: None,
        scale: 1.0 / 255.0,
        offset: 0.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        channel_order: ChannelOrder::Rgb,
        layout: Layout::Nchw,
    }
}

fn short_edge_and_crop(edge: u32, crop: u32, filter: Filter) -> Preprocessing {
    Preprocessing {
        resize: Resize::ShortestEdge(edge),
        crop: Some(Crop { size: Size { height: crop, width: crop }, rounding: CropRounding::Down }),
        ..squash(1, 1, filter)
    }
}

#[test]
fn every_kind_of_picture_is_decoded_as_pillow_does() -> Tested {
    let samples = samples()?;
    assert!(samples.len() > 50, "{} samples", samples.len());
    for path in samples {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (size, expected) = read_ppm(&folder().join(format!("{name}.ppm")))?;
        let picture = decode(&fs::read(&path)?).map_err(|error| format!("{name}: {error}"))?;
        let found = difference(&picture, size, &expected, &name);
        let agrees = match name.as_str() {
            "cmyk.tif" | "rgb_5_bit.bmp" => found.largest <= 1,
            _ if path.extension().is_some_and(|extension| extension == "jpg") => {
                found.mean <= 0.5 && found.largest <= 4
            }
            _ => found.largest == 0,
        };
        assert!(agrees, "{name}: {found:?}");
    }
    Ok(())
}

#[test]
fn cut_or_changed_files_are_errors_or_pictures_and_never_panics() -> Tested {
    let mut refused = 0;
    for path in samples()? {
        let bytes = fs::read(&path)?;
        // The later frames of an animation are not read.
        let all_is_read = !path.to_string_lossy().contains("animated");
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 150) {
            let cut = decode(&bytes[..at]);
            assert!(cut.is_err() || !all_is_read || bytes.len() - at < 20, "{} cut at {at}", path.display());
            for change in [0x01, 0x80, 0xFF] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                refused += usize::from(decode(&changed).is_err());
            }
        }
    }
    assert!(refused > 0);
    Ok(())
}

#[test]
fn faults_are_named() -> Tested {
    let jpeg = fs::read(folder().join("420.jpg"))?;
    let png = fs::read(folder().join("rgb.png"))?;
    let mut bomb = png.clone();
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let checksum = [0xE3, 0xE6, 0xA7, 0xB4];
    bomb[29..33].copy_from_slice(&checksum);
    let cases: [(&[u8], &str); 6] = [
        (b"", "not a picture of a known format: JPEG, PNG, WebP, BMP, GIF and TIFF are read"),
        (b"<svg></svg>", "not a picture of a known format: JPEG, PNG, WebP, BMP, GIF and TIFF are read"),
        (&jpeg[..400], "cut off after 400 bytes: fetch the file again"),
        (&jpeg[..jpeg.len() - 2], "cut off"),
        (&png[..100], "cut off after 100 bytes: fetch the file again"),
        (&bomb, "65536 x 65536 pixels: more than 89478485, or than 1048576 along one edge, is refused"),
    ];
    for (bytes, expected) in cases {
        let message = decode(bytes).err().ok_or(expected)?.to_string();
        assert!(message.starts_with(expected), "{message}");
    }
    Ok(())
}

#[test]
fn a_picture_is_resized_as_pillow_does() -> Tested {
    let picture = decode(&fs::read(folder().join("rgb.png"))?)?;
    let filters = [
        ("nearest", Filter::Nearest),
        ("bilinear", Filter::Bilinear),
        ("bicubic", Filter::Bicubic),
        ("lanczos", Filter::Lanczos),
    ];
    for (name, filter) in filters {
        let cases = [
            ("wider_and_lower", squash(40, 9, filter)),
            ("narrower_and_higher", squash(11, 30, filter)),
            ("short_edge_13_crop_16", short_edge_and_crop(13, 16, filter)),
        ];
        for (case, how) in cases {
            let file = format!("{name}_{case}.ppm");
            let (size, expected) = read_ppm(&folder().join("resized").join(&file))?;
            let found = difference(&resized(&picture, &how)?, size, &expected, &file);
            assert!(found.largest <= 1 && found.mean < 0.02, "{file}: {found:?}");
        }
    }
    Ok(())
}

#[test]
fn grey_values_become_rgb() {
    let picture = Rgb::from_grey(2, 1, &[7, 9]);
    assert_eq!(picture.as_ref().map(Rgb::pixels), Some(&[7, 7, 7, 9, 9, 9][..]));
    assert_eq!(Rgb::from_grey(2, 2, &[7, 9]), None);
    assert_eq!(Rgb::from_grey(0, 2, &[]), None);
}

/// Photographs and what Pillow makes of them, in a folder with `images/` and `resized/`. It is too large to be kept
/// here: the environment variable names it.
#[test]
fn photographs_of_a_reference_zoo_are_resized_as_pillow_does() -> Tested {
    let Some(zoo) = std::env::var_os("ZOOLOGIST_REFERENCE_ZOO").map(PathBuf::from) else {
        writeln!(std::io::stderr(), "skipped: ZOOLOGIST_REFERENCE_ZOO is not set")?;
        return Ok(());
    };
    for entry in fs::read_dir(zoo.join("resized"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let [picture, rule, size, filter] = name.split('_').collect::<Vec<_>>()[..] else { continue };
        let how = reference_rule(rule, size.parse()?, filter);
        let photograph = decode(&fs::read(zoo.join("images").join(format!("{picture}.png")))?)?;
        let expected = decode(&fs::read(&path)?)?;
        let size = [expected.width(), expected.height()];
        let found = difference(&resized(&photograph, &how)?, size, expected.pixels(), &name);
        assert!(found.largest <= 2 && found.mean < 0.02, "{name}: {found:?}");
    }
    Ok(())
}

fn reference_rule(rule: &str, size: u32, filter: &str) -> Preprocessing {
    let filter = match filter {
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        _ => Filter::Lanczos,
    };
    if rule == "squash" { squash(size, size, filter) } else { short_edge_and_crop(size + 32, size, filter) }
}
