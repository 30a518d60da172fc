//! An indicator over time: values that stand out, changes of level, forecasts.
//!
//! The values come from the engine in one question, by the grain and the asked dimensions (`data`). What is done with each
//! series is arithmetic: `statistics` (robust centre and scale, generalised ESD), `season` (trend and season by STL),
//! `change_point` (PELT), `smoothing` (Holt–Winters) and `model` (which forecast is served).
//!
//! Periods without a value are unknown, not zero: they are bridged for the arithmetic, never judged, and where more than
//! one of five is missing nothing is said. `fill 0` in the indicator makes them zeros.

pub mod anomalies;
pub mod change_point;
pub mod control;
mod data;
mod forecast;
mod levels;
pub mod model;
pub mod season;
pub mod smoothing;
pub mod statistics;

pub use anomalies::Anomalies;
pub use forecast::{Forecast, Reach};
pub use levels::ChangePoints;
