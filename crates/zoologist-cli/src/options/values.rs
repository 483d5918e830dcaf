//! Values of options that clap does not read itself.

use std::time::Duration;

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|&number: &f64| number > 0.0 && number.is_finite())
        .ok_or("give a number above 0".to_owned())
}

/// A time with its unit, as 90s, 30m or 1.5h.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time with its unit, as 90s, 30m or 2h".to_owned();
    let number = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[number.len()..] {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().ok().filter(|number| *number > 0.0).map(|number| number * unit);
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(wrong)
}
