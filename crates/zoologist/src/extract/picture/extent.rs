//! How far a picture reaches in its file, where the decoder would not notice that something is missing.
//!
//! The JPEG decoder fills a missing end with grey and says nothing; the WebP decoder sets aside as much memory as a
//! chunk announces, up to 4 GiB, before it reads it. So both files are first followed to their end by their own
//! lengths. What stands behind that end is nobody's concern. And the PNG decoder unpacks profiles of colour, which nobody
//! asks for, to hundreds of megabytes.

use std::borrow::Cow;

const JPEG_END_OF_IMAGE: u8 = 0xD9;
const PNG_SIGNATURE: usize = 8;
/// Length, kind and checksum of a chunk.
const PNG_AROUND: usize = 12;
/// Chunks of a PNG that unpack to any size, and say nothing of its pixels.
const PACKED: [[u8; 4]; 3] = [*b"iCCP", *b"zTXt", *b"iTXt"];
const RIFF_HEADER: usize = 12;
const CHUNK_HEADER: usize = 8;
const FRAME_HEADER: usize = 16;

/// The part of a JPEG file up to its end-of-image marker (ITU T.81, annex B); `None` if it is cut off before.
pub(super) fn of_jpeg(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let marker = next_marker(&mut rest)?;
        rest = match marker {
            JPEG_END_OF_IMAGE => return bytes.get(..bytes.len() - rest.len() + 1),
            // Padding: the second 0xFF may begin a marker itself.
            0xFF => rest,
            // Stuffing in the coded data, restarts and the start of the image have no length.
            0x00 | 0x01 | 0xD0..=0xD8 => rest.get(1..)?,
            _ => after_segment(rest)?,
        };
    }
}

/// Moves behind the next 0xFF and gives the byte that stands there.
fn next_marker(rest: &mut &[u8]) -> Option<u8> {
    let at = rest.iter().position(|&byte| byte == 0xFF)?;
    *rest = rest.get(at + 1..)?;
    rest.first().copied()
}

/// What follows a marker and its segment, whose first two bytes give its length, themselves included.
fn after_segment(from_marker: &[u8]) -> Option<&[u8]> {
    let length = u16::from_be_bytes([*from_marker.get(1)?, *from_marker.get(2)?]);
    from_marker.get(1 + usize::from(length)..)
}

/// A PNG file without its packed profiles and texts (PNG specification, section 5.3: length, kind, data, checksum); what
/// breaks the rules stays as it is.
pub(super) fn of_png(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut kept, mut from, mut place) = (vec![], 0, PNG_SIGNATURE);
    while let Some((kind, size)) = png_chunk(bytes, place).filter(|(kind, _)| kind != b"IDAT") {
        if PACKED.contains(&kind) {
            kept.extend_from_slice(bytes.get(from..place).unwrap_or_default());
            from = place + size;
        }
        place += size;
    }
    if from == 0 {
        return Cow::Borrowed(bytes);
    }
    kept.extend_from_slice(bytes.get(from..).unwrap_or_default());
    Cow::Owned(kept)
}

/// The kind of the chunk at this place, and how many bytes it takes, if it is whole.
fn png_chunk(bytes: &[u8], place: usize) -> Option<([u8; 4], usize)> {
    let chunk = bytes.get(place..)?;
    let (length, kind) = (u32::from_be_bytes(*chunk.first_chunk()?), *chunk.get(4..)?.first_chunk()?);
    let size = usize::try_from(length).ok()?.checked_add(PNG_AROUND)?;
    (size <= chunk.len()).then_some((kind, size))
}

/// The RIFF container of a WebP file, all of whose chunks lie within it (RFC 9649, section 2.3); `None` if one
/// announces more bytes than there are.
pub(super) fn of_webp(bytes: &[u8]) -> Option<&[u8]> {
    let container = bytes.get(..CHUNK_HEADER.checked_add(announced_size(bytes)?)?)?;
    chunks_fit(container.get(RIFF_HEADER..)?).then_some(container)
}

/// Whether chunks follow each other without running over the end; a frame of an animation holds chunks itself.
fn chunks_fit(mut rest: &[u8]) -> bool {
    while let Some(size) = announced_size(rest) {
        let Some(content) = rest.get(CHUNK_HEADER..).and_then(|behind| behind.get(..size)) else { return false };
        if rest.starts_with(b"ANMF") && !chunks_fit(content.get(FRAME_HEADER..).unwrap_or_default()) {
            return false;
        }
        // Chunks are padded to an even length.
        rest = rest.get(CHUNK_HEADER + size + size % 2..).unwrap_or_default();
    }
    true
}

/// The size that a chunk header (a name of four bytes, then the size) announces, if there is one.
fn announced_size(chunk: &[u8]) -> Option<usize> {
    let size = chunk.get(4..CHUNK_HEADER)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*size)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jpeg_reaches_to_the_marker_that_no_segment_and_no_stuffing_hides() {
        let start = [0xFF, 0xD8];
        let comment_with_an_end_in_it = [0xFF, 0xFE, 0, 4, 0xFF, 0xD9];
        let coded = [1, 0xFF, 0x00, 2, 0xFF, 0xD0, 3];
        let end = [0xFF, 0xFF, 0xD9];
        let whole = [&start[..], &comment_with_an_end_in_it, &coded, &end].concat();
        let with_more = [&whole[..], b"more"].concat();
        assert_eq!(of_jpeg(&with_more), Some(&whole[..]));
        for length in 0..whole.len() {
            assert_eq!(of_jpeg(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_png_loses_what_is_packed_before_its_pixels_and_nothing_else() {
        let chunk =
            |kind: &[u8; 4], data: &[u8]| [&(data.len() as u32).to_be_bytes(), &kind[..], data, b"sum!"].concat();
        let (start, pixels) = ([&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", b"size")].concat(), chunk(b"IDAT", b"iCCP"));
        let whole =
            [&start[..], &chunk(b"iCCP", b"abc"), &chunk(b"eXIf", b""), &chunk(b"iTXt", b"d"), &pixels].concat();
        assert_eq!(of_png(&whole), [&start[..], &chunk(b"eXIf", b""), &pixels].concat());
        for odd in [&whole[..4], &whole[..whole.len() - 5], &[&start[..], &[0xff; 20]].concat()] {
            assert!(odd.starts_with(&of_png(odd)[..8.min(odd.len())]));
        }
        assert!(matches!(of_png(&[start, pixels].concat()), Cow::Borrowed(_)));
    }

    #[test]
    fn a_webp_whose_chunk_announces_too_much_is_not_whole() {
        let file = |riff: u32, chunk: u32| {
            [&b"RIFF"[..], &riff.to_le_bytes(), b"WEBPEXIF", &chunk.to_le_bytes(), b"abc\0", b"more"].concat()
        };
        assert_eq!(of_webp(&file(16, 3)), Some(&file(16, 3)[..24]));
        for (riff, chunk) in [(16, 5), (16, u32::MAX), (40, 3), (u32::MAX, 3)] {
            assert_eq!(of_webp(&file(riff, chunk)), None, "{riff} {chunk}");
        }
        let frame =
            |inner: u32| [&b"ANMF"[..], &24_u32.to_le_bytes(), &[0; 16], b"EXIF", &inner.to_le_bytes()].concat();
        assert!(chunks_fit(&frame(0)) && !chunks_fit(&frame(1)));
    }
}
