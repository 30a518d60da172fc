//! The reference manual: a page a chapter, in the order in which a newcomer would read them.
//!
//! | chapter | for |
//! |---|---|
//! | [getting started](getting_started) | the first answer, the first own project |
//! | [the language](language) | rules that hold everywhere in a `.bell` file; what is not yet supported |
//! | [sources] | where rows lie, what tells them apart, how tables relate |
//! | [dimensions] | what to slice by: paths, conformed dimensions, segments, hierarchies, time |
//! | [indicators] | what to measure: aggregates, filters, formulas, units |
//! | [contexts] | indicators elsewhere: shares, other periods, windows, closing values, values of values |
//! | [ten quick calculations](quick_calculations) | 同比 环比 累计 占比 and the others by name, in Bell and in SQL |
//! | [events] | what rows lead to: conversions, funnels, cohorts |
//! | [where does the time go?](processes) | processes: steps, waiting, rework, bottlenecks |
//! | [why did it change?](decomposition) | trees, and what did what to a number |
//! | [are we on track?](targets) | targets, attainment, status, scorecards |
//! | [who answers, and what for?](scenarios) | scenarios, owners, the audit |
//! | [who is told?](alerts) | alerts: rules, events, webhooks |
//! | [every night](runs) | publications, `bell run`, what readers see |
//! | [answers kept ready](rollups) | rollups: stored cells that answer by themselves |
//! | [which answers to keep ready?](advice) | `bell advise`: rollups for what is asked |
//! | [before it is told](expectations) | what is expected of the data, and how new it is |
//! | [at their own tools](serving) | `bell serve`: psql, Python, BI boards over the PostgreSQL wire |
//! | [for programs](http) | HTTP, Arrow Flight SQL, assistants; tokens and encryption |
//! | [for everybody with a browser](page) | what `bell serve` shows at its address |
//! | [who may see what?](policies) | row filters and masks by role |
//! | [which combination is to blame?](localisation) | the cell of a cube that a change comes from |
//! | [what stands out, what comes next?](series) | anomalies, changes of level, forecasts, landings |
//! | [the numbers](numbers) | what an answer means, exactly |
//! | [SQL](sql) | asking in SQL |
//! | [the command line](command_line) | `bell` and its commands |
//! | [errors] | how to read a refusal |
//! | [importing] | bringing a dbt semantic manifest |
//! | [embedding] | Bellwether in a Rust program |
//!
//! The pages are Markdown files beside this one. Their Bell is parsed, their Rust is run, and what
//! they show as answers is asked by the tests.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("language.md")]
pub mod language {}

#[doc = include_str!("sources.md")]
pub mod sources {}

#[doc = include_str!("dimensions.md")]
pub mod dimensions {}

#[doc = include_str!("indicators.md")]
pub mod indicators {}

#[doc = include_str!("contexts.md")]
pub mod contexts {}

#[doc = include_str!("quick_calculations.md")]
pub mod quick_calculations {}

#[doc = include_str!("events.md")]
pub mod events {}

#[doc = include_str!("processes.md")]
pub mod processes {}

#[doc = include_str!("decomposition.md")]
pub mod decomposition {}

#[doc = include_str!("targets.md")]
pub mod targets {}

#[doc = include_str!("scenarios.md")]
pub mod scenarios {}

#[doc = include_str!("alerts.md")]
pub mod alerts {}

#[doc = include_str!("rollups.md")]
pub mod rollups {}

#[doc = include_str!("runs.md")]
pub mod runs {}

#[doc = include_str!("advice.md")]
pub mod advice {}

#[doc = include_str!("expectations.md")]
pub mod expectations {}

#[doc = include_str!("serving.md")]
pub mod serving {}
#[doc = include_str!("http.md")]
pub mod http {}

#[doc = include_str!("page.md")]
pub mod page {}

#[doc = include_str!("policies.md")]
pub mod policies {}

#[doc = include_str!("localisation.md")]
pub mod localisation {}

#[doc = include_str!("series.md")]
pub mod series {}

#[doc = include_str!("numbers.md")]
pub mod numbers {}

#[doc = include_str!("sql.md")]
pub mod sql {}

#[doc = include_str!("command_line.md")]
pub mod command_line {}

#[doc = include_str!("errors.md")]
pub mod errors {}

#[doc = include_str!("importing.md")]
pub mod importing {}

#[doc = include_str!("embedding.md")]
pub mod embedding {}
