//! Ratios that names and types suggest: what one counted thing is worth, and the share of rows that a flag is true for.

use super::candidates::identifier;
use super::find::{singular, words};
use crate::store::profile::{ColumnProfile, Family};

/// A ratio of two sums of one source.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ratio<'a> {
    /// `value_per_txn`.
    pub name: String,
    /// The summed column above.
    pub above: &'a str,
    /// The summed column below, which counts something.
    pub below: &'a str,
}

/// Words of a column that counts.
const COUNTS: [&str; 7] = ["count", "cnt", "num", "number", "n", "qty", "quantity"];

/// Sums divided by the sum of a column that counts: all of them if it only says that it counts (`cnt`), else those about
/// the same thing (`txns_value` and `txn_count`).
pub(super) fn ratios<'a>(sums: &[&'a str]) -> Vec<Ratio<'a>> {
    let is_count = |word: &String| COUNTS.contains(&word.as_str());
    let stems = |name: &str| -> Vec<String> { words(name).iter().map(|word| singular(word)).collect() };
    let (counts, amounts): (Vec<&str>, Vec<&str>) = sums.iter().partition(|name| stems(name).iter().any(is_count));
    let mut found = Vec::new();
    for below in counts {
        let thing: Vec<String> = stems(below).into_iter().filter(|word| !is_count(word)).collect();
        let unit = if thing.is_empty() { identifier(below) } else { thing.join("_") };
        for above in amounts.iter().filter(|name| thing.iter().all(|word| stems(name).contains(word))) {
            found.push(Ratio { name: format!("{}_per_{unit}", identifier(above)), above, below });
        }
    }
    found
}

/// `instant_share` for `is_instant`; none for a column that is no flag.
pub(super) fn share(column: &ColumnProfile) -> Option<String> {
    if column.family() != Some(Family::Boolean) || column.distinct < 2 {
        return None;
    }
    let name = identifier(&column.name);
    let bare = ["is_", "has_", "was_"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(&name);
    Some(format!("{bare}_share"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together() {
        let names = |sums: &[&str]| ratios(sums).into_iter().map(|ratio| ratio.name).collect::<Vec<_>>();
        assert_eq!(names(&["value", "cnt"]), ["value_per_cnt"]);
        assert_eq!(names(&["txn_count", "txns_value", "fee"]), ["txns_value_per_txn"]);
        assert_eq!(names(&["amount", "discount"]), [""; 0]);
    }
}
