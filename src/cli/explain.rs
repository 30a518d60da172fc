//! `bell explain`: a statement at each stage of its way to rows.

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::output::print;
use super::{Common, Failure, project};

/// Show what becomes of a SQL statement.
#[derive(Debug, Args)]
pub struct Explain {
    /// The statement
    sql: String,
    /// At which stage
    #[arg(long, value_enum, default_value_t = Stage::Plan)]
    stage: Stage,
}

/// A stage, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The statement as it was parsed
    Ast,
    /// The indicators and dimensions that it names, as they were resolved
    Catalog,
    /// The logical plan with indicators expanded
    Plan,
    /// The same after DataFusion's optimizer
    Optimized,
    /// What runs
    Physical,
}

impl Explain {
    /// Writes the stage.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let engine = project::open(common).await?;
        let failed = |error| Failure::new(error, engine.sources_with(&self.sql));
        let text = engine.explain(&self.sql, self.stage.into()).await.map_err(failed)?;
        print(&format!("{}\n", text.trim_end()))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl From<Stage> for bellwether::engine::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Ast => Self::Ast,
            Stage::Catalog => Self::Catalog,
            Stage::Plan => Self::Plan,
            Stage::Optimized => Self::Optimized,
            Stage::Physical => Self::Physical,
        }
    }
}
