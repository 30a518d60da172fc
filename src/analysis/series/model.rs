//! Which forecast is served: the one that was best on the last values, which it had not seen.

use super::smoothing::{Fitted, Form, Season, Trend};
use super::statistics::{mean, robust_scale};

/// A way to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The value of the same period of the last season; without a season, the last value.
    SeasonalNaive,
    /// Exponential smoothing.
    Smoothing(Form),
    /// Theta: smoothing without the season, with half of the trend's slope.
    Theta(usize),
    /// The mean of the best smoothing, of Theta and of the seasonal naive forecast: what each of them gets wrong, the others
    /// mostly do not (M4 competition, Makridakis, Spiliotis and Assimakopoulos 2018).
    Mean(Form),
}

impl Method {
    /// Its name in answers.
    pub fn name(self) -> &'static str {
        use Season::{Adds, Multiplies, Without};
        match self {
            Method::SeasonalNaive => "seasonal naive",
            Method::Theta(_) => "theta",
            Method::Mean(_) => "mean of smoothing, theta, seasonal naive",
            Method::Smoothing(form) => match (form.trend, form.season) {
                (Trend::Without, Without) => "smoothing",
                (Trend::Straight, Without) => "smoothing, trend",
                (Trend::Damped, Without) => "smoothing, damped trend",
                (Trend::Without, Adds) => "smoothing, season",
                (Trend::Straight, Adds) => "smoothing, trend + season",
                (Trend::Damped, Adds) => "smoothing, damped trend + season",
                (Trend::Without, Multiplies) => "smoothing, × season",
                (Trend::Straight, Multiplies) => "smoothing, trend × season",
                (Trend::Damped, Multiplies) => "smoothing, damped trend × season",
            },
        }
    }
}

/// A forecast of several steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecasted {
    /// How.
    pub method: Method,
    /// The values.
    pub values: Vec<f64>,
    /// The standard deviation of one step's error, at each step in its unit.
    scale: Vec<f64>,
    /// How much of an error is still there so many steps later.
    echo: Vec<f64>,
}

impl Forecasted {
    /// The standard deviation of the error of a step, from 0.
    pub fn deviation(&self, step: usize) -> f64 {
        self.deviation_of_sum(step, step)
    }

    /// The standard deviation of the error of the sum of steps, both ends included: their errors go together.
    pub fn deviation_of_sum(&self, from: usize, to: usize) -> f64 {
        let shocks = (0..=to).map(|shock| {
            let felt = (from.max(shock)..=to).map(|step| self.scale[step] * self.echo[step - shock]);
            felt.sum::<f64>().powi(2)
        });
        shocks.sum::<f64>().sqrt()
    }
}

/// Forecasts with the best method: of each that fits, the error on held-back ends of the series is measured, and where none
/// is better than the seasonal naive one, that is served. `None`, if the series is too short.
pub fn forecast(values: &[f64], season: usize, horizon: usize) -> Option<Forecasted> {
    let season = if season > 1 && values.len() > 2 * season { season } else { 1 };
    if values.len() < SHORTEST || horizon == 0 {
        return None;
    }
    let held = ends(values.len(), season, horizon);
    let naive = error(Method::SeasonalNaive, values, season, &held);
    let mut best = (Method::SeasonalNaive, naive);
    let mut smoothing: Option<(Form, f64)> = None;
    let mut consider = |method: Method| {
        let found = error(method, values, season, &held)?;
        if best.1.is_some_and(|least| found < least) {
            best = (method, Some(found));
        }
        Some(found)
    };
    for method in methods(season) {
        let found = consider(method);
        if let (Method::Smoothing(form), Some(found)) = (method, found)
            && smoothing.is_none_or(|(_, least)| found < least)
        {
            smoothing = Some((form, found));
        }
    }
    if let Some((form, _)) = smoothing {
        consider(Method::Mean(form));
    }
    let mut served =
        run(best.0, values, season, horizon).or_else(|| run(Method::SeasonalNaive, values, season, horizon))?;
    widen(&mut served, values, season, &held);
    Some(served)
}

/// Fewer values tell nothing.
pub const SHORTEST: usize = 6;

/// How many values are held back, at most so many times, each time from a point further back.
const TIMES: usize = 3;

/// Where the series is cut, and how many values behind the cut are compared.
fn ends(count: usize, season: usize, horizon: usize) -> Vec<(usize, usize)> {
    let compared = horizon.min(count / 4).clamp(1, 2 * season.max(6));
    let step = (compared / 2).max(1);
    // Enough is left to fit a season.
    let least = if season > 1 { 2 * season + 1 } else { SHORTEST - 1 };
    (0..TIMES)
        .filter_map(|at| count.checked_sub(compared + at * step))
        .filter(|cut| *cut >= least)
        .map(|cut| (cut, compared))
        .collect()
}

fn methods(season: usize) -> Vec<Method> {
    let mut found = vec![Method::Theta(season)];
    let seasons: &[Season] =
        if season > 1 { &[Season::Without, Season::Adds, Season::Multiplies] } else { &[Season::Without] };
    for trend in [Trend::Without, Trend::Straight, Trend::Damped] {
        found.extend(seasons.iter().map(|kind| Method::Smoothing(Form { trend, season: *kind, length: season })));
    }
    found
}

/// The mean absolute error on held-back ends.
fn error(method: Method, values: &[f64], season: usize, held: &[(usize, usize)]) -> Option<f64> {
    let mut errors = Vec::new();
    for (cut, compared) in held {
        let found = run(method, &values[..*cut], season, *compared)?;
        errors.extend(found.values.iter().zip(&values[*cut..]).map(|(found, value)| (found - value).abs()));
    }
    mean(&errors).filter(|error| error.is_finite())
}

