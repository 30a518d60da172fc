//! [`Lock`]: one run at a time writes to a folder.
//!
//! On this machine's disks it is a lock of the operating system, which ends with the process that holds it, however that
//! ends. In an object store it is an object that its holder makes anew every few seconds; one that stays the same for longer
//! is of a dead process, and is taken over. Both are seconded by the manifest, which is only replaced in the version
//! that the run began with: should a process wake up after its lock was taken over, it fails, and spoils nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datafusion::object_store::path::Path;
use datafusion::object_store::{Error as ObjectError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::error::{Error, Result};
use crate::store::again;
use crate::store::destination::Destination;
use crate::store::manifest::FOLDER;

/// A holder in an object store shows that it lives this often.
const SIGN: Duration = Duration::from_secs(5);
/// A holder that has shown no sign for so long is dead.
const LEASE: Duration = Duration::from_secs(30);
/// How often somebody who waits looks again.
const LOOK: Duration = Duration::from_millis(250);

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// Since when, in UTC.
    pub since: String,
    /// How many signs of life it has given: each makes the object another version.
    #[serde(default)]
    pub signs: u64,
}

impl Holder {
    /// This process, for a run.
    pub fn this(run: &str) -> Holder {
        Holder { run: run.to_string(), host: host(), pid: std::process::id(), since: super::now(), signs: 0 }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "run {} (process {} on {}, since {})", self.run, self.pid, self.host, self.since)
    }
}

/// The right to write to a folder; it ends when it is dropped, at the latest.
#[derive(Debug)]
pub enum Lock {
    /// Of the operating system.
    File(File),
    /// An object.
    Object(Lease),
}

/// How somebody is told that he waits.
pub type Waiting<'w> = dyn Fn(&Holder) + Sync + 'w;

