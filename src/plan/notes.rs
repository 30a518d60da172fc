//! Notes: why rollups answer questions, or do not. A session whose options hold [`Notes`] has them filled while it plans.
//!
//! They may also suppose that rollups are stored which are not: so `bell advise` has the planner itself say what a rollup
//! would answer.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::{Result, config_err};

use crate::catalog::expr::Input;
use crate::catalog::rollup::Rollup;
use crate::catalog::{IndicatorId, SourceId};

/// What was found about rollups while questions were planned.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    found: Arc<Mutex<Found>>,
    supposed: Arc<Vec<Rollup>>,
}

#[derive(Debug, Default)]
struct Found {
    notes: Vec<Note>,
    sought: Vec<Sought>,
}

/// What a part of a question is put together from: the rows of one source in one context.
#[derive(Debug, Clone)]
pub struct Sought {
    /// The source whose rows are asked for.
    pub source: SourceId,
    /// The indicators that are asked for.
    pub indicators: Vec<IndicatorId>,
    /// What its groups and conditions look at, without the time of the rows.
    pub keys: Vec<Input>,
    /// What filters of single aggregates look at.
    pub filters: Vec<Input>,
    /// Why no cells can tell it, if none can.
    pub never: Option<String>,
    /// The rollups that can answer it, and how many cells each has.
    pub fits: Vec<(String, u64)>,
    /// Those that cannot, and why.
    pub missed: Vec<(String, Vec<String>)>,
}

/// A rollup that measures a source of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The rollup, with its package.
    pub rollup: String,
    /// The source whose rows were asked for.
    pub source: String,
    /// Why it does not answer; empty: it does.
    pub missed: Vec<String>,
    /// When it was computed, where its sources have changed since, within its tolerance.
    pub late_since: Option<String>,
}

impl Notes {
    /// Notes of questions that are planned as if these rollups were there, too.
    pub fn supposing(rollups: Vec<Rollup>) -> Notes {
        Notes { supposed: Arc::new(rollups), ..Notes::default() }
    }

    /// The rollups that are supposed to be there.
    pub(crate) fn supposed(&self) -> &[Rollup] {
        &self.supposed
    }

    /// All of them, each once.
    pub fn all(&self) -> Vec<Note> {
        self.found().notes.clone()
    }

    /// The parts of the questions, in the order in which they were planned.
    pub fn sought(&self) -> Vec<Sought> {
        self.found().sought.clone()
    }

    pub(crate) fn add(&self, note: Note) {
        let mut found = self.found();
        if !found.notes.contains(&note) {
            found.notes.push(note);
        }
    }

    pub(crate) fn seek(&self, sought: Sought) {
        self.found().sought.push(sought);
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConfigExtension for Notes {
    const PREFIX: &'static str = "bell_notes";
}

impl ExtensionOptions for Notes {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        config_err!("there is no option {}.{key}", Notes::PREFIX)
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        vec![]
    }
}
