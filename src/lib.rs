//! Bellwether: an indicator (KPI) engine on Apache DataFusion.

pub mod catalog;
pub mod check;
pub mod diagnostic;
pub mod engine;
pub mod error;
pub mod init;
pub mod manual;
pub mod plan;
pub mod source;
pub mod store;
pub mod syntax;

pub use engine::{Engine, Project, register};
pub use error::{Error, Result};
pub use plan::Request;
