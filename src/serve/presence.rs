//! Somebody who is there: what is being answered to them, which can be stopped, and whether they were sent away.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::metrics::Counted;
use super::session::User;

/// One who has a session.
pub(super) struct Presence {
    pub(super) user: User,
    /// What is being answered; over once nobody waits for it any more.
    running: Mutex<Vec<Weak<Stop>>>,
    sent_away: CancellationToken,
    _counted: Counted,
}

/// Stops work: whoever waits for it is told at once, and the work ends where it next gives way.
pub(super) struct Stop {
    work: AbortHandle,
    pub(super) told: CancellationToken,
}

impl Stop {
    pub(super) fn stop(&self) {
        self.told.cancel();
        self.work.abort();
    }
}

/// Work that somebody waits for: it is stopped once they do so no longer.
pub(super) struct Awaited(Arc<Stop>);

impl Deref for Awaited {
    type Target = Stop;

    fn deref(&self) -> &Stop {
        &self.0
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Presence {
    pub(super) fn new(user: User, counted: Counted) -> Arc<Presence> {
        let sent_away = CancellationToken::new();
        Arc::new(Presence { user, running: Mutex::default(), sent_away, _counted: counted })
    }

    /// Something is being answered. Of somebody who was sent away, it ends at once.
    pub(super) fn runs(&self, work: AbortHandle) -> Awaited {
        let stop = Arc::new(Stop { work, told: CancellationToken::new() });
        let mut running = self.running();
        running.retain(|known| known.strong_count() > 0);
        running.push(Arc::downgrade(&stop));
        if self.sent_away.is_cancelled() {
            stop.stop();
        }
        Awaited(stop)
    }

    /// Stops what runs.
    pub(super) fn cancel(&self) {
        self.running().drain(..).filter_map(|running| running.upgrade()).for_each(|running| running.stop());
    }

    /// Whether something runs, or its rows are still being sent.
    pub(super) fn is_busy(&self) -> bool {
        self.running().iter().any(|running| running.strong_count() > 0)
    }

    /// Nothing of theirs is answered any more.
    pub(super) fn send_away(&self) {
        // First, so that what begins now is stopped by whoever begins it.
        self.sent_away.cancel();
        self.cancel();
    }

    /// Ends once they were sent away.
    pub(super) async fn sent_away(&self) {
        self.sent_away.cancelled().await;
    }

    fn running(&self) -> MutexGuard<'_, Vec<Weak<Stop>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
