//! Bellwether: an indicator (KPI) engine on Apache DataFusion.
//!
//! A project is a folder of `.bell` files that say what numbers mean: sources and their joins, dimensions, indicators.
//! Bellwether checks them, and answers every question to them in SQL or Rust with one DataFusion plan. An answer is
//! right, or it is refused with the place and the reason. The language and the meaning of the numbers are described in
//! the [`manual`]; this page is for programs.
//!
//! # From text to rows
//!
//! Each stage has one representation, and a function leads from each to the next:
//!
//! | stage | function | takes | gives | what is wrong comes as |
//! |---|---|---|---|---|
//! | read | [`source::SourceSet::load`] | a folder | [`source::SourceSet`] | [`Error::Io`] |
//! | parse | [`syntax::parse`] | a [`source::SourceFile`] | [`syntax::Parsed`]: a tree | diagnostics beside it |
//! | look outside | [`store::gather::gather`] | the trees | the schemas of all sources | diagnostics beside them |
//! | check | [`check::check`] | trees and schemas | [`check::Checked`]: a [`catalog::Catalog`] | diagnostics beside it |
//! | ask | [`Engine::sql`], [`Engine::query`], `ctx.sql`, data frames | a text, a [`Request`] | a plan with [`plan::measure`] markers | located diagnostics |
//! | expand | [`plan::rules::ExpandMeasures`] | that plan | a plain `LogicalPlan` | diagnostics that name items |
//! | run | DataFusion | the plan | record batches | [`Error::Engine`], explained by [`Engine::explained`] |
//!
//! The first four stages make a [`Project`]; checking never stops at the first error. `bell explain --stage` prints
//! what a question is at each stage.
//!
//! # In a session of your own
//!
//! [`register`] puts a project into a `SessionContext` that the program made. Its indicators can then be asked in
//! plain `ctx.sql` and in the DataFrame API, beside the program's own tables.
//!
//! ```
//! use bellwether::{Project, plan::measure, register};
//! use datafusion::assert_batches_eq;
//! use datafusion::prelude::{SessionContext, col, lit};
//! use std::path::Path;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ctx = SessionContext::new();
//! let project = Project::open(Path::new("examples/retail"), &ctx).await?.sound()?;
//! register(&ctx, &project.catalog)?;
//!
//! let sql = "SELECT channel, MEASURE(gmv) AS gmv, MEASURE(buyers) AS buyers
//!            FROM retail.indicators GROUP BY ROLLUP (channel) ORDER BY channel";
//! assert_batches_eq!(
//!     [
//!         "+---------+-------------+--------+",
//!         "| channel | gmv         | buyers |",
//!         "+---------+-------------+--------+",
//!         "| o2o     | 1697572.90  | 5080   |",
//!         "| online  | 4458140.14  | 6781   |",
//!         "| store   | 3909379.06  | 4662   |",
//!         "|         | 10065092.10 | 7419   |", // fewer than the sum: many buy in several channels
//!         "+---------+-------------+--------+",
//!     ],
//!     &ctx.sql(sql).await?.collect().await?
//! );
//!
//! let frame = ctx
//!     .table("retail.indicators")
//!     .await?
//!     .filter(col("channel").eq(lit("store")))?
//!     .aggregate(vec![], vec![measure(col("gmv")), measure(col("buyers"))])?;
//! assert_batches_eq!(
//!     [
//!         "+--------------------------------+-----------------------------------+",
//!         "| measure(retail.indicators.gmv) | measure(retail.indicators.buyers) |",
//!         "+--------------------------------+-----------------------------------+",
//!         "| 3909379.06                     | 4662                              |",
//!         "+--------------------------------+-----------------------------------+",
//!     ],
//!     &frame.collect().await?
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # An engine, and a refusal
//!
//! An [`Engine`] is a project with a session. Its own SQL also knows bare indicators and `SHOW`, and says where in the
//! text a question is wrong.
//!
//! ```
//! use bellwether::{Engine, Error, diagnostic::render};
//! use std::path::Path;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::open(Path::new("examples/retail")).await?;
//! engine.sql("SELECT region, gmv, conversion FROM retail.indicators GROUP BY region").await?.show().await?;
//!
//! // Nobody can say which product a visit was for.
//! let question = "SELECT product, visitors FROM retail.indicators GROUP BY product";
//! let Err(Error::Diagnostics(found)) = engine.sql(question).await else { panic!("visits have no product") };
//! assert_eq!(
//!     render::to_text(&engine.sources_with(question), &found[0], false),
//!     "\
//! error[B0309]: `visits` cannot reach `product`
//!  --> <sql>:1:8
//!   |
//! 1 | SELECT product, visitors FROM retail.indicators GROUP BY product
//!   |        ^^^^^^^
//!   |
//!   = note: no chain of joins leads from `visits` to `products`
//!   = note: asked by indicator `visitors`
//!   = help: declare the missing join in `visits` (`join … = products on …`), or give `product` a definition for `visits`
//! "
//! );
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod advise;
pub mod alert;
pub mod analysis;
pub mod audit;
pub mod catalog;
pub mod check;
pub mod diagnostic;
pub mod engine;
pub mod error;
pub mod goal;
pub mod import;
pub mod init;
pub mod manual;
pub mod plan;
pub mod publish;
pub mod quality;
#[cfg(feature = "serve")]
pub mod serve;
pub mod source;
pub mod store;
pub mod syntax;

pub use alert::Alerts;
pub use analysis::{Anomalies, Change, ChangePoints, Forecast, Localise, Outline, Score, Status};
pub use engine::{Engine, Project, register};
pub use error::{Error, Result};
pub use plan::Request;
pub use publish::Run;
pub use quality::Expect;
