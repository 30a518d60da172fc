//! `bell query`: indicators by name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bellwether::engine::Question;
use bellwether::source::SourceSet;
use bellwether::{Error, Request};
use clap::Args;

use super::answer::{TimingArgs, answer};
use super::input::read_text;
use super::limits::LimitArgs;
use super::output::{Output, OutputArgs};
use super::{Common, Failure, project};

/// Ask for indicators by name.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell query gmv conversion --by region,metric_time__month \\\n    \
    --where \"channel = 'online'\" --from 2026-01-01 --to 2026-03-31 --order -gmv --limit 10")]
pub struct Query {
    /// Indicators: gmv, or retail.gmv where several packages have one
    indicators: Vec<String>,
    /// Dimensions, with a grain after two underscores: region,metric_time__month
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    /// A condition on dimensions; several must all hold
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    conditions: Vec<String>,
    /// First period of metric_time: 2026, 2026-Q1, 2026-01, 2026-W05, 2026-01-31
    #[arg(long, value_name = "PERIOD")]
    from: Option<String>,
    /// Last period of metric_time, all of it
    #[arg(long, value_name = "PERIOD")]
    to: Option<String>,
    /// Columns to order by; -gmv for the greatest first
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true, value_name = "COLUMNS")]
    order: Vec<String>,
    /// At most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// The distinct values of the dimensions, without an indicator
    #[arg(long)]
    distinct: bool,
    /// The question as a JSON file (`-`: stdin) with the same parts: {"indicators": ["gmv"], "by": ["region"]}
    #[arg(long, value_name = "FILE", conflicts_with_all = QUESTION_PARTS)]
    request: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    timing: TimingArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

const QUESTION_PARTS: [&str; 8] = ["indicators", "by", "conditions", "from", "to", "order", "limit", "distinct"];

impl Query {
    /// Answers the question.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let request = self.request()?;
        let mut output = Output::new(&self.output)?;
        let question = Question::Request(request);
        let engine = project::open_for(&question, common, &self.limits).await?;
        answer(&engine, &question, &mut output, &self.timing).await?;
        output.commit()?;
        Ok(ExitCode::SUCCESS)
    }

    fn request(&self) -> Result<Request, Failure> {
        if let Some(path) = &self.request {
            return read(path);
        }
        if self.indicators.is_empty() && !self.distinct {
            let message = "name an indicator; for the values of dimensions say --distinct --by DIMENSIONS";
            return Err(Failure::Usage(message.to_string()));
        }
        Ok(Request {
            indicators: self.indicators.clone(),
            by: self.by.clone(),
            conditions: self.conditions.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            order: self.order.clone(),
            limit: self.limit,
            distinct: self.distinct,
        })
    }
}

fn read(path: &Path) -> Result<Request, Failure> {
    let text = read_text(path)?;
    let wrong = |error| Error::Data(format!("{}: {error}", path.display()));
    serde_json::from_str(&text).map_err(|error| Failure::new(wrong(error), SourceSet::default()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Arguments, Command};
    use super::*;

    fn parsed(line: &str) -> Request {
        match Arguments::try_parse_from(line.split(' ')).unwrap().command {
            Command::Query(query) => query.request().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_fill_a_request() {
        let request = parsed(
            "bell query gmv conversion --by region,metric_time__month --where channel='online' --where -x>1 \
             --from 2026-01-01 --to 2026-03-31 --order -gmv,region --limit 10",
        );
        let json = serde_json::json!({
            "indicators": ["gmv", "conversion"], "by": ["region", "metric_time__month"],
            "where": ["channel='online'", "-x>1"], "from": "2026-01-01", "to": "2026-03-31",
            "order": ["-gmv", "region"], "limit": 10
        });
        assert_eq!(request, serde_json::from_value(json).unwrap());
    }

    #[test]
    fn a_file_excludes_the_other_parts() {
        assert!(Arguments::try_parse_from(["bell", "query", "gmv", "--request", "x.json"]).is_err());
        assert!(Arguments::try_parse_from(["bell", "query", "--request", "x.json", "-o", "x.csv"]).is_ok());
    }
}
