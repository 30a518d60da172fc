//! Why did it change? From an indicator, two sides and perhaps dimensions to the parts of the change. And what of it over
//! time: what stands out, what comes next.
//!
//! 1. The values come from the engine like those of any question: as few plans as there can be over as few scans as there
//!    can be (`question`), one row for each side and slice.
//! 2. What is done with them is arithmetic on a few numbers (one for each node of a tree and each slice), and so it is
//!    plain Rust, not a plan: `effects` shares a change among the parts of a formula, `nested` follows it down a tree,
//!    `slices` shares it among slices, `localise` finds the combination of values that is to blame,
//!    `series` looks at values over time.
//!
//! Invariant: the parts of a change add up to it. What no part explains is a row of its own with a flag, or the answer is
//! refused; nothing is spread silently.

mod against;
pub mod arithmetic;
mod cells;
pub mod change;
mod components;
pub mod effects;
mod ends;
mod explanation;
pub mod function;
mod identity;
pub mod localise;
mod named_slices;
pub mod nested;
mod outline;
mod planned;
mod question;
mod reader;
mod rows;
mod scores;
pub mod series;
pub mod slices;
pub mod span;
mod standing;
mod status;
mod targeted;
pub mod watch;

use std::fmt::Debug;
use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::config::ConfigOptions;

use crate::catalog::Catalog;
use crate::check::functions::Functions;
use crate::source::SourceSet;

pub use cells::Cells;
pub use change::Change;
pub use function::Function;
pub use identity::Promise;
pub use localise::Localise;
pub use named_slices::NamedSlices;
pub use outline::Outline;
pub use question::{Question, Spare};
pub use reader::Argument;
pub use scores::Score;
pub use series::{Anomalies, ChangePoints, Forecast, Reach};
pub use status::Status;

/// What questions are read against.
pub struct Model<'m> {
    /// The checked model.
    pub catalog: &'m Arc<Catalog>,
    /// The session's functions, for conditions.
    pub functions: &'m Functions,
    /// The session's options.
    pub options: &'m ConfigOptions,
    /// The wall-clock time in the calendar's zone.
    pub now: NaiveDateTime,
    /// The project's texts; those of the question are added.
    pub sources: SourceSet,
}

/// What answers a question: values to be fetched, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// What is asked of the engine.
    pub questions: Vec<Question>,
    /// What is asked of sides that have no rows in them, where the questions do not say that themselves.
    pub spares: Vec<Spare>,
    /// What becomes of the values.
    pub answer: Arc<dyn Answer>,
}

/// From values to the rows that are shown.
pub trait Answer: Debug + Send + Sync {
    /// The columns.
    fn schema(&self) -> SchemaRef;
    /// The rows.
    ///
    /// # Errors
    /// A diagnostic, if the values do not allow an answer.
    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch>;
    /// What is asked once these values are known, where they only decide that.
    fn later(&self) -> Option<&dyn Later> {
        None
    }
}

/// A question that depends on the answer to another.
pub trait Later: Sync {
    /// The question; its columns are those of the answer before it.
    ///
    /// # Errors
    /// A diagnostic, if the values do not allow it.
    fn then(&self, cells: &Cells, options: &ConfigOptions) -> datafusion::common::Result<Analysis>;
}
