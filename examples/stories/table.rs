//! Rows on their way to a CSV file, and moments as texts.

use std::fmt::Display;
use std::path::Path;

/// A file in the making; no value needs quotes.
pub struct Table {
    name: &'static str,
    text: String,
}

impl Table {
    /// A file with these columns.
    pub fn new(name: &'static str, columns: &str) -> Table {
        Table { name, text: format!("{columns}\n") }
    }

    /// One more row.
    pub fn row(&mut self, values: &[&dyn Display]) {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        self.text += &(values.join(",") + "\n");
    }

    /// Writes the file into a folder.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join(self.name), &self.text)
    }
}

/// The first day of all stories, 2026-01-01, counted from 1970-01-01.
const FIRST_DAY: i64 = 20_454;

/// Minutes after the first day as a time.
pub fn time(minutes: i64) -> String {
    let at = chrono::DateTime::from_timestamp((FIRST_DAY * 1440 + minutes) * 60, 0).unwrap_or_default();
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A day, counted from the first one.
pub fn day(number: i32, form: &str) -> String {
    let at = chrono::DateTime::from_timestamp((FIRST_DAY + i64::from(number)) * 86_400, 0).unwrap_or_default();
    at.format(form).to_string()
}

/// The month of a day, from 0: the first day is a first of January, and no leap year follows.
pub fn month(number: i32) -> usize {
    const ENDS: [i32; 12] = [31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    ENDS.iter().position(|end| number < *end).unwrap_or(11)
}
