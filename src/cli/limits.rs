//! The options of every command that limits what it takes of the machine.

#[cfg(feature = "serve")]
use std::time::Duration;

use bellwether::engine::Limits;
use clap::Args;

/// Limits on what answering may take.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LimitArgs {
    /// Memory for groups, sorted rows and joins: 512MB, 2GB. What does not fit is kept in temporary files [default: none]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory_limit: Option<usize>,
}

impl LimitArgs {
    /// As the engine takes them.
    pub fn limits(&self) -> Limits {
        Limits { memory: self.memory_limit }
    }
}

/// A time: `500ms`, `30s`, `5m`, `1h`.
#[cfg(feature = "serve")]
pub fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = measured(text);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err("write such as 500ms, 30s, 5m".to_string()),
    };
    let seconds = number.parse::<f64>().map_err(|error| error.to_string())? * factor;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// A number, and its unit.
fn measured(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number, unit.trim())
}

/// The least that a question may be given.
const LEAST: f64 = 1e6;

/// `512MB` in bytes, as memory.
fn size(text: &str) -> Result<usize, String> {
    match bytes(text)? as f64 {
        // With so little even what could be kept in files is not.
        bytes if bytes < LEAST => Err("at least 1MB is needed".to_string()),
        bytes if bytes < usize::MAX as f64 => Ok(bytes as usize),
        _ => Err("this is no amount of memory".to_string()),
    }
}

/// `512MB` in bytes.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = measured(text);
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err("write such as 512MB, 2GB or 2GiB".to_string()),
    };
    let bytes = number.parse::<f64>().map_err(|error| error.to_string())? * factor;
    if bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err("this is more than there can be".to_string()) }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[cfg(feature = "serve")]
    #[test]
    fn times_have_units() {
        use super::{Duration, time};
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("1.5m"), Ok(Duration::from_secs(90)));
        assert!(time("5").is_err() && time("soon").is_err() && time("-1s").is_err());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("512MB"), Ok(512_000_000));
        assert_eq!(size("1.5 gib"), Ok(1_610_612_736));
        assert_eq!(size("1000000"), Ok(1_000_000));
        assert!(size("10KB").is_err());
        assert!(size("0").is_err() && size("2 TBs").is_err() && size("many").is_err());
    }
}
