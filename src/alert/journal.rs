//! [`Journal`]: what has happened and who has been told, in a file that survives crashes.
//!
//! A line for each event, `{"event": {…}}`, and one for each time that somebody was told, `{"sent": "key", "to": "address"}`.
//! Lines are only ever added, and each is on the disk before the next thing is done. So a crash can cut no more than the
//! last line, and what it cut had not been relied on: it is dropped when the file is opened again.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::error::{Error, Result};

/// The file, open and locked: no other run can tell the same events meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    entries: Vec<Entry>,
    by_key: HashMap<String, usize>,
}

#[derive(Debug)]
struct Entry {
    event: Event,
    told: BTreeSet<String>,
}

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Event { event: Box<Event> },
    Sent { sent: String, to: String },
}

impl Journal {
    /// Opens a journal, or begins one.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`], if another run has it open, or a line is damaged that was complete.
    pub fn open(path: &Path) -> Result<Journal> {
        let failed = |error| Error::io(path, error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Data(format!("{}: another run is telling these events", path.display())));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut journal = Journal { path: path.to_path_buf(), file, entries: vec![], by_key: HashMap::new() };
        for (number, line) in bytes[..whole].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let line = serde_json::from_slice(line)
                .map_err(|error| Error::Data(format!("{}:{}: {error}", path.display(), number + 1)))?;
            journal.take(line);
        }
        Ok(journal)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Event { event } => {
                if !self.by_key.contains_key(&event.key) {
                    self.by_key.insert(event.key.clone(), self.entries.len());
                    self.entries.push(Entry { event: *event, told: BTreeSet::new() });
                }
            }
            Line::Sent { sent, to } => {
                if let Some(at) = self.by_key.get(&sent) {
                    self.entries[*at].told.insert(to);
                }
            }
        }
    }

    fn write(&mut self, line: Line) -> Result<()> {
        let failed = |error| Error::io(&self.path, error);
        let mut text = serde_json::to_string(&line).map_err(|error| Error::Data(error.to_string()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        self.take(line);
        Ok(())
    }

    /// Writes down what has happened, unless that was known.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, event: &Event) -> Result<()> {
        match self.by_key.contains_key(&event.key) {
            true => Ok(()),
            false => self.write(Line::Event { event: Box::new(event.clone()) }),
        }
    }

    /// The events that somebody has not been told yet, in the order in which they happened, and who.
    pub fn due(&self) -> Vec<(Event, Vec<String>)> {
        let due = |entry: &Entry| {
            let receivers = [PRINTED.to_string()].into_iter().chain(entry.event.webhooks.iter().cloned());
            let missing: Vec<String> = receivers.filter(|it| !entry.told.contains(it)).collect();
            (!missing.is_empty()).then(|| (entry.event.clone(), missing))
        };
        self.entries.iter().filter_map(due).collect()
    }

    /// Writes down that somebody has been told.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn told(&mut self, key: &str, to: &str) -> Result<()> {
        self.write(Line::Sent { sent: key.to_string(), to: to.to_string() })
    }
}

/// The receiver that stands for whoever reads what is printed.
pub const PRINTED: &str = "stdout";

#[cfg(test)]
mod tests {
    use super::*;

    fn event(key: &str) -> Event {
        serde_json::from_str(&format!(
            r#"{{"key": "{key}", "alert": "a.b", "label": null, "severity": "high", "rule": "status", "indicator": "a.c",
                "slice": {{}}, "period": "2026-01", "periods": 1, "as_of": "", "value": 1.5, "target": null,
                "attainment": null, "status": null, "limit": null, "expected": null, "deviations": null, "owner": null,
                "because": null, "before": null, "explained": [], "localised": [], "unexplained": [], "notify": [],
                "webhooks": ["http://one", "http://two"]}}"#
        ))
        .unwrap()
    }

    /// Tells all that is due, and notes whom.
    fn tell(journal: &mut Journal, told: &mut Vec<(String, String)>) {
        for (event, receivers) in journal.due() {
            for receiver in receivers {
                told.push((event.key.clone(), receiver.clone()));
                journal.told(&event.key, &receiver).unwrap();
            }
        }
    }

    #[test]
    fn wherever_the_file_is_cut_everybody_is_told_and_nobody_twice_whom_it_says_to_be_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let keys = ["first", "second", "third"];
        let run = |path: &Path, told: &mut Vec<(String, String)>| {
            let mut journal = Journal::open(path).unwrap();
            keys.iter().for_each(|key| journal.add(&event(key)).unwrap());
            tell(&mut journal, told);
        };
        run(&path, &mut vec![]);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let kept = String::from_utf8_lossy(&whole[..cut]);
            let lines = kept.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let known = lines.filter(|line| line.starts_with(r#"{"sent""#)).count();
            let mut told = Vec::new();
            run(&path, &mut told);
            assert_eq!(told.len(), keys.len() * 3 - known, "cut at {cut}");
            let mut again = Vec::new();
            run(&path, &mut again);
            assert_eq!(again, vec![], "cut at {cut}");
        }
    }

    #[test]
    fn two_runs_do_not_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let first = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(Error::Data(_))));
        drop(first);
        assert!(Journal::open(&path).is_ok());
    }

    #[test]
    fn a_damaged_line_is_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::fs::write(&path, "{\"sent\": \"a\", \"to\": \"b\"}\n{\"sent\"\n").unwrap();
        let Err(Error::Data(message)) = Journal::open(&path) else { panic!("it was read") };
        assert!(message.contains("state:2"), "{message}");
    }
}
