//! Advice as text: Bell, with everything else in its comments, so that it can be kept as a file of the project.

use std::fmt;

use super::proposal::package_line;
use super::{Advice, NotServed, Place, Unread};

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice { lines, questions, different, served_now, served_declared, served_proposed, .. } = self;
        writeln!(f, "-- {lines} lines: {questions} ask for indicators ({different} different questions)")?;
        for (number, what) in [
            (self.without_indicators, "ask for no indicator"),
            (self.others, "are no questions"),
            (self.unread.len(), "could not be read or asked"),
        ] {
            if number > 0 {
                writeln!(f, "--   {number} {what}")?;
            }
        }
        writeln!(f, "-- answered by rollups alone: {} now", share(*served_now, *questions))?;
        if served_declared != served_now {
            writeln!(f, "--   {} if those that are declared were up to date", share(*served_declared, *questions))?;
        }
        let these = self.rollups.len();
        match these {
            0 => writeln!(f, "-- no rollup is proposed")?,
            _ => {
                writeln!(f, "--   {} with these {these}", share(*served_proposed, *questions))?;
                writeln!(f, "-- {}", self.estimated)?;
            }
        }
        self.rollups(f)?;
        self.not_served(f)?;
        for Unread { place, reason } in &self.unread {
            writeln!(f, "-- left out: {place}: {}", in_a_line(reason))?;
        }
        Ok(())
    }
}

impl Advice {
    /// The packages of the rollups. A file belongs to one, so those of several belong into several files.
    pub fn packages(&self) -> Vec<&str> {
        let mut packages: Vec<&str> = Vec::new();
        for proposal in &self.rollups {
            if !packages.contains(&proposal.package.as_str()) {
                packages.push(&proposal.package);
            }
        }
        packages
    }

    fn rollups(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packages = self.packages();
        for package in &packages {
            if packages.len() > 1 {
                writeln!(f, "\n-- what follows, up to the next such line, belongs into a file of its own")?;
            }
            write!(f, "\n{}", package_line(package))?;
            for proposal in self.rollups.iter().filter(|proposal| proposal.package == *package) {
                let (questions, different) = (proposal.questions, proposal.different);
                let asks = if questions == 1 { "line" } else { "lines" };
                let size = bytes(proposal.bytes);
                let cells = proposal.cells;
                writeln!(f, "-- {questions} {asks} ({different} different); about {cells} cells, {size}")?;
                writeln!(f, "{}", proposal.text)?;
            }
        }
        Ok(())
    }

    fn not_served(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for NotServed { question, roles, lines, reasons } in &self.not_served {
            let who = roles.iter().map(|roles| format!(" as {}", roles.join(", "))).collect::<String>();
            let times = match lines.as_slice() {
                [place] => place.to_string(),
                [place, more @ ..] => format!("{place} and {} more", more.len()),
                [] => String::new(),
            };
            writeln!(f, "-- still from rows: {times}{who}: {}", in_a_line(question))?;
            for reason in reasons {
                writeln!(f, "--   {}", in_a_line(reason))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

fn share(part: usize, whole: usize) -> String {
    match whole {
        0 => "0 of 0".to_string(),
        _ => format!("{part} of {whole} ({:.0} %)", 100.0 * part as f64 / whole as f64),
    }
}

/// A text in one line: a comment ends with it.
fn in_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn bytes(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} bytes"),
    }
}