/// Widens intervals by how far off the method was on the held-back ends, where that was further than it says itself.
fn widen(served: &mut Forecasted, values: &[f64], season: usize, held: &[(usize, usize)]) {
    let mut squares = Vec::new();
    for (cut, compared) in held {
        let Some(found) = run(served.method, &values[..*cut], season, *compared) else { continue };
        let off = |step: usize| (found.values[step] - values[cut + step]) / found.deviation(step);
        squares.extend((0..*compared).map(|step| off(step).powi(2)).filter(|square| square.is_finite()));
    }
    let by = mean(&squares).map_or(1.0, f64::sqrt).clamp(1.0, 2.0);
    served.scale.iter_mut().for_each(|scale| *scale *= by);
}

fn run(method: Method, values: &[f64], season: usize, horizon: usize) -> Option<Forecasted> {
    match method {
        Method::SeasonalNaive => naive(values, season, horizon),
        Method::Theta(_) => theta(values, season, horizon),
        Method::Mean(form) => {
            let parts = [Method::Smoothing(form), Method::Theta(season), Method::SeasonalNaive];
            let parts = parts.map(|part| run(part, values, season, horizon));
            combined(method, &parts.into_iter().collect::<Option<Vec<_>>>()?)
        }
        Method::Smoothing(form) => {
            let fitted = Fitted::new(form, values)?;
            let ahead: Vec<f64> = (1..=horizon).map(|step| fitted.ahead(step)).collect();
            let scale =
                |value: &f64| if fitted.is_relative() { fitted.deviation * value.abs() } else { fitted.deviation };
            let scale = ahead.iter().map(scale).collect();
            let echo = (0..horizon).map(|later| fitted.echo(later)).collect();
            Some(Forecasted { method, values: ahead, scale, echo })
        }
    }
}

/// The mean of forecasts. Their errors go together, as they learnt from the same values: their deviations are averaged, not
/// their squares.
fn combined(method: Method, parts: &[Forecasted]) -> Option<Forecasted> {
    let average = |of: fn(&Forecasted) -> &Vec<f64>| {
        let at = |at: usize| mean(&parts.iter().filter_map(|part| of(part).get(at).copied()).collect::<Vec<_>>());
        (0..of(parts.first()?).len()).map(at).collect::<Option<Vec<f64>>>()
    };
    Some(Forecasted {
        method,
        values: average(|part| &part.values)?,
        scale: average(|part| &part.scale)?,
        echo: average(|part| &part.echo)?,
    })
}

fn naive(values: &[f64], season: usize, horizon: usize) -> Option<Forecasted> {
    let last = values.len().checked_sub(season)?;
    let ahead = (0..horizon).map(|step| values[last + step % season]).collect();
    let steps: Vec<f64> = (season..values.len()).map(|at| values[at] - values[at - season]).collect();
    let square = mean(&steps.iter().map(|step| step * step).collect::<Vec<_>>())?;
    let echo = (0..horizon).map(|later| if later.is_multiple_of(season) { 1.0 } else { 0.0 }).collect();
    Some(Forecasted { method: Method::SeasonalNaive, values: ahead, scale: vec![square.sqrt(); horizon], echo })
}

fn theta(values: &[f64], season: usize, horizon: usize) -> Option<Forecasted> {
    let factors = seasonal_factors(values, season)?;
    let factor = |at: usize| factors[at % season];
    let plain: Vec<f64> = values.iter().enumerate().map(|(at, value)| value / factor(at)).collect();
    let fitted = Fitted::new(Form { trend: Trend::Without, season: Season::Without, length: 1 }, &plain)?;
    let slope = slope(&plain) / 2.0;
    let ahead = (1..=horizon).map(|step| {
        let drift = slope * (step as f64 - 1.0 + 1.0 / fitted.echo(1).max(0.05));
        (fitted.ahead(step) + drift) * factor(values.len() + step - 1)
    });
    let ahead: Vec<f64> = ahead.collect();
    let scale = (0..horizon).map(|step| fitted.deviation * factor(values.len() + step).abs()).collect();
    let echo = (0..horizon).map(|later| fitted.echo(later)).collect();
    Some(Forecasted { method: Method::Theta(season), values: ahead, scale, echo })
}

/// The factor of each period of a season, around the centred mean of a season; 1 where nothing can be divided.
fn seasonal_factors(values: &[f64], season: usize) -> Option<Vec<f64>> {
    if season < 2 {
        return Some(vec![1.0]);
    }
    if values.iter().any(|value| *value <= 0.0) || values.len() < 2 * season {
        return None;
    }
    let half = season / 2;
    let mut ratios: Vec<Vec<f64>> = vec![vec![]; season];
    for at in half..values.len().saturating_sub(half) {
        let mut around = &values[at - half..=at + half];
        let ends = if season.is_multiple_of(2) { (around[0] + around[season]) / 2.0 } else { 0.0 };
        if season.is_multiple_of(2) {
            around = &around[1..season];
        }
        let centre = (around.iter().sum::<f64>() + ends) / season as f64;
        ratios[at % season].push(values[at] / centre);
    }
    let factors = ratios.iter().map(|of| robust_scale(of).map(|(centre, _)| centre)).collect::<Option<Vec<f64>>>()?;
    let centre = mean(&factors)?;
    Some(factors.iter().map(|factor| factor / centre).collect())
}

/// The slope of the straight line through the values.
fn slope(values: &[f64]) -> f64 {
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let centre = values.iter().sum::<f64>() / values.len() as f64;
    let (mut above, mut below) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let from = at as f64 - middle;
        above += from * (value - centre);
        below += from * from;
    }
    if below > 0.0 { above / below } else { 0.0 }
}
