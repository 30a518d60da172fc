//! Wall and processor time of a piece of work, and medians over interleaved runs.

use std::time::Instant;

/// Milliseconds that something took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// On the clock.
    pub wall: f64,
    /// On all processors together; the clock's, where the system does not say.
    pub cpu: f64,
}

/// A running measurement.
pub struct Watch {
    began: Instant,
    cpu: Option<f64>,
}

impl Watch {
    /// Begins to measure.
    pub fn start() -> Self {
        Watch { began: Instant::now(), cpu: processor_time() }
    }

    /// What was spent since the start.
    pub fn stop(&self) -> Spent {
        let wall = self.began.elapsed().as_secs_f64() * 1e3;
        let cpu = self.cpu.zip(processor_time()).map_or(wall, |(before, after)| after - before);
        Spent { wall, cpu }
    }
}

/// The medians of several measurements, each kind of time by itself.
pub fn median(runs: &[Spent]) -> Spent {
    let of = |kind: fn(&Spent) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(kind).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Spent { wall: of(|run| run.wall), cpu: of(|run| run.cpu) }
}

/// Milliseconds that the living threads of this process have been on a processor (Linux only).
fn processor_time() -> Option<f64> {
    let mut sum = 0.0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        sum += text.split(' ').next()?.parse::<f64>().ok()?;
    }
    Some(sum / 1e6)
}
