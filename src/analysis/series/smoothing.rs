//! Exponential smoothing: Holt–Winters in its forms, fitted to a series.

/// How the season enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Season {
    Without,
    Adds,
    Multiplies,
}

/// How the trend goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Trend {
    Without,
    Straight,
    Damped,
}

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Its trend.
    pub trend: Trend,
    /// Its season.
    pub season: Season,
    /// How many periods a season has.
    pub length: usize,
}

/// How fast level, trend and season follow, and how fast the trend fades.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Weights {
    level: f64,
    trend: f64,
    season: f64,
    fade: f64,
}

/// Where a form stands at the end of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    form: Form,
    weights: Weights,
    level: f64,
    trend: f64,
    /// The season, the next period's first.
    season: Vec<f64>,
    /// The standard deviation of one step's error; relative, where the season multiplies.
    pub deviation: f64,
}

impl Fitted {
    /// Fits a form; `None`, if the series is too short or not positive where it has to be.
    pub fn new(form: Form, values: &[f64]) -> Option<Fitted> {
        let least = if form.season == Season::Without { 4 } else { 2 * form.length + 1 };
        if values.len() < least || form.season == Season::Multiplies && values.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let start = Start::of(form, values);
        let fade = if form.trend == Trend::Damped { FADE } else { 1.0 };
        let weights = descend(fade, |weights| start.run(weights, values).0);
        let (errors, mut fitted) = start.run(&weights, values);
        let free = 2.0 + f64::from(u8::from(form.trend != Trend::Without)) * 2.0;
        let degrees = (values.len() as f64 - free).max(1.0);
        fitted.deviation = match form.season {
            Season::Multiplies => start.relative(&weights, values),
            _ => (errors / degrees).sqrt(),
        };
        fitted.deviation.is_finite().then_some(fitted)
    }

    /// The value so many steps ahead, from 1.
    pub fn ahead(&self, step: usize) -> f64 {
        let level = self.level + self.trend * faded(self.weights.fade, step);
        match self.form.season {
            Season::Without => level,
            Season::Adds => level + self.season[(step - 1) % self.form.length],
            Season::Multiplies => level * self.season[(step - 1) % self.form.length],
        }
    }

    /// How much of one step's error is still there so many steps later.
    pub fn echo(&self, later: usize) -> f64 {
        if later == 0 {
            return 1.0;
        }
        let weights = &self.weights;
        let season = match self.form.season {
            Season::Without => 0.0,
            _ if later.is_multiple_of(self.form.length) => weights.season,
            _ => 0.0,
        };
        weights.level + weights.level * weights.trend * faded(weights.fade, later) + season
    }

    /// Whether errors grow with the values.
    pub fn is_relative(&self) -> bool {
        self.form.season == Season::Multiplies
    }
}

/// fade + fade² + … over so many steps.
fn faded(fade: f64, steps: usize) -> f64 {
    if fade == 1.0 { steps as f64 } else { fade * (1.0 - fade.powi(steps as i32)) / (1.0 - fade) }
}

/// How much of a damped trend is left after a step.
const FADE: f64 = 0.95;

/// Where smoothing starts.
struct Start {
    form: Form,
    level: f64,
    trend: f64,
    season: Vec<f64>,
}

impl Start {
    fn of(form: Form, values: &[f64]) -> Start {
        let length = form.length;
        if form.season == Season::Without {
            let few = values.len().min(10);
            let slope = (values[few - 1] - values[0]) / (few - 1) as f64;
            let trend = if form.trend == Trend::Without { 0.0 } else { slope };
            return Start { form, level: values[0] - trend, trend, season: vec![] };
        }
        let mean = |from: usize| values[from..from + length].iter().sum::<f64>() / length as f64;
        let slope = (mean(length) - mean(0)) / length as f64;
        let middle = (length as f64 - 1.0) / 2.0;
        let line = |at: usize| mean(0) + slope * (at as f64 - middle);
        let around = |at: usize| match form.season {
            Season::Multiplies => values[at] / line(at).max(f64::MIN_POSITIVE),
            _ => values[at] - line(at),
        };
        let mut season: Vec<f64> = (0..length).map(|at| (around(at) + around(at + length)) / 2.0).collect();
        let centre = season.iter().sum::<f64>() / length as f64;
        season.iter_mut().for_each(|part| match form.season {
            Season::Multiplies => *part /= centre,
            _ => *part -= centre,
        });
        let trend = if form.trend == Trend::Without { 0.0 } else { slope };
        let level = if form.trend == Trend::Without { mean(0) } else { line(0) - slope };
        Start { form, level, trend, season }
    }

