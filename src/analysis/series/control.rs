//! Control charts: Shewhart's limits and the tests for special causes (Nelson, "The Shewhart Control Chart: Tests for Special
//! Causes", Journal of Quality Technology 16, 1984), of which four are those of the Western Electric handbook (1956), there
//! with eight in a row instead of nine.

use super::statistics::mean;

/// The mean range of two values of a normal distribution, in deviations.
const RANGE_OF_TWO: f64 = 1.128;

/// The names of the tests, from 1.
pub const TESTS: [&str; 8] =
    ["nelson 1", "nelson 2", "nelson 3", "nelson 4", "nelson 5", "nelson 6", "nelson 7", "nelson 8"];

/// The centre of a chart of single values, and how many deviations each value is off. The deviation is that from one value to
/// the next, so that levels and trends do not widen it. `None`, if the values do not vary.
pub fn charted(values: &[f64]) -> Option<(f64, Vec<f64>)> {
    let centre = mean(values)?;
    let moves: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let sigma = mean(&moves)? / RANGE_OF_TWO;
    (sigma > 0.0).then(|| (centre, values.iter().map(|value| (value - centre) / sigma).collect()))
}

/// The first test that each value completes, from 1; 0 where it completes none.
///
/// ```
/// use bellwether::analysis::series::control::first_tests;
/// assert_eq!(first_tests(&[0.1, -0.2, 3.4]), [0, 0, 1]);
/// assert_eq!(first_tests(&[-0.5, 2.1, 0.0, 2.5]), [0, 0, 0, 5]);
/// ```
pub fn first_tests(z: &[f64]) -> Vec<usize> {
    (0..z.len()).map(|at| (1..=TESTS.len()).find(|test| holds(*test, &z[..=at])).unwrap_or(0)).collect()
}

/// Whether the last of these values completes a test.
fn holds(test: usize, z: &[f64]) -> bool {
    let last = |count: usize| z.len().checked_sub(count).map(|from| &z[from..]);
    let all = |count: usize, fits: &dyn Fn(f64) -> bool| last(count).is_some_and(|of| of.iter().all(|z| fits(*z)));
    // So many of the last, the last one among them, beyond a limit on one side.
    let most = |least: usize, count: usize, limit: f64| {
        let beyond = |side: f64| {
            let of = last(count)?;
            let found = of.iter().filter(|z| side * **z > limit).count();
            Some(found >= least && side * of[of.len() - 1] > limit)
        };
        [1.0, -1.0].into_iter().any(|side| beyond(side) == Some(true))
    };
    let moves = |count: usize, fits: &dyn Fn(f64, usize) -> bool| {
        last(count).is_some_and(|of| of.windows(2).enumerate().all(|(at, pair)| fits(pair[1] - pair[0], at)))
    };
    let alternate =
        |first: f64| moves(14, &|step, at| step * first * if at.is_multiple_of(2) { 1.0 } else { -1.0 } > 0.0);
    match test {
        1 => all(1, &|z| z.abs() > 3.0),
        2 => all(9, &|z| z > 0.0) || all(9, &|z| z < 0.0),
        3 => moves(6, &|step, _| step > 0.0) || moves(6, &|step, _| step < 0.0),
        4 => alternate(1.0) || alternate(-1.0),
        5 => most(2, 3, 2.0),
        6 => most(4, 5, 1.0),
        7 => all(15, &|z| z.abs() < 1.0),
        _ => all(8, &|z| z.abs() > 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series for each test that completes it with its last value and no other before.
    #[test]
    fn each_test_is_completed_by_what_it_looks_for() {
        let up_and_down = |count: usize| (0..count).map(|at| if at % 2 == 0 { 0.3 } else { -0.3 });
        let cases: [(usize, Vec<f64>); 8] = [
            (1, vec![0.5, -3.2]),
            (2, vec![0.5, 0.1, 0.9, 0.2, 0.4, 0.1, 0.9, 0.2, 0.4]),
            (3, vec![-0.9, -0.5, -0.1, 0.2, 0.4, 0.8]),
            (4, up_and_down(14).collect()),
            (5, vec![-2.2, -1.5, -2.1]),
            (6, vec![1.2, 1.6, 0.2, 1.1, 1.3]),
            (7, [0.3, 0.1, -0.3, -0.1, 0.2].repeat(3)),
            (8, vec![1.2, -1.2, -1.4, 1.3, 1.5, -1.1, -1.6, 1.7]),
        ];
        for (test, z) in cases {
            let mut expected = vec![0; z.len()];
            expected[z.len() - 1] = test;
            assert_eq!(first_tests(&z), expected, "test {test}");
        }
    }

    #[test]
    fn the_deviation_is_that_of_neighbours() {
        let (centre, z) = charted(&[10.0, 12.0, 10.0, 12.0]).unwrap();
        assert_eq!(centre, 11.0);
        assert!((z[1] - 1.128 / 2.0).abs() < 1e-12);
        assert_eq!(charted(&[5.0; 4]), None);
    }
}
