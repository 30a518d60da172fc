//! Targets from above and from below: how the amounts of slices and of the whole come together.

/// How amounts that do not add up to a total are made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reconcile {
    /// All by the same part of their own.
    #[default]
    Proportional,
    /// All by the same amount: the least squares of the changes.
    Equal,
}

impl Reconcile {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Reconcile); 2] =
        [("proportional", Reconcile::Proportional), ("equal", Reconcile::Equal)];
}

/// Amounts that add up to a total, as near to the given ones as the way allows; `None` where it has no meaning.
pub fn reconciled(amounts: &[f64], total: f64, how: Reconcile) -> Option<Vec<f64>> {
    let sum: f64 = amounts.iter().sum();
    match how {
        Reconcile::Proportional if sum <= 0.0 => None,
        Reconcile::Proportional => Some(amounts.iter().map(|amount| amount * total / sum).collect()),
        Reconcile::Equal if amounts.is_empty() => None,
        Reconcile::Equal => {
            let each = (total - sum) / amounts.len() as f64;
            Some(amounts.iter().map(|amount| amount + each).collect())
        }
    }
}

/// A table with these sums of rows and columns that keeps the proportions of a seed (iterative proportional fitting);
/// `None` if the sums contradict each other, or the seed has no place for one.
pub fn two_way(seed: &[Vec<f64>], rows: &[f64], columns: &[f64]) -> Option<Vec<Vec<f64>>> {
    const CLOSE: f64 = 1e-10;
    const MOST: usize = 1000;
    let (down, across): (f64, f64) = (rows.iter().sum(), columns.iter().sum());
    let fits = seed.len() == rows.len() && seed.iter().all(|row| row.len() == columns.len());
    if !fits || (down - across).abs() > CLOSE * down.abs().max(1.0) || seed.iter().flatten().any(|cell| *cell < 0.0) {
        return None;
    }
    let mut cells = seed.to_vec();
    for _ in 0..MOST {
        for (row, wanted) in cells.iter_mut().zip(rows) {
            let sum: f64 = row.iter().sum();
            scale(row.iter_mut(), sum, *wanted)?;
        }
        let mut off = 0.0_f64;
        for (at, wanted) in columns.iter().enumerate() {
            let sum: f64 = cells.iter().map(|row| row[at]).sum();
            off = off.max((sum - wanted).abs());
            scale(cells.iter_mut().map(|row| &mut row[at]), sum, *wanted)?;
        }
        if off <= CLOSE * down.abs().max(1.0) {
            return Some(cells);
        }
    }
    None
}

fn scale<'c>(cells: impl Iterator<Item = &'c mut f64>, sum: f64, wanted: f64) -> Option<()> {
    if sum == 0.0 {
        return (wanted == 0.0).then_some(());
    }
    cells.for_each(|cell| *cell *= wanted / sum);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(all: Vec<f64>, digits: i32) -> Vec<f64> {
        let by = 10_f64.powi(digits);
        all.into_iter().map(|value| (value * by).round() / by).collect()
    }

    #[test]
    fn the_worked_reconciliations() {
        let submitted = [430.0, 350.0, 230.0, 120.0];
        let by = |how| rounded(reconciled(&submitted, 1150.0, how).unwrap(), 2);
        assert_eq!(by(Reconcile::Proportional), [437.61, 356.19, 234.07, 122.12]);
        assert_eq!(by(Reconcile::Equal), [435.0, 355.0, 235.0, 125.0]);
        assert_eq!(reconciled(&[0.0, 0.0], 5.0, Reconcile::Proportional), None);
    }

    #[test]
    fn the_worked_table() {
        let seed = [vec![200.0, 100.0], vec![150.0, 150.0], vec![120.0, 80.0]];
        let found = two_way(&seed, &[330.0, 330.0, 240.0], &[520.0, 380.0]).unwrap();
        let rows: Vec<Vec<f64>> = found.into_iter().map(|row| rounded(row, 4)).collect();
        assert_eq!(rows, [[216.8969, 113.1031], [161.5335, 168.4665], [141.5695, 98.4305]]);
        assert_eq!(two_way(&seed, &[330.0, 330.0, 241.0], &[520.0, 380.0]), None);
    }
}
