//! Where the level of a series changed: the cheapest cut into pieces of one level each (PELT, squared distances).

use super::statistics::robust_scale;

/// The positions at which a new level begins.
///
/// A cut costs 2σ² ln n, where σ is that of the steps from one value to the next, which a change of level moves only once.
/// Pieces have at least `shortest` values.
pub fn change_points(values: &[f64], shortest: usize) -> Vec<usize> {
    let count = values.len();
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let Some((_, scale)) = robust_scale(&steps) else { return vec![] };
    let variance = scale * scale / 2.0;
    if count < 2 * shortest || variance <= 0.0 {
        return vec![];
    }
    let price = 2.0 * variance * (count as f64).ln();
    cheapest(&Sums::of(values), count, shortest.max(1), price)
}

/// Running sums, from which the cost of a piece is known at once.
struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn of(values: &[f64]) -> Sums {
        // Around the mean, so that little is lost where large squares are subtracted.
        let centre = values.iter().sum::<f64>() / values.len() as f64;
        let mut sums = Sums { values: vec![0.0], squares: vec![0.0] };
        for value in values.iter().map(|value| value - centre) {
            sums.values.push(sums.values[sums.values.len() - 1] + value);
            sums.squares.push(sums.squares[sums.squares.len() - 1] + value * value);
        }
        sums
    }

    /// The sum of squared distances from the piece's mean.
    fn cost(&self, from: usize, to: usize) -> f64 {
        let sum = self.values[to] - self.values[from];
        self.squares[to] - self.squares[from] - sum * sum / (to - from) as f64
    }
}

fn cheapest(sums: &Sums, count: usize, shortest: usize, price: f64) -> Vec<usize> {
    let mut best = vec![f64::INFINITY; count + 1];
    let mut last = vec![0; count + 1];
    best[0] = -price;
    let mut starts = vec![0];
    for end in shortest..=count {
        let known = |start: &usize| end - start >= shortest;
        let value = |start: usize| best[start] + sums.cost(start, end) + price;
        let candidates = starts.iter().copied().filter(known);
        if let Some(start) = candidates.min_by(|a, b| value(*a).total_cmp(&value(*b))) {
            (best[end], last[end]) = (value(start), start);
        }
        // A start that is dearer already without a further cut can never become the best.
        let limit = best[end];
        starts.retain(|start| !known(start) || best[*start] + sums.cost(*start, end) <= limit);
        starts.push(end);
    }
    let mut found = Vec::new();
    let mut at = last[count];
    while at > 0 {
        found.insert(0, at);
        at = last[at];
    }
    found
}
