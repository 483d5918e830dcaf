//! Whether a JPEG file reaches its end marker. The decoder fills what is missing with grey and says nothing, so a
//! file that was cut off has to be told by its markers (ITU T.81, annex B).

const END_OF_IMAGE: u8 = 0xD9;

/// Whether the markers lead to "end of image".
pub(super) fn is_reached(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(marker) = next_marker(&mut rest) {
        let skipped = match marker {
            END_OF_IMAGE => return true,
            // Padding: the second 0xFF may begin a marker itself.
            0xFF => Some(rest),
            // Stuffing in the coded data, restarts and the start of the image have no length.
            0x00 | 0x01 | 0xD0..=0xD8 => rest.get(1..),
            _ => after_segment(rest),
        };
        rest = skipped.unwrap_or_default();
    }
    false
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
