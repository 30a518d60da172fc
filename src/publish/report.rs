//! [`Report`]: what became of a publication.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::store::manifest::{Finding, Input, Kept, Manifest};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Readers see the new whole.
    Published,
    /// It would be run.
    Planned,
    /// It is what it would become: nothing that it is made of has changed.
    Current,
    /// Readers see what they saw before.
    Failed,
}

impl Outcome {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Published => "published",
            Outcome::Planned => "planned",
            Outcome::Current => "current",
            Outcome::Failed => "failed",
        }
    }
}

/// Some periods of a publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Periods {
    /// The column that holds them.
    pub column: String,
    /// The first one; none, if they have no beginning.
    pub from: Option<String>,
    /// The last one; none, if all from the first one on are meant.
    pub to: Option<String>,
}

/// What became of a publication in a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The publication or the rollup's table, with its package.
    pub publication: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The folder, as the model says.
    pub to: String,
    /// The run's name.
    pub run: String,
    /// With others it is answered by one question: the first publication of these.
    pub shared: Option<String>,
    /// Why it is answered by itself, where others of the run read the same sources.
    pub alone: Option<String>,
    /// The hash of the definition.
    pub definition: String,
    /// The periods that are computed, where not all are.
    pub periods: Option<Periods>,
    /// The partitions of the run before that a dry run would replace, or leave away where they have no rows any more.
    pub replaces: Vec<Map<String, Value>>,
    /// How many rows it wrote.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many files.
    pub files: usize,
    /// How many files of earlier runs stay, because only some partitions were computed.
    pub kept: usize,
    /// How many files of earlier runs, or of killed ones, were removed.
    pub cleaned: usize,
    /// How many files of the run before were gone or cut off: they are made anew, and their values are compared with nothing.
    pub lost: usize,
    /// How many of these are of periods that are final: they have the values of today.
    pub reopened: usize,
    /// How many published values of periods that were over moved: `bell.restatements` has them.
    pub restated: u64,
    /// How many would have moved, but are of periods that are final.
    pub held: u64,
    /// The periods of which new files have rows that came later than `lookback` says: they are left out.
    pub late: Vec<String>,
    /// Why the values were not compared with those before, where they could not be.
    pub uncompared: Option<String>,
    /// What was found of the expectations that it depends on.
    pub expectations: Vec<Finding>,
    /// How long it took.
    pub seconds: f64,
    /// What it read.
    pub inputs: Vec<Input>,
    /// Why it failed.
    #[serde(serialize_with = "as_text")]
    pub error: Option<Error>,
}

impl Report {
    /// Before anything is done.
    pub(super) fn new(publication: String, to: String, run: &str) -> Report {
        Report {
            publication,
            outcome: Outcome::Planned,
            to,
            run: run.to_string(),
            shared: None,
            alone: None,
            definition: String::new(),
            periods: None,
            replaces: vec![],
            rows: 0,
            bytes: 0,
            files: 0,
            kept: 0,
            cleaned: 0,
            lost: 0,
            reopened: 0,
            restated: 0,
            held: 0,
            late: vec![],
            uncompared: None,
            expectations: vec![],
            seconds: 0.0,
            inputs: vec![],
            error: None,
        }
    }

    pub(super) fn take(&mut self, manifest: &Manifest) {
        let (new, old): (Vec<_>, Vec<_>) = manifest.files.iter().partition(|file| file.run == self.run);
        self.rows = new.iter().map(|file| file.rows).sum();
        self.bytes = new.iter().map(|file| file.bytes).sum();
        self.files = new.len();
        self.kept = old.len();
    }

    pub(super) fn fail(&mut self, error: Error) {
        self.outcome = Outcome::Failed;
        self.error = Some(error);
    }

    /// The expectations in a few words: `3 kept`, `1 of 3 broken`.
    pub fn expected(&self) -> String {
        let all = self.expectations.len();
        let of = |outcome| self.expectations.iter().filter(|finding| finding.outcome == outcome).count();
        let broken = of(Kept::Broken) + of(Kept::Failed);
        match self.expectations.first().map(|first| first.outcome) {
            None => String::new(),
            Some(Kept::Planned) => format!("{all} planned"),
            Some(_) if broken > 0 => format!("{broken} of {all} broken"),
            Some(_) => format!("{all} kept"),
        }
    }

    /// How many files it read.
    pub fn input_files(&self) -> usize {
        self.inputs.iter().map(|input| input.files.len()).sum()
    }

    /// How many bytes these have.
    pub fn input_bytes(&self) -> u64 {
        self.inputs.iter().flat_map(|input| &input.files).map(|file| file.size).sum()
    }
}

fn as_text<S: serde::Serializer>(error: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    error.as_ref().map(ToString::to_string).serialize(serializer)
}
