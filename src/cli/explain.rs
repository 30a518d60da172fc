//! `bell explain`: a statement at each stage of its way to rows.

use std::process::ExitCode;

use bellwether::Engine;
use bellwether::source::SourceSet;
use bellwether::syntax::dialect::{BellDialect, Text};
use clap::{Args, ValueEnum};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::displayable;
use datafusion::sql::parser::{DFParserBuilder, Statement};

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
        let text = match self.stage {
            // What the parser understood needs no project.
            Stage::Ast => parsed(&self.sql).map_err(|error| Failure::new(error, SourceSet::default()))?,
            stage => self.planned(&project::open(common).await?, stage).await?,
        };
        print(&format!("{}\n", text.trim_end()))?;
        Ok(ExitCode::SUCCESS)
    }

    async fn planned(&self, engine: &Engine, stage: Stage) -> Result<String, Failure> {
        let failed = |error| Failure::asked(error, engine, &self.sql);
        let plan = engine.logical_plan(&self.sql).await.map_err(failed)?;
        text_of(engine, plan, stage).await.map_err(|error| failed(error.into()))
    }
}

/// The statements as SQL, one clause a line; Bell's operators are the calls that they became.
fn parsed(sql: &str) -> Result<String, DataFusionError> {
    let dialect = BellDialect::new(Text::Statement);
    let statements = DFParserBuilder::new(sql).with_dialect(&dialect).build()?.parse_statements()?;
    let texts: Vec<String> = statements
        .iter()
        .map(|statement| match statement {
            Statement::Statement(statement) => format!("{statement:#}"),
            other => other.to_string(),
        })
        .collect();
    Ok(texts.join(";\n"))
}

async fn text_of(engine: &Engine, plan: LogicalPlan, stage: Stage) -> Result<String, DataFusionError> {
    let state = engine.context().state();
    Ok(match stage {
        Stage::Ast | Stage::Catalog | Stage::Plan => plan.display_indent().to_string(),
        Stage::Optimized => state.optimize(&plan)?.display_indent().to_string(),
        Stage::Physical => displayable(state.create_physical_plan(&plan).await?.as_ref()).indent(true).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_shows_what_operators_became() {
        let text =
            parsed("select region, measure(gmv) at (all region) from retail.indicators group by region").unwrap();
        assert_eq!(
            text.split_whitespace().collect::<Vec<_>>().join(" "),
            "SELECT region, bell_at(measure(gmv), bell_all(region)) FROM retail.indicators GROUP BY region"
        );
        assert!(parsed("select 1 from").is_err());
    }
}
