//! Catalog and question to one DataFusion `LogicalPlan`; pure and synchronous.

pub mod query;

pub use query::Request;
