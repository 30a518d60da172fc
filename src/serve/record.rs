//! What is told of a question: who asked, through which entrance, and how it ended.

use std::sync::Arc;
use std::time::Instant;

use super::failed::Failed;
use super::session::User;
use super::{Entrance, Event, Watch};

/// A question that is told of once it has ended.
pub(super) struct Record {
    watch: Arc<Watch>,
    user: String,
    roles: Option<Vec<String>>,
    entrance: Entrance,
    text: Arc<str>,
    since: Instant,
}

impl Record {
    pub(super) fn new(watch: &Arc<Watch>, user: &User, entrance: Entrance, text: &str) -> Record {
        Record {
            watch: Arc::clone(watch),
            user: user.name.clone(),
            roles: user.roles.as_ref().map(|roles| roles.iter().cloned().collect()),
            entrance,
            text: text.into(),
            since: Instant::now(),
        }
    }

    /// It has ended so.
    pub(super) fn end(self, rows: u64, failed: Option<&Failed>) {
        (self.watch)(&Event::Asked {
            user: &self.user,
            roles: self.roles.as_deref(),
            entrance: self.entrance,
            text: &self.text,
            seconds: self.since.elapsed().as_secs_f64(),
            rows,
            outcome: failed.map_or("ok", Failed::sqlstate),
        });
    }

    /// It is told of elsewhere.
    pub(super) fn forget(self) {}
}
