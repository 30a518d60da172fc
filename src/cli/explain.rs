//! `bell explain`: a statement at each stage of its way to rows.

use std::process::ExitCode;

use bellwether::Engine;
use clap::{Args, ValueEnum};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::displayable;

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
        let failed = |error| Failure::asked(error, &engine, &self.sql);
        let plan = engine.logical_plan(&self.sql).await.map_err(failed)?;
        let text = stage(&engine, plan, self.stage).await.map_err(|error| failed(error.into()))?;
        print(&format!("{}\n", text.trim_end()))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn stage(engine: &Engine, plan: LogicalPlan, stage: Stage) -> Result<String, DataFusionError> {
    let state = engine.context().state();
    Ok(match stage {
        Stage::Ast | Stage::Catalog | Stage::Plan => plan.display_indent().to_string(),
        Stage::Optimized => state.optimize(&plan)?.display_indent().to_string(),
        Stage::Physical => displayable(state.create_physical_plan(&plan).await?.as_ref()).indent(true).to_string(),
    })
}
