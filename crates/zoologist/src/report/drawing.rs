//! An architecture as one SVG element: its nodes on a line, and every choice as an arc between the two that it connects,
//! each on a level of its own.

use plotters::backend::SVGBackend;
use plotters::drawing::IntoDrawingArea;
use plotters::element::{Circle, PathElement, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

use super::chart::{Fault, GRID, INK, MODEL, MUTED, embedded, text};

const WIDTH: u32 = 920;
const MARGIN: i32 = 60;
const LEVEL: i32 = 26;
const RADIUS: i32 = 7;
const BELOW: i32 = 34;

/// What connects two nodes.
pub struct Edge {
    /// The node that it comes from, by number.
    pub from: usize,
    /// The node that it leads to.
    pub to: usize,
    /// What it is called.
    pub name: String,
}

/// Nodes by name, and the edges between them.
pub fn graph(nodes: &[String], edges: &[Edge]) -> Result<String, Fault> {
    let mut svg = String::new();
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let base = LEVEL * (count(edges.len()) + 1);
    let height = (base + BELOW + RADIUS).unsigned_abs();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    let step = (WIDTH.cast_signed() - 2 * MARGIN) / count(nodes.len().saturating_sub(1).max(1));
    let x = |node: usize| MARGIN + step * count(node);
    for (edge, level) in edges.iter().zip(1..) {
        let y = base - LEVEL * level;
        let (from, to) = (x(edge.from) + 2 * level.min(RADIUS), x(edge.to) - 2 * level.min(RADIUS));
        let line: RGBColor = if edge.name == "none" { GRID } else { MODEL };
        area.draw(&PathElement::new([(from, base), (from, y), (to, y), (to, base)], line.stroke_width(2)))?;
        let style = text(13, INK).pos(Pos::new(HPos::Center, VPos::Bottom));
        area.draw(&Text::new(edge.name.clone(), (i32::midpoint(from, to), y - 2), style))?;
    }
    for (node, name) in nodes.iter().enumerate() {
        area.draw(&Circle::new((x(node), base), RADIUS, INK.filled()))?;
        let style = text(14, MUTED).pos(Pos::new(HPos::Center, VPos::Top));
        area.draw(&Text::new(name.clone(), (x(node), base + RADIUS + 4), style))?;
    }
    area.present()?;
    drop(area);
    Ok(embedded(&svg))
}
