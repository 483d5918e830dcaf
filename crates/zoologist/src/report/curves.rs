//! Curves over depth, as one SVG element to be put into a page; see [`super::chart`] for what such a picture may hold.

use plotters::backend::SVGBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, DashedPathElement, PathElement, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

use super::chart::{BASELINE, Fault, GRID, INK, MODEL, MUTED, embedded, text};

const WIDTH: u32 = 920;
const PLOT: u32 = 320;
const MARGIN: u32 = 12;
const LABELS: i32 = 64;
const AXIS: u32 = 44;
/// Height of a line of the legend.
const LINE: i32 = 22;
/// Length of a dash and of the gap after it.
const DASH: [u32; 2] = [6, 5];
const COLOURS: [RGBColor; 3] = [MODEL, BASELINE, MUTED];

/// One curve.
pub struct Curve {
    /// What it is called.
    pub name: String,
    /// Whether it is that of the probes, which is drawn apart from those of trainings.
    pub is_probe: bool,
    /// Its points, from the left.
    pub points: Vec<Point>,
}

/// One point.
pub struct Point {
    /// Where it stands.
    pub x: f64,
    /// Its value.
    pub y: f64,
    /// The ends of its whisker.
    pub whisker: Option<[f64; 2]>,
}

/// The curves in one frame, `axes` being what the two are called; a legend above.
pub fn curves([across, up]: [&str; 2], curves: &[Curve]) -> Result<String, Fault> {
    let mut svg = String::new();
    let legend = (0..curves.len()).map(|_| LINE).sum::<i32>();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, legend.unsigned_abs() + PLOT)).into_drawing_area();
    for ((number, curve), line) in curves.iter().enumerate().zip(0..) {
        draw_name(&area, LINE * line, colour(number, curve), curve)?;
    }
    let (_, plot) = area.split_vertically(legend);
    let [x, y] = [|point: &Point| vec![point.x], heights].map(|of| span(curves, of));
    let mut chart = ChartBuilder::on(&plot)
        .margin(MARGIN)
        .y_label_area_size(LABELS)
        .x_label_area_size(AXIS)
        .build_cartesian_2d(x[0]..x[1], y[0]..y[1])?;
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .x_label_formatter(&|value| format!("{value:.0}"))
        .y_label_formatter(&|value| format!("{value:.2}"))
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(RGBColor(0, 0, 0).mix(0.0))
        .label_style(text(14, MUTED))
        .axis_desc_style(text(16, INK))
        .draw()?;
    for (number, curve) in curves.iter().enumerate() {
        let colour = colour(number, curve);
        let points: Vec<(f64, f64)> = curve.points.iter().map(|point| (point.x, point.y)).collect();
        if curve.is_probe {
            let dashed = DashedPathElement::new(points.iter().copied(), DASH[0], DASH[1], colour.stroke_width(2));
            chart.draw_series([dashed])?;
        } else {
            chart.draw_series([PathElement::new(points.clone(), colour.stroke_width(2))])?;
        }
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 4, colour.filled())))?;
        let whiskers = curve.points.iter().filter_map(|point| Some((point.x, point.whisker?)));
        chart.draw_series(
            whiskers.map(|(x, [low, high])| PathElement::new([(x, low), (x, high)], colour.stroke_width(1))),
        )?;
    }
    drop(chart);
    area.present()?;
    drop((plot, area));
    Ok(embedded(&svg))
}

fn draw_name(area: &DrawingArea<SVGBackend, Shift>, top: i32, colour: RGBColor, curve: &Curve) -> Result<(), Fault> {
    let (y, from, to) = (top + LINE / 2, LABELS + 20, LABELS + 60);
    area.draw(&PathElement::new([(from, y), (to, y)], colour.stroke_width(2)))?;
    area.draw(&Circle::new((i32::midpoint(from, to), y), 4, colour.filled()))?;
    let style = text(15, INK).pos(Pos::new(HPos::Left, VPos::Center));
    area.draw(&Text::new(curve.name.clone(), (to + 10, y), style))
}

fn colour(number: usize, curve: &Curve) -> RGBColor {
    if curve.is_probe { INK } else { COLOURS[number % COLOURS.len()] }
}

fn heights(point: &Point) -> Vec<f64> {
    point.whisker.map_or(vec![point.y], |[low, high]| vec![low, point.y, high])
}

/// The least and the largest of some numbers of all points, with a little air.
fn span(curves: &[Curve], of: impl Fn(&Point) -> Vec<f64>) -> [f64; 2] {
    let numbers = curves.iter().flat_map(|curve| &curve.points).flat_map(of).filter(|number| number.is_finite());
    let (low, high) =
        numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)));
    if low > high {
        return [0.0, 1.0];
    }
    let air = 0.04 * (high - low).max(1e-3);
    [low - air, high + air]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_has_its_name_and_its_points_and_labels_stay_text() {
        let point = |x: f64, y: f64| Point { x, y, whisker: Some([y - 0.1, y + 0.1]) };
        let curve = |name: &str, is_probe| Curve {
            name: name.to_owned(),
            is_probe,
            points: vec![point(0.0, 0.5), point(2.0, 0.7), point(6.0, 0.9)],
        };
        let svg = curves(["blocks kept", "accuracy"], &[curve("normal", false), curve("<script>", true)]).unwrap();
        assert!(!svg.contains("<script") && svg.contains("&lt;script&gt;") && !svg.contains("http"));
        // Three points of each, and one in each line of the legend.
        assert_eq!(svg.matches("<circle").count(), 8);
        assert!(curves(["x", "y"], &[Curve { name: "empty".to_owned(), is_probe: false, points: vec![] }]).is_ok());
    }
}
