//! Horizontal bars with whiskers, as one SVG element to be put into a page.
//!
//! One row per bar, so the picture grows with their number and labels never meet. The picture holds no address,
//! style or script; its few colours are named here so that a page can replace them (dark mode, print).

use std::ops::Range;

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor, TextStyle};

/// Why a picture could not be drawn; writing to a text can't fail, so this is a fault of ours.
pub type Fault = DrawingAreaErrorKind<std::io::Error>;

/// Text, whiskers and the line where the bars begin.
pub const INK: RGBColor = RGBColor(0x1C, 0x25, 0x30);
/// Text that matters less.
pub const MUTED: RGBColor = RGBColor(0x5C, 0x68, 0x75);
/// Lines behind the bars.
pub const GRID: RGBColor = RGBColor(0xE4, 0xE8, 0xED);
/// Bars of models.
pub const MODEL: RGBColor = RGBColor(0x2F, 0x6F, 0xB7);
/// Bars of baselines.
pub const BASELINE: RGBColor = RGBColor(0xC9, 0xB0, 0x7A);

/// Every colour of a picture, by name, as a page writes it.
pub fn colours() -> [(&'static str, String); 5] {
    let colours = [("ink", INK), ("muted", MUTED), ("grid", GRID), ("model", MODEL), ("baseline", BASELINE)];
    colours.map(|(name, colour)| (name, hexadecimal(colour)))
}

fn hexadecimal(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

const WIDTH: u32 = 920;
const LABELS: u32 = 232;
const LABELS_END: i32 = 222;
const VALUES: u32 = 72;
const ROW: u32 = 28;
const AXIS: u32 = 44;
const TOP: u32 = 6;
const HALF_ROW: i32 = 14;
const HALF_BAR: i32 = 8;
const HALF_CAP: i32 = 4;
const LETTERS: usize = 30;
const TICKS: usize = 8;
/// Beyond this a number is written, not drawn: pixels are whole numbers, and ticks must stay apart.
const LARGEST: f64 = 1e12;

/// One bar.
pub struct Bar {
    /// What stands to its left.
    pub label: String,
    /// Whether it belongs to a baseline.
    pub baseline: bool,
    /// Where it ends; `None` if there is nothing to draw.
    pub end: Option<f64>,
    /// The ends of its whisker.
    pub whisker: Option<[f64; 2]>,
    /// What stands to its right.
    pub text: String,
}

/// The pixels of one bar.
struct Place {
    /// The bar's middle.
    y: i32,
    /// Where every bar begins.
    origin: i32,
    /// Where it ends.
    end: Option<i32>,
    whisker: Option<[i32; 2]>,
}

/// The bars, from the top, on one axis that is called `title`; they begin at `origin`.
pub fn bars(title: &str, origin: f64, bars: &[Bar]) -> Result<String, Fault> {
    let mut svg = String::new();
    let height = TOP + ROW * bars.len() as u32 + AXIS;
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let places = draw_axis(&area, title, origin, bars)?;
    for (bar, place) in bars.iter().zip(&places) {
        draw_bar(&area, bar, place)?;
    }
    area.present()?;
    drop(area);
    Ok(embedded(&svg))
}

/// A picture as a part of a page: within HTML an SVG element needs no namespace, and so the page holds no address at all.
pub fn embedded(svg: &str) -> String {
    svg.replacen(" xmlns=\"http://www.w3.org/2000/svg\"", " aria-hidden=\"true\"", 1)
}

/// Draws the axis and says where the bars are.
fn draw_axis(
    area: &DrawingArea<SVGBackend, Shift>,
    title: &str,
    origin: f64,
    bars: &[Bar],
) -> Result<Vec<Place>, Fault> {
    let range = range(origin, bars);
    let decimals = decimals(&range);
    let mut chart = ChartBuilder::on(area)
        .margin_top(TOP)
        .margin_right(VALUES)
        .y_label_area_size(LABELS)
        .x_label_area_size(AXIS)
        .build_cartesian_2d(range, bars.len() as f64..0.0)?;
    chart
        .configure_mesh()
        .disable_y_axis()
        .disable_y_mesh()
        .x_labels(TICKS)
        .x_label_formatter(&|value| tick(*value, decimals))
        .x_desc(title)
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(RGBColor(0, 0, 0).mix(0.0))
        .label_style(text(14, MUTED))
        .axis_desc_style(text(16, INK))
        .draw()?;
    let x = |value: f64| chart.backend_coord(&(value, 0.0)).0;
    let place = |(row, bar): (usize, &Bar)| Place {
        y: chart.backend_coord(&(origin, row as f64 + 0.5)).1,
        origin: x(origin),
        end: bar.end.filter(|&end| drawable(end)).map(x),
        whisker: bar.whisker.filter(|ends| ends.iter().all(|&end| drawable(end))).map(|ends| ends.map(x)),
    };
    Ok(bars.iter().enumerate().map(place).collect())
}

fn draw_bar(area: &DrawingArea<SVGBackend, Shift>, bar: &Bar, place: &Place) -> Result<(), Fault> {
    let &Place { y, origin, end, whisker } = place;
    let line = |from, to, colour: RGBColor| area.draw(&PathElement::new([from, to], colour.stroke_width(1)));
    if let Some(end) = end {
        let colour = if bar.baseline { BASELINE } else { MODEL };
        area.draw(&Rectangle::new(
            [(origin.min(end), y - HALF_BAR), (origin.max(end), y + HALF_BAR)],
            colour.filled(),
        ))?;
    }
    if let Some([low, high]) = whisker {
        line((low, y), (high, y), INK)?;
        line((low, y - HALF_CAP), (low, y + HALF_CAP), INK)?;
        line((high, y - HALF_CAP), (high, y + HALF_CAP), INK)?;
    }
    line((origin, y - HALF_ROW), (origin, y + HALF_ROW), INK)?;
    let right = [Some(origin), end, whisker.map(|[_, high]| high)].into_iter().flatten().max().unwrap_or(origin);
    let label_style = text(16, if bar.baseline { MUTED } else { INK }).pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new(shorten(&bar.label), (LABELS_END, y), label_style))?;
    area.draw(&Text::new(bar.text.clone(), (right + 8, y), text(15, INK).pos(Pos::new(HPos::Left, VPos::Center))))
}

/// Letters of a size and a colour.
pub fn text(size: u32, colour: RGBColor) -> TextStyle<'static> {
    TextStyle { color: colour.to_backend_color(), ..TextStyle::from(("sans-serif", size)) }
}

