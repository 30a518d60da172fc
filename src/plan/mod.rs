//! Catalog and question to one DataFusion `LogicalPlan`; pure and synchronous.
//!
//! Every question, from SQL, the DataFrame API or a [`Request`], is a plan with [`measure`] markers over an
//! [`view::IndicatorView`]. One analyzer rule ([`rules::ExpandMeasures`]) traces each aggregate down to the view and
//! replaces it by the [`combine::answer`] in its [`context::Context`]:
//!
//! 1. indicators become the aggregates that they are made of (`context`),
//! 2. aggregates that share rows become a part: one scan with the joins it needs, one aggregation (`scan`, `part`),
//! 3. parts are joined on the asked dimensions (`combine`), and formulas are computed from them.
//!
//! Invariant: `plan` never sees the syntax tree, reads no file, and makes no SQL text.

mod across;
mod apart;
mod axis;
pub mod cells;
pub mod combine;
pub mod context;
mod dated;
mod days;
mod details;
mod digit_sum;
mod digits;
pub mod digits_at_scan;
mod edges;
mod events;
mod far_filters;
mod fill;
pub mod first_rows;
mod fold;
pub mod formulas;
mod frame;
mod guards;
mod instant;
mod interval;
mod join;
mod join_order;
mod judge;
pub(crate) mod judgement;
mod late_lookup;
mod lean;
mod looked_up;
mod marker;
mod modifiers;
mod names;
pub mod narrow;
mod notes;
pub mod null_safe;
mod options;
mod part;
pub mod percentile_values;
pub mod policed;
mod prepared;
pub mod query;
mod range;
mod reduce;
mod refuse;
pub mod request;
mod rolled_up;
mod rows;
pub mod rules;
mod running;
mod scan;
mod selectivity;
pub mod shared_averages;
pub mod shared_percentiles;
mod shown;
mod side_by_side;
mod situation;
mod so_far;
mod sought;
mod spine;
mod states;
mod steps;
mod trace;
mod values;
pub mod view;
mod windows;

pub(crate) use axis::uncast;
pub use digit_sum::digit_sum;
pub use digits::digit_functions;
pub(crate) use digits::takes_digits;
pub(crate) use judge::one_value;
pub use marker::{Aspect, aspect_functions, measure, measure_aspect, measure_at, measure_udaf, modifier_functions};
pub use notes::{Note, Notes, Sought};
pub use options::{BellOptions, Rewrites};
pub use query::Request;
pub(crate) use range::{conjuncts, narrowed};
pub(crate) use request::{RELATION, instant, over_columns};
pub use scan::{source_rows, whole_source};
pub use shown::Shown;
