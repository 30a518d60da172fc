//! [`Dice`]: reproducible chance, and values that occur both in data and in conditions.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::model::Ty;
use super::value::{DAY, Value, civil, days};

/// Chance from a seed.
pub struct Dice {
    chance: SmallRng,
    /// Days are drawn from here.
    season: Option<(i64, i64)>,
}

const TEXTS: [&str; 11] = ["a", "b", "Ab", "ab", "华东", "华南", "华东区", "x y", "O'Hara", "large", "中"];

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice { chance: SmallRng::seed_from_u64(seed), season: None }
    }

    /// True in so many of a hundred.
    pub fn percent(&mut self, chance: u32) -> bool {
        self.chance.random_range(0..100) < chance
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.chance.random_range(low..=high)
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.chance.random_range(0..count)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Some of them, in any order.
    pub fn some<T: Clone>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut left = from.to_vec();
        let mut taken = vec![];
        while taken.len() < count && !left.is_empty() {
            taken.push(left.swap_remove(self.below(left.len())));
        }
        taken
    }

    /// A value of a type, never NULL; few different ones, so that values meet.
    pub fn value(&mut self, ty: Ty) -> Value {
        match ty {
            Ty::Int => Value::Int(self.between(-4, 9).into()),
            Ty::Dec => Value::Dec((self.between(-200, 800) * if self.percent(50) { 25 } else { 1 }).into(), 2),
            Ty::Double => Value::Double(self.between(-20, 40) as f64 / 4.0),
            Ty::Text if self.season.is_some() => Value::text(self.pick::<&str>(&TEXTS[1..5])),
            Ty::Text => Value::text(self.pick::<&str>(&TEXTS)),
            Ty::Bool => Value::Bool(self.percent(60)),
            Ty::Date => Value::Date(self.date()),
            Ty::Time => {
                let seconds = if self.percent(30) { 0 } else { self.between(0, 86_399) };
                Value::Time(self.date() * DAY + seconds * 1_000_000)
            }
        }
    }

    /// From now on days lie between these, often at the ends of months, and there are few texts.
    pub fn stay_within(&mut self, first: i64, last: i64) {
        self.season = Some((first, last));
    }

    /// Whether days stay within a season.
    pub fn stays(&self) -> bool {
        self.season.is_some()
    }

    /// A day, as days since 1970.
    pub fn date(&mut self) -> i64 {
        if let Some((first, last)) = self.season {
            return self.seasonal(first, last);
        }
        match self.below(13) {
            0 => *self.pick(&[-1, 0, days(2024, 2, 29), days(2000, 1, 1), days(2024, 12, 30)]),
            1 => days(2026, 1, 1) + self.between(-3, 3),
            2 => days(2026, 2, 1) + self.between(-2, 2),
            // First days of periods, so that conditions on grains meet.
            3 | 4 => days(2026, self.between(1, 4), 1),
            5 => days(2026, 1, 5) + 7 * self.between(-4, 10),
            6 => days(self.between(2025, 2026), 1, 1),
            _ => days(2025, 11, 20) + self.between(0, 150),
        }
    }

    fn seasonal(&mut self, first: i64, last: i64) -> i64 {
        let day = self.between(first, last);
        let (year, month, _) = civil(day);
        let found = match self.below(8) {
            0 => days(year, month, 1),
            1 => days(year, month, 28),
            // The last day of the month before.
            2 | 3 => days(year, month, 1) - 1,
            4 if month != 2 => days(year, month, 30),
            5 => days(year, month, 15) + self.between(-1, 1),
            _ => day,
        };
        found.clamp(first, last)
    }
}
