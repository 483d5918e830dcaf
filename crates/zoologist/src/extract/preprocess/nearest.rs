//! Nearest neighbour. Pillow adds up the step from pixel to pixel, and its rounding decides where two neighbours are
//! equally near: so it is added up here too.

use super::super::picture::Rgb;
use super::window::Window;

/// The kept part of the resized picture on black; `None` if it has no pixels.
pub(super) fn resample(picture: &Rgb, [across, down]: [Window; 2]) -> Option<Rgb> {
    let columns = sources(across);
    let width = picture.width() as usize;
    let pixels = picture.pixels().as_chunks::<3>().0;
    let mut result = vec![[0; 3]; across.whole as usize * down.whole as usize];
    let rows = result.chunks_exact_mut(across.whole.max(1) as usize).skip(down.margin as usize);
    for (row, source) in rows.zip(sources(down)) {
        let line = &pixels[source * width..][..width];
        for (pixel, &column) in row.iter_mut().skip(across.margin as usize).zip(&columns) {
            *pixel = line[column];
        }
    }
    Rgb::new(across.whole, down.whole, result.into_flattened())
}

/// For each kept pixel of an axis, where it comes from.
fn sources(axis: Window) -> Vec<usize> {
    let last = axis.original as usize - 1;
    std::iter::successors(Some(axis.scale() * 0.5), |at| Some(at + axis.scale()))
        .skip(axis.first as usize)
        .take(axis.kept as usize)
        .map(|at| (at as usize).min(last))
        .collect()
}
