//! Notes: why rollups answer questions, or do not. A session whose options hold [`Notes`] has them filled while it plans.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::{Result, config_err};

/// What was found about rollups while questions were planned.
#[derive(Debug, Clone, Default)]
pub struct Notes(Arc<Mutex<Vec<Note>>>);

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
    /// All of them, each once.
    pub fn all(&self) -> Vec<Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn add(&self, note: Note) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&note) {
            notes.push(note);
        }
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
