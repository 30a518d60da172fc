//! Who may connect, as the file of users says it now. Whom it no longer names is not let in, and is sent away.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use super::presence::Presence;
use super::users::Users;
use super::{Event, Watch};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a file must stay as it is to be believed: who writes it may be in the middle of it.
const SETTLED: Duration = Duration::from_millis(100);

/// Who may connect, and who is there.
pub struct People {
    file: Option<PathBuf>,
    /// What the file said when it was last looked at; `None` if it could not be read.
    seen: Mutex<Option<String>>,
    known: RwLock<Arc<Users>>,
    here: Mutex<Vec<Weak<Presence>>>,
}

impl People {
    /// These, for as long as the server runs.
    pub fn of(users: Users) -> People {
        let (known, here) = (RwLock::new(Arc::new(users)), Mutex::default());
        People { file: None, seen: Mutex::default(), known, here }
    }

    /// Those in a file, which is read again when it changes.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn open(file: &Path) -> Result<People, String> {
        let text = read(file)?;
        let mut people = People::of(Users::read(&text)?);
        (people.file, people.seen) = (Some(file.to_path_buf()), Mutex::new(Some(text)));
        Ok(people)
    }

    /// Who may connect now.
    pub(super) fn known(&self) -> Arc<Users> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Somebody has come in.
    pub(super) fn enter(&self, presence: &Arc<Presence>) {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who have left are forgotten before the list grows.
        if here.len() == here.capacity() {
            here.retain(|known| known.strong_count() > 0);
        }
        here.push(Arc::downgrade(presence));
        drop(here);
        // They may have been let in by what the file said before.
        if !self.known().has(&presence.user) {
            presence.send_away();
        }
    }

    /// Looks after the file until it is dropped.
    pub(super) async fn follow(&self, watch: &Watch) {
        let Some(file) = &self.file else { return std::future::pending().await };
        loop {
            tokio::time::sleep(LOOK).await;
            let mut text = read(file);
            if text.as_ref().ok() == self.seen().as_ref() {
                continue;
            }
            loop {
                tokio::time::sleep(SETTLED).await;
                let again = read(file);
                if again == text {
                    break;
                }
                text = again;
            }
            *self.seen() = text.as_ref().ok().cloned();
            match text.and_then(|text| Users::read(&text)) {
                Ok(users) => watch(&Event::Users { ended: self.renew(users) }),
                Err(error) => watch(&Event::UsersUnread { error: &error }),
            }
        }
    }

    /// From now on these; how many sessions of others were ended.
    fn renew(&self, users: Users) -> usize {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(users);
        let known = self.known();
        let here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let others = here.iter().filter_map(Weak::upgrade).filter(|presence| !known.has(&presence.user));
        others.inspect(|presence| presence.send_away()).count()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("it cannot be read: {error}"))
}
