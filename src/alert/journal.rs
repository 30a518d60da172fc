//! [`Journal`]: what has happened and who has been told, in a file that survives crashes.
//!
//! A line for each event, `{"event": {…}}`, and one for each time that somebody was told, `{"sent": "key", "to": "address"}`.
//! Lines are only ever added, and each is on the disk before the next thing is done. So a crash can cut no more than the
//! last line, and what it cut had not been relied on: it is dropped when the file is opened again.
//!
//! Of an event of which everybody has been told only the key matters. [`Journal::compact`] writes a new file, in which it is
//! all that is left (`{"done": "key"}`), beside the old one, and puts it into its place at once when it is on the disk.

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
    /// The events of which everybody was told before the file was written anew.
    done: BTreeSet<String>,
    lines: usize,
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
    Done { done: String },
}

/// A file of fewer lines is not worth writing anew.
const BULKY: usize = 1000;

impl Journal {
    /// Opens a journal, or begins one.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`], if another run has it open, or a line is damaged that was complete.
    pub fn open(path: &Path) -> Result<Journal> {
        let failed = |error| Error::io(path, error);
        let mut file = locked(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut journal = Journal {
            path: path.to_path_buf(),
            file,
            entries: vec![],
            by_key: HashMap::new(),
            done: BTreeSet::new(),
            lines: 0,
        };
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
        self.lines += 1;
        match line {
            Line::Done { done } => _ = self.done.insert(done),
            Line::Event { event } => {
                if !self.is_known(&event.key) {
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

    fn is_known(&self, key: &str) -> bool {
        self.by_key.contains_key(key) || self.done.contains(key)
    }

    fn write(&mut self, line: Line) -> Result<()> {
        let failed = |error| Error::io(&self.path, error);
        let text = text(&line)?;
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
        match self.is_known(&event.key) {
            true => Ok(()),
            false => self.write(Line::Event { event: Box::new(event.clone()) }),
        }
    }

    /// The events that somebody has not been told yet, in the order in which they happened, and who.
    pub fn due(&self) -> Vec<(Event, Vec<String>)> {
        let due = |entry: &Entry| {
            let missing = entry.missing();
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

    /// Writes the file anew if most of it does not matter any more.
    ///
    /// # Errors
    /// [`Error::Io`]: the file is then as it was.
    pub fn compact_if_bulky(&mut self) -> Result<()> {
        if self.lines < BULKY || self.compacted()?.iter().filter(|byte| **byte == b'\n').count() * 2 > self.lines {
            return Ok(());
        }
        self.compact()
    }

    /// Writes the file anew, with nothing but what is due and the keys of what is done.
    ///
    /// # Errors
    /// [`Error::Io`]: the file is then as it was.
    pub fn compact(&mut self) -> Result<()> {
        let failed = |error| Error::io(&self.path, error);
        let bytes = self.compacted()?;
        let beside = beside(&self.path);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&beside).map_err(failed)?;
        // Whoever opens the path next must find it locked, too.
        file.lock().map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&beside, &self.path).map_err(failed)?;
        sync_folder(&self.path).map_err(failed)?;
        self.file = file;
        self.lines = 0;
        let entries = std::mem::take(&mut self.entries);
        self.by_key.clear();
        for entry in entries {
            match entry.missing().is_empty() {
                true => _ = self.done.insert(entry.event.key),
                false => {
                    self.lines += 1 + entry.told.len();
                    self.by_key.insert(entry.event.key.clone(), self.entries.len());
                    self.entries.push(entry);
                }
            }
        }
        self.lines += self.done.len();
        Ok(())
    }

    /// What a new file has.
    fn compacted(&self) -> Result<Vec<u8>> {
        let done = |key: &String| Line::Done { done: key.clone() };
        let mut lines: Vec<Line> = self.done.iter().map(done).collect();
        for entry in &self.entries {
            let key = &entry.event.key;
            if entry.missing().is_empty() {
                lines.push(done(key));
                continue;
            }
            lines.push(Line::Event { event: Box::new(entry.event.clone()) });
            lines.extend(entry.told.iter().map(|to| Line::Sent { sent: key.clone(), to: to.clone() }));
        }
        Ok(lines.iter().map(text).collect::<Result<String>>()?.into_bytes())
    }
}

impl Entry {
    /// Who has not been told yet.
    fn missing(&self) -> Vec<String> {
        let receivers = [PRINTED.to_string()].into_iter().chain(self.event.webhooks.iter().cloned());
        receivers.filter(|it| !self.told.contains(it)).collect()
    }
}

fn text(line: &Line) -> Result<String> {
    let text = serde_json::to_string(line).map_err(|error| Error::Data(error.to_string()))?;
    Ok(text + "\n")
}

/// The file, locked. Another run may put a new one in its place between opening and locking: then that one is taken.
fn locked(path: &Path) -> Result<File> {
    let failed = |error| Error::io(path, error);
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if is_at(&file, path) => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Data(format!("{}: another run is telling these events", path.display())));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

/// Whether an open file is the one that a path names.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Elsewhere an open file cannot be replaced.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Where a new file is written; what a crash leaves there is overwritten by the next one.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// The new name is on the disk when its folder is.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
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

    /// A crash may happen while the new file is written, before it takes the old one's place, or at any byte after.
    #[test]
    fn wherever_compaction_is_cut_nobody_is_forgotten_and_nobody_told_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let keys = ["first", "second", "third"];
        let mut journal = Journal::open(&path).unwrap();
        keys.iter().for_each(|key| journal.add(&event(key)).unwrap());
        // Of the first all are told, of the second one, of the third nobody.
        for to in [PRINTED, "http://one", "http://two"] {
            journal.told("first", to).unwrap();
        }
        journal.told("second", "http://one").unwrap();
        let due = journal.due();
        let old = std::fs::read(&path).unwrap();
        journal.compact().unwrap();
        assert_eq!(journal.due(), due);
        drop(journal);
        let new = std::fs::read(&path).unwrap();
        assert!(new.len() < old.len() && !beside(&path).exists());
        let told_by_a_run = |expected: usize, cut: usize| {
            let mut told = Vec::new();
            for expected in [expected, 0] {
                told.clear();
                let mut journal = Journal::open(&path).unwrap();
                keys.iter().for_each(|key| journal.add(&event(key)).unwrap());
                tell(&mut journal, &mut told);
                assert_eq!(told.len(), expected, "cut at {cut}");
                journal.compact().unwrap();
                assert_eq!(journal.due(), vec![]);
            }
        };
        for cut in 0..=new.len() {
            std::fs::write(&path, &old).unwrap();
            std::fs::write(beside(&path), &new[..cut]).unwrap();
            told_by_a_run(5, cut);
        }
        // What is added to the new file is cut like that of the old one.
        std::fs::write(&path, &new).unwrap();
        tell(&mut Journal::open(&path).unwrap(), &mut vec![]);
        let longer = std::fs::read(&path).unwrap();
        assert_eq!(longer[..new.len()], new);
        for cut in new.len()..=longer.len() {
            std::fs::write(&path, &longer[..cut]).unwrap();
            let known = longer[new.len()..cut].iter().filter(|byte| **byte == b'\n').count();
            told_by_a_run(5 - known, cut);
        }
    }

    #[test]
    fn a_journal_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut journal = Journal::open(&path).unwrap();
        for number in 0..300 {
            journal.add(&event(&format!("event {number}"))).unwrap();
        }
        tell(&mut journal, &mut vec![]);
        let before = std::fs::metadata(&path).unwrap().len();
        journal.compact_if_bulky().unwrap();
        drop(journal);
        assert!(std::fs::metadata(&path).unwrap().len() * 10 < before);
        let mut journal = Journal::open(&path).unwrap();
        journal.add(&event("event 7")).unwrap();
        assert_eq!(journal.due(), vec![]);
        journal.add(&event("event 300")).unwrap();
        assert_eq!(journal.due().len(), 1);
        // A file that is locked stays so while it is written anew.
        journal.compact().unwrap();
        assert!(matches!(Journal::open(&path), Err(Error::Data(_))));
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
