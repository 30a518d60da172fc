//! Conversion: base rows that are followed by a row of another source.

use std::collections::BTreeSet;

use super::calendar::{instant, moved};
use super::expr::{Conversion, Ex};
use super::naive::{Naive, Scope};
use super::reach::{Why, resolve};
use super::rows::{Assignment, Row};
use super::value::Value;

impl Naive<'_> {
    /// The share of the base rows in a context that are converted.
    pub fn converted(&self, conversion: &Conversion, scope: &Scope) -> Value {
        let rows = self.leaf_rows(conversion.from, scope);
        let Some(credited) = self.noted(self.credited(conversion)) else { return Value::Null };
        let converted = rows.iter().filter(|row| credited.contains(row)).count();
        if rows.is_empty() { Value::Null } else { Value::Double(converted as f64 / rows.len() as f64) }
    }

    /// The base rows that a later row is credited to: each to the latest before it, if that is near enough.
    fn credited(&self, conversion: &Conversion) -> Result<BTreeSet<usize>, Why> {
        let base = self.sides(conversion.from, &conversion.by)?;
        let mut credited = BTreeSet::new();
        for (_, equal, time) in self.sides(conversion.to, &conversion.by)? {
            let before = base.iter().filter(|(_, other, at)| *other == equal && *at <= time);
            let latest = before.clone().map(|(_, _, at)| *at).max();
            let latest: Vec<_> = before.filter(|(_, _, at)| Some(*at) == latest).collect();
            match latest.as_slice() {
                [(row, _, at)] if time <= moved(*at, conversion.within) => drop(credited.insert(*row)),
                [(_, _, at), _, ..] if time <= moved(*at, conversion.within) => {
                    return Err(Why::Unspecified("two base rows at the same time".into()));
                }
                _ => {}
            }
        }
        Ok(credited)
    }

    /// Rows with what must be equal and their time; none of it unknown.
    fn sides(&self, source: usize, by: &[Ex]) -> Result<Vec<(usize, Vec<String>, i64)>, Why> {
        let by = by.iter().map(|ex| resolve(self.model, source, None, ex)).collect::<Result<Vec<_>, _>>()?;
        let nothing = Assignment::new();
        let mut found = vec![];
        for at in 0..self.tables[source].len() {
            let values: Vec<Value> = by.iter().map(|ex| self.row_value(ex, Row { at, children: &nothing })).collect();
            let time = self.model.sources[source].time.and_then(|time| instant(&self.tables[source][at][time]));
            if let Some(time) = time.filter(|_| values.iter().all(|v| !v.is_null())) {
                found.push((at, values.iter().map(Value::canonical).collect(), time));
            }
        }
        Ok(found)
    }
}
