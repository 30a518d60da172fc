//! What is told of a question: who asked, through which entrance, and how it ended.

use std::sync::Arc;
use std::time::Instant;

use super::failed::Failed;
use super::session::User;
use super::{Entrance, Event, Watch};
use crate::engine::Question;

/// A question that is told of once it has ended; if nobody waits for its end, that is it.
pub(super) struct Record {
    told: bool,
    watch: Arc<Watch>,
    user: String,
    roles: Option<Vec<String>>,
    entrance: Entrance,
    question: Arc<Question>,
    since: Instant,
}

impl Record {
    pub(super) fn new(watch: &Arc<Watch>, user: &User, entrance: Entrance, question: &Arc<Question>) -> Record {
        Record {
            told: false,
            watch: Arc::clone(watch),
            user: user.name.clone(),
            roles: user.roles.as_ref().map(|roles| roles.iter().cloned().collect()),
            entrance,
            question: Arc::clone(question),
            since: Instant::now(),
        }
    }

    /// It has ended so.
    pub(super) fn end(mut self, rows: u64, failed: Option<&Failed>) {
        self.tell(rows, failed);
    }

    /// Its end is told by another record.
    pub(super) fn hand_on(mut self) {
        self.told = true;
    }

    fn tell(&mut self, rows: u64, failed: Option<&Failed>) {
        self.told = true;
        (self.watch)(&Event::Asked {
            user: &self.user,
            roles: self.roles.as_deref(),
            entrance: self.entrance,
            text: &self.question.to_string(),
            seconds: self.since.elapsed().as_secs_f64(),
            rows,
            outcome: failed.map_or("ok", Failed::sqlstate),
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.told {
            self.tell(0, Some(&Failed::Cancelled));
        }
    }
}