    /// The sum of squared errors of one step, and where it ends.
    fn run(&self, weights: &Weights, values: &[f64]) -> (f64, Fitted) {
        let mut errors = 0.0;
        let fitted = self.walk(weights, values, |error, _| errors += error * error);
        (errors, fitted)
    }

    /// The deviation of one step's error relative to what was expected.
    fn relative(&self, weights: &Weights, values: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.walk(weights, values, |error, expected| sum += (error / expected).powi(2));
        (sum / (values.len() as f64 - 4.0).max(1.0)).sqrt()
    }

    fn walk(&self, weights: &Weights, values: &[f64], mut seen: impl FnMut(f64, f64)) -> Fitted {
        let (mut level, mut trend, mut season) = (self.level, self.trend, self.season.clone());
        let length = self.form.length.max(1);
        for (at, value) in values.iter().enumerate() {
            let line = level + weights.fade * trend;
            let place = at % length;
            let part = season.get(place).copied();
            let (expected, lifted) = match (self.form.season, part) {
                (Season::Adds, Some(part)) => (line + part, value - part),
                (Season::Multiplies, Some(part)) => (line * part, value / part),
                _ => (line, *value),
            };
            seen(value - expected, expected);
            let before = level;
            level = weights.level * lifted + (1.0 - weights.level) * line;
            trend = match self.form.trend {
                Trend::Without => 0.0,
                _ => weights.trend * (level - before) + (1.0 - weights.trend) * weights.fade * trend,
            };
            if let Some(part) = season.get_mut(place) {
                let own = match self.form.season {
                    Season::Multiplies => value / line,
                    _ => value - line,
                };
                *part = weights.season * own + (1.0 - weights.season) * *part;
            }
        }
        if !season.is_empty() {
            season.rotate_left(values.len() % length);
        }
        Fitted { form: self.form, weights: *weights, level, trend, season, deviation: 0.0 }
    }
}

/// The weights of least cost: from several starts, step by step downhill in one weight after the other, with ever smaller steps.
fn descend(fade: f64, cost: impl Fn(&Weights) -> f64) -> Weights {
    let mut best: Option<(f64, Weights)> = None;
    for (level, trend, season) in [(0.2, 0.05, 0.1), (0.5, 0.1, 0.3), (0.8, 0.02, 0.05)] {
        let mut at = Weights { level, trend, season, fade };
        let mut least = cost(&at);
        let mut step = 0.16;
        while step > 0.002 {
            let mut moved = false;
            for (which, by) in (0..3).flat_map(|which| [(which, step), (which, -step)]) {
                let next = nudged(&at, which, by);
                let found = cost(&next);
                if found < least {
                    (at, least, moved) = (next, found, true);
                }
            }
            if !moved {
                step /= 2.0;
            }
        }
        if least.is_finite() && best.is_none_or(|(known, _)| least < known) {
            best = Some((least, at));
        }
    }
    best.map_or(Weights { level: 0.3, trend: 0.05, season: 0.1, fade }, |(_, weights)| weights)
}

fn nudged(weights: &Weights, which: usize, by: f64) -> Weights {
    let held = |value: f64| (value + by).clamp(0.001, 0.999);
    let mut next = *weights;
    match which {
        0 => next.level = held(weights.level),
        1 => next.trend = held(weights.trend),
        _ => next.season = held(weights.season),
    }
    next
}
