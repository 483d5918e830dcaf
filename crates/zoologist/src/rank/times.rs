//! Times that are planned: how they are said, and how much of a budget is planned at all.

/// The part of a budget that is planned; the rest is for what a machine does beside.
pub const PLANNED: f64 = 0.85;

/// Seconds in words.
pub fn words(seconds: f64) -> String {
    match seconds {
        0.0..90.0 => format!("{seconds:.0} s"),
        90.0..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
