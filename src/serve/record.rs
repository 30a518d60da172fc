//! What is told of a question: who asked, through which entrance, and how it ended.

use std::sync::Arc;
use std::time::Instant;

use super::failed::Failed;
use super::session::User;
use super::{Entrance, Event, Watch};
use crate::engine::Question;

/// A question that is told of once it has ended.
pub(super) struct Record {
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
            watch: Arc::clone(watch),
            user: user.name.clone(),
            roles: user.roles.as_ref().map(|roles| roles.iter().cloned().collect()),
            entrance,
            question: Arc::clone(question),
            since: Instant::now(),
        }
    }

    /// It has ended so.
    pub(super) fn end(self, rows: u64, failed: Option<&Failed>) {
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