fn drawable(value: f64) -> bool {
    value.abs() < LARGEST
}

/// The span of the axis: the origin and every bar and whisker, with a little air where something ends.
fn range(origin: f64, bars: &[Bar]) -> Range<f64> {
    let ends = bars.iter().flat_map(|bar| bar.end.into_iter().chain(bar.whisker.into_iter().flatten()));
    let drawn = ends.filter(|&end| drawable(end));
    let (low, high) = drawn.fold((origin, origin), |(low, high), end| (low.min(end), high.max(end)));
    let smallest = (1e-6 * low.abs().max(high.abs())).max(1e-6);
    let air = 0.02 * (high - low).max(smallest);
    let left = if low < origin { low - air } else { low };
    left..high + air.max(smallest)
}

/// How many decimals tell two ticks apart.
fn decimals(range: &Range<f64>) -> usize {
    let step = (range.end - range.start) / TICKS as f64;
    (-step.log10()).ceil().clamp(0.0, 9.0) as usize
}

/// A tick's label; a zero that rounding made negative is 0 again.
fn tick(value: f64, decimals: usize) -> String {
    let label = format!("{value:.decimals$}");
    let is_zero = label.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if is_zero { "0".to_owned() } else { label }
}

/// A label that fits: at most [`LETTERS`] letters, where a letter beyond ASCII counts for two.
fn shorten(label: &str) -> String {
    let width = |letter: char| if letter.is_ascii() { 1 } else { 2 };
    if label.chars().map(width).sum::<usize>() <= LETTERS {
        return label.to_owned();
    }
    let mut used = 0;
    let fits = |letter: &char| {
        used += width(*letter);
        used < LETTERS
    };
    label.chars().take_while(fits).collect::<String>() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, end: f64) -> Bar {
        let whisker = Some([end - 0.01, end + 0.01]);
        Bar { label: label.to_owned(), baseline: false, end: Some(end), whisker, text: "value".to_owned() }
    }

    /// The values of an attribute over all elements of that name.
    fn attributes<'a>(svg: &'a str, element: &str, attribute: &str) -> Vec<&'a str> {
        let start = format!("<{element} ");
        let attribute = format!(" {attribute}=\"");
        let tags = svg.split('<').filter(|tag| tag.starts_with(&start[1..]));
        tags.filter_map(|tag| tag.split_once(&attribute)?.1.split('"').next()).collect()
    }

    #[test]
    fn a_hostile_label_stays_text() {
        let svg =
            bars("</text><script>", 0.0, &[bar("<script>alert(1)</script>", 1.0), bar("\"onload=\"x", 1.0)]).unwrap();
        assert!(!svg.contains("<script"));
        assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && svg.contains("&quot;onload="));
    }

    #[test]
    fn a_hundred_bars_stand_apart_within_the_picture() {
        let many: Vec<Bar> = (0..100).map(|place| bar(&format!("model {place}"), f64::from(place))).collect();
        let svg = bars("score", 0.0, &many).unwrap();
        let tops: Vec<i32> = attributes(&svg, "rect", "y").iter().map(|y| y.parse().unwrap()).collect();
        assert_eq!(tops.len(), 100);
        assert!(tops.windows(2).all(|pair| pair[1] - pair[0] > 2 * HALF_BAR));
        let height: i32 = attributes(&svg, "svg", "height")[0].parse().unwrap();
        assert!(tops[99] + 2 * HALF_BAR < height);
    }

    #[test]
    fn bars_begin_at_the_origin_and_their_length_is_the_distance_from_it() {
        let svg = bars("score", -1.0, &[bar("a", -0.5), bar("b", 0.0), bar("c", 1.0)]).unwrap();
        assert!(attributes(&svg, "rect", "x").windows(2).all(|pair| pair[0] == pair[1]));
        let widths: Vec<f64> = attributes(&svg, "rect", "width").iter().map(|width| width.parse().unwrap()).collect();
        assert!((widths[1] / widths[0] - 2.0).abs() < 0.03 && (widths[2] / widths[0] - 4.0).abs() < 0.03, "{widths:?}");
    }

    #[test]
    fn values_that_no_axis_holds_are_written_and_not_drawn() {
        for end in [f64::NAN, f64::INFINITY, -1e300] {
            let svg = bars("score", 0.0, &[bar("wild", end), bar("tame", 1.0)]).unwrap();
            assert_eq!(attributes(&svg, "rect", "x").len(), 1);
            assert!(svg.contains("wild"));
        }
    }

    #[test]
    fn any_range_has_an_axis() {
        let cases = [(0.0, 0.0), (1e11, 1e11), (-1e11, 1e-9), (0.25, 0.25 + 1e-15), (1e-12, 2e-12), (-9e11, 9e11)];
        for (origin, end) in cases {
            let svg = bars("score", origin, &[Bar { whisker: None, ..bar("one", end) }]).unwrap();
            assert!(svg.contains("value</text>") || svg.contains("value\n</text>"), "{origin} {end}");
            assert!(attributes(&svg, "text", "x").len() > 3, "{origin} {end}: no ticks");
        }
        assert!(bars("score", 0.0, &[]).is_ok());
    }

    #[test]
    fn a_long_name_is_cut_with_an_ellipsis() {
        let cases = [
            ("short", "short"),
            ("exactly-thirty-letters-long-ok", "exactly-thirty-letters-long-ok"),
            ("exactly-thirty-one-letters-long", "exactly-thirty-one-letters-lo…"),
            ("模型模型模型模型模型模型模型模型", "模型模型模型模型模型模型模型…"),
        ];
        for (label, cut) in cases {
            assert_eq!(shorten(label), cut);
        }
    }

    #[test]
    fn ticks_have_the_decimals_they_need_and_no_negative_zero() {
        assert_eq!(decimals(&(0.0..0.8)), 1);
        assert_eq!(decimals(&(0.0..80.0)), 0);
        assert_eq!(tick(-1e-17, 2), "0");
        assert_eq!(tick(-0.2, 2), "-0.20");
    }
}
