//! Times that are planned: how they are said, how much of a budget is planned at all, and what a step is made of.

/// The part of a budget that is planned; the rest is for what a machine does beside.
pub const PLANNED: f64 = 0.85;
/// The part of a training step that is the forward pass.
pub const FORWARD: f64 = 1.0 / 3.0;

/// Seconds in words.
pub fn words(seconds: f64) -> String {
    match seconds {
        0.0..90.0 => format!("{seconds:.0} s"),
        90.0..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