impl Lock {
    /// Takes the lock of a folder; if another run has it, waits for so long.
    ///
    /// # Errors
    /// [`Error::Data`] with who has it.
    pub async fn take(
        destination: &Destination,
        holder: &Holder,
        wait: Duration,
        waiting: &Waiting<'_>,
    ) -> Result<Lock> {
        let until = Instant::now() + wait;
        let mut told = false;
        let mut seen = Seen::default();
        loop {
            let other = match &destination.local {
                Some(folder) => match of_file(folder, holder)? {
                    Ok(file) => return Ok(Lock::File(file)),
                    Err(other) => other,
                },
                None => match Lease::take(destination, holder, &mut seen).await? {
                    Ok(lease) => return Ok(Lock::Object(lease)),
                    Err(other) => other,
                },
            };
            if Instant::now() >= until {
                let who = other.as_ref().map_or("another run".to_string(), ToString::to_string);
                let message = format!("{}: {who} is writing there; --wait SECONDS waits for it", destination.shown);
                return Err(Error::Data(message));
            }
            if let (Some(other), false) = (&other, told) {
                waiting(other);
                told = true;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether the lock was taken over from a process that may only be asleep, so that the manifest must be fenced.
    pub fn taken_over(&self) -> bool {
        matches!(self, Lock::Object(lease) if lease.taken_over)
    }

    /// Makes sure that it is still ours.
    ///
    /// # Errors
    /// [`Error::Data`], if another run has taken it over.
    pub async fn confirm(&self) -> Result<()> {
        match self {
            Lock::File(_) => Ok(()),
            Lock::Object(lease) => lease.confirm().await,
        }
    }

    /// Gives it back. What fails here, time heals.
    pub async fn release(self) {
        if let Lock::Object(lease) = self {
            lease.release().await;
        }
    }
}

type Taken<T> = std::result::Result<T, Option<Holder>>;

fn of_file(folder: &FilePath, holder: &Holder) -> Result<Taken<File>> {
    let folder = folder.join(FOLDER);
    let path = folder.join("lock");
    let failed = |error| Error::io(&path, error);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            // Only for whoever waits: the lock itself is the system's.
            let text = serde_json::to_string(holder).map_err(|error| Error::Data(error.to_string()))?;
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| file.write_all(text.as_bytes()))
                .map_err(failed)?;
            Ok(Ok(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            Ok(Err(read.ok().and_then(|_| serde_json::from_str(&text).ok())))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// An object that says who writes.
#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    signs: tokio::task::JoinHandle<()>,
    taken_over: bool,
}

#[derive(Debug)]
struct Shared {
    store: Arc<dyn ObjectStore>,
    path: Path,
    shown: String,
    lost: AtomicBool,
    state: Mutex<(Holder, UpdateVersion)>,
}

/// What somebody who waits has seen of the object, and since when.
#[derive(Default)]
struct Seen {
    version: Option<UpdateVersion>,
    since: Option<Instant>,
}

impl Seen {
    /// Whether this version is of a dead process: it has been the same for long, by our own clock, or by far by the store's.
    fn is_dead(&mut self, version: &UpdateVersion, age: Duration) -> bool {
        if self.version.as_ref() != Some(version) {
            self.version = Some(version.clone());
            self.since = Some(Instant::now());
        }
        age > 2 * LEASE || self.since.is_some_and(|since| since.elapsed() > LEASE)
    }
}

impl Lease {
    async fn take(destination: &Destination, holder: &Holder, seen: &mut Seen) -> Result<Taken<Lease>> {
        let (name, store) = (format!("{FOLDER}/lock.json"), &destination.store);
        let path = destination.below(&name);
        let failed = |error: &ObjectError| Error::Data(destination.failed(&name, error).to_string());
        let put = |mode: PutMode| put(store.as_ref(), &path, holder, mode);
        let (version, taken_over) = match put(PutMode::Create).await {
            Ok(version) => (version, false),
            Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
                let found = match again::get(store.as_ref(), &path).await {
                    Ok(found) => found,
                    // It was given back just now.
                    Err(ObjectError::NotFound { .. }) => return Ok(Err(None)),
                    Err(error) => return Err(failed(&error)),
                };
                let version = found.version;
                let age = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) - found.modified;
                let other: Option<Holder> = serde_json::from_slice(&found.bytes).ok();
                let own = other.as_ref().is_some_and(|other| other.run == holder.run);
                if !own && !seen.is_dead(&version, age.to_std().unwrap_or_default()) {
                    return Ok(Err(other));
                }
                // Our own is there where the answer to a first try was lost: that try may have taken it over.
                match put(PutMode::Update(version)).await {
                    Ok(version) => (version, true),
                    Err(ObjectError::Precondition { .. } | ObjectError::NotFound { .. }) => return Ok(Err(other)),
                    Err(error) => return Err(failed(&error)),
                }
            }
            Err(error) => return Err(failed(&error)),
        };
        let shared = Arc::new(Shared {
            store: Arc::clone(store),
            path,
            shown: destination.shown.clone(),
            lost: AtomicBool::new(false),
            state: Mutex::new((holder.clone(), version)),
        });
        let signs = tokio::spawn(give_signs(Arc::clone(&shared)));
        Ok(Ok(Lease { shared, signs, taken_over }))
    }

    async fn confirm(&self) -> Result<()> {
        // A store that does not answer for a moment is no reason to give up: the manifest's own condition decides.
        self.shared.renew().await;
        match self.shared.lost.load(Ordering::SeqCst) {
            false => Ok(()),
            true => Err(Error::Data(format!("{}: another run has taken over", self.shared.shown))),
        }
    }

    async fn release(self) {
        self.signs.abort();
        self.shared.renew().await;
        if !self.shared.lost.load(Ordering::SeqCst) {
            let _ = self.shared.store.delete(&self.shared.path).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.signs.abort();
    }
}

impl Shared {
    async fn renew(&self) {
        let mut state = self.state.lock().await;
        state.0.signs += 1;
        let mode = PutMode::Update(state.1.clone());
        match put(self.store.as_ref(), &self.path, &state.0, mode).await {
            Ok(version) => state.1 = version,
            Err(ObjectError::Precondition { .. } | ObjectError::NotFound { .. }) => {
                match self.own_version(&state.0).await {
                    Some(version) => state.1 = version,
                    None => self.lost.store(true, Ordering::SeqCst),
                }
            }
            Err(_) => {}
        }
    }
}

impl Shared {
    /// The version that is there, if it is ours: the answer to a try that succeeded may have been lost.
    async fn own_version(&self, holder: &Holder) -> Option<UpdateVersion> {
        let found = again::get(self.store.as_ref(), &self.path).await.ok()?;
        let there: Holder = serde_json::from_slice(&found.bytes).ok()?;
        (there.run == holder.run).then_some(found.version)
    }
}

async fn give_signs(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(SIGN).await;
        shared.renew().await;
    }
}

async fn put(
    store: &dyn ObjectStore,
    path: &Path,
    holder: &Holder,
    mode: PutMode,
) -> std::result::Result<UpdateVersion, ObjectError> {
    let text = serde_json::to_vec(holder).unwrap_or_default();
    let done = store.put_opts(path, text.into(), PutOptions::from(mode)).await?;
    Ok(UpdateVersion { e_tag: done.e_tag, version: done.version })
}

/// The name of this machine.
fn host() -> String {
    let of_system =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let named = of_system.ok().or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
    named.map_or("?".to_string(), |name| name.trim().to_string())
}

#[cfg(test)]
mod tests {
    use datafusion::object_store::memory::InMemory;

    use super::*;

    fn remote() -> Destination {
        Destination::remote(Arc::new(InMemory::new()), "out")
    }

    async fn take(destination: &Destination, run: &str, wait: Duration) -> Result<Lock> {
        Lock::take(destination, &Holder::this(run), wait, &|_| {}).await
    }

    #[tokio::test]
    async fn a_folder_in_a_store_is_written_to_by_one_run_at_a_time() {
        let destination = remote();
        let first = take(&destination, "one", Duration::ZERO).await.unwrap();
        let error = take(&destination, "two", Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains("run one (process "), "{error}");
        first.confirm().await.unwrap();
        first.release().await;
        assert!(!take(&destination, "two", Duration::ZERO).await.unwrap().taken_over());
    }

    #[tokio::test]
    async fn the_lock_of_a_dead_process_is_taken_over_and_one_that_wakes_up_notices() {
        let destination = remote();
        let Lock::Object(first) = take(&destination, "one", Duration::ZERO).await.unwrap() else { panic!() };
        // It sleeps: no more signs of life. An old clock tells the same as waiting.
        first.signs.abort();
        let version = first.shared.state.lock().await.1.clone();
        let mut seen = Seen { version: Some(version), since: Instant::now().checked_sub(2 * LEASE) };
        let second = Lease::take(&destination, &Holder::this("two"), &mut seen).await.unwrap().unwrap();
        assert!(second.taken_over);
        let error = first.confirm().await.unwrap_err().to_string();
        assert_eq!(error, "x:out: another run has taken over");
        // The sleeper does not give back what is not his.
        first.release().await;
        second.confirm().await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_on_disk_is_locked_by_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let mut destination = remote();
        destination.local = Some(folder.path().to_path_buf());
        let first = take(&destination, "one", Duration::ZERO).await.unwrap();
        let error = take(&destination, "two", Duration::ZERO).await.unwrap_err().to_string();
        assert!(error.contains("run one (process "), "{error}");
        let waiting = take(&destination, "two", Duration::from_secs(20));
        let later = async {
            tokio::time::sleep(LOOK).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, later);
        second.unwrap();
    }
}
