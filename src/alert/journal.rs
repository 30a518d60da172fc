//! [`Journal`]: what has happened and who has been told, in a file that survives crashes.
//!
//! A line for each event, `{"event": {…}}`, and one for each time that somebody was told, `{"sent": "key", "to": "address"}`.
//! Lines are only ever added, and each is on the disk before the next thing is done. So a crash can cut no more than the
//! last line, and what it cut had not been relied on: it is dropped when the file is opened again.
//!
//! Of an event of which everybody has been told only the key matters. [`Journal::compact`] writes a new file, in which it is
//! all that is left (`{"done": "key"}`), beside the old one, and puts it into its place at once when it is on the disk. Of many
//! keys the newest are kept; of the periods before these all counts as told (`{"until": "…", "alert": "…"}`), so that the
//! file does not grow for ever and an event is still never told twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::event::{Event, parts_of_key};
use crate::analysis::span::Span;
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
    /// For each alert up to which end of a period everything counts as told.
    until: BTreeMap<String, NaiveDateTime>,
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
    Until { until: NaiveDateTime, alert: String },
}

/// A file of fewer lines is not worth writing anew.
const BULKY: usize = 1000;

/// So many events of which everybody was told are remembered one by one.
const REMEMBERED: usize = 10_000;

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
            until: BTreeMap::new(),
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
            Line::Until { until, alert } => _ = self.until.insert(alert, until),
            Line::Event { event } => {
                // What was still to be told stays so, however long ago its period ended.
                if !self.by_key.contains_key(&event.key) && !self.done.contains(&event.key) {
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
        self.by_key.contains_key(key) || self.done.contains(key) || self.is_long_over(key)
    }

    fn is_long_over(&self, key: &str) -> bool {
        let Some((alert, end)) = alert_and_end(key) else { return false };
        self.until.get(&alert).is_some_and(|until| end <= *until)
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
        let kept = |entry: &Entry| if entry.missing().is_empty() { 0 } else { 1 + entry.told.len() };
        let done = self.done.len() + self.entries.iter().filter(|entry| entry.missing().is_empty()).count();
        let left = self.entries.iter().map(kept).sum::<usize>() + done.min(REMEMBERED) + self.until.len();
        if self.lines < BULKY || left * 2 > self.lines { Ok(()) } else { self.compact() }
    }

    /// Writes the file anew, with nothing but what is due and the keys of what is done.
    ///
    /// # Errors
    /// [`Error::Io`]: the file is then as it was.
    pub fn compact(&mut self) -> Result<()> {
        self.compact_to(REMEMBERED)
    }

    fn compact_to(&mut self, remembered: usize) -> Result<()> {
        let failed = |error| Error::io(&self.path, error);
        let mut done = self.done.clone();
        done.extend(self.entries.iter().filter(|it| it.missing().is_empty()).map(|it| it.event.key.clone()));
        let mut until = self.until.clone();
        forget(&mut done, &mut until, remembered);
        let lines = self.lines_with(&done, &until);
        let bytes = lines.iter().map(text).collect::<Result<String>>()?.into_bytes();
        let beside = beside(&self.path);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&beside).map_err(failed)?;
        // Whoever opens the path next must find it locked, too.
        file.lock().map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&beside, &self.path).map_err(failed)?;
        sync_folder(&self.path).map_err(failed)?;
        (self.file, self.lines, self.done, self.until) = (file, lines.len(), done, until);
        self.entries.retain(|entry| !entry.missing().is_empty());
        let keys = self.entries.iter().enumerate().map(|(at, entry)| (entry.event.key.clone(), at));
        self.by_key = keys.collect();
        Ok(())
    }

    /// What a new file has.
    fn lines_with(&self, done: &BTreeSet<String>, until: &BTreeMap<String, NaiveDateTime>) -> Vec<Line> {
        let long_over = until.iter().map(|(alert, until)| Line::Until { until: *until, alert: alert.clone() });
        let mut lines: Vec<Line> = long_over.collect();
        lines.extend(done.iter().map(|key| Line::Done { done: key.clone() }));
        for entry in self.entries.iter().filter(|entry| !entry.missing().is_empty()) {
            let key = &entry.event.key;
            lines.push(Line::Event { event: Box::new(entry.event.clone()) });
            lines.extend(entry.told.iter().map(|to| Line::Sent { sent: key.clone(), to: to.clone() }));
        }
        lines
    }
}

/// Forgets the keys of the oldest periods where there are more than are remembered; of each alert, everything up to the
/// newest period that is forgotten then counts as told.
fn forget(done: &mut BTreeSet<String>, until: &mut BTreeMap<String, NaiveDateTime>, remembered: usize) {
    let mut ends: Vec<NaiveDateTime> = done.iter().filter_map(|key| Some(alert_and_end(key)?.1)).collect();
    if ends.len() > remembered {
        ends.sort_unstable();
        let last = ends[ends.len() - remembered - 1];
        for (alert, end) in done.iter().filter_map(|key| alert_and_end(key)).filter(|(_, end)| *end <= last) {
            let known = until.entry(alert).or_insert(end);
            *known = end.max(*known);
        }
    }
    done.retain(|key| alert_and_end(key).is_none_or(|(alert, end)| until.get(&alert).is_none_or(|until| end > *until)));
}

/// The alert and the end of the period that a key is of.
fn alert_and_end(key: &str) -> Option<(String, NaiveDateTime)> {
    let (alert, period) = parts_of_key(key)?;
    Some((alert, Span::parse(&period).ok()?.end))
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
    fn of_many_events_the_oldest_periods_are_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let key = |alert: &str, day: u32, slice: &str| format!("p.{alert}|2026-01-{day:02}|region={slice}");
        let mut journal = Journal::open(&path).unwrap();
        for day in 1..=20 {
            journal.add(&event(&key("a", day, "east"))).unwrap();
        }
        journal.add(&event(&key("b", 1, "east"))).unwrap();
        tell(&mut journal, &mut vec![]);
        // Of the 3rd somebody has still to be told.
        journal.add(&event(&key("a", 3, "west"))).unwrap();
        journal.compact_to(5).unwrap();
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(r#"{"until":"2026-01-16T00:00:00","alert":"p.a"}"#), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with(r#"{"done""#)).count(), 5, "{text}");
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.due().len(), 1);
        // None of them is told again, by its key or by its period; what is newer is, and what another alert says.
        for day in 1..=20 {
            journal.add(&event(&key("a", day, "east"))).unwrap();
        }
        journal.add(&event(&key("b", 1, "east"))).unwrap();
        assert_eq!(journal.due().len(), 1);
        journal.add(&event(&key("a", 16, "south"))).unwrap();
        journal.add(&event(&key("b", 2, "east"))).unwrap();
        let due: Vec<String> = journal.due().into_iter().map(|(event, _)| event.key).collect();
        assert_eq!(due, [key("a", 3, "west"), key("a", 16, "south"), key("b", 2, "east")]);
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
