//! What later rows tell of a source's rows: its rows once more, with columns that are found by time.
//!
//! The rows of all sources of an event stand in one relation, in order of time for each entity; window functions then
//! see what follows a row. So rows are never compared in pairs.

mod cohort;
mod conversion;
mod funnel;
mod process;
mod timed;

use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::LogicalPlan;

use crate::catalog::Catalog;
use crate::catalog::event::Event;
use crate::plan::days::with_days;

/// The rows of an event's source with the event's columns under that relation. For a conversion they stay as many as
/// they are; a funnel or a cohort chooses among them, and repeats each for every step or age.
pub(crate) fn with_event(
    catalog: &Catalog,
    rows: LogicalPlan,
    event: &Event,
    relation: &TableReference,
) -> Result<LogicalPlan> {
    match event {
        Event::Conversion(conversion) => conversion::with_conversion(catalog, rows, conversion, relation),
        Event::Funnel(funnel) => funnel::with_funnel(catalog, rows, funnel, relation),
        Event::Dated(dated) => with_days(catalog, rows, dated, relation),
        Event::Process(process) => process::with_process(catalog, rows, process, relation),
        Event::Cohort(cohort) => cohort::with_cohort(catalog, rows, cohort, relation),
    }
}
