//! `bell expect`: is the data as expected?

use std::process::ExitCode;
use std::sync::Arc;

use bellwether::quality::{diagnostics, evaluate};
use bellwether::store::manifest::{Finding, Kept};
use bellwether::{Error, Expect as Request};
use clap::Args;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};

use super::failure::{Problem, Reason, tell};
use super::output::{Digits, Output, OutputArgs};
use super::{Common, Failure, project};

/// The exit code where something is as it must not be.
const BROKEN: u8 = 3;

/// Is the data as expected? What `expect` items say, looked at now.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bell expect orders gmv\n\nExit code 3: an expectation is broken, or could not be looked at; \
    those with `severity warn` do not count."
)]
pub struct Expect {
    /// What is expected of these sources, indicators and publications; all, if none is named
    names: Vec<String>,
    /// As of when what is expected to be fresh is looked at: 2026-10-15 (its end), '2026-10-15 12:00'; default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Expect {
    /// Writes a row for each expectation; what is broken is explained on stderr.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let mut output = Output::new(&self.output)?;
        let engine = project::open(common).await?;
        let failed = |error: Error| Failure::new(error, engine.sources().clone());
        let request = Request { names: self.names.clone(), as_of: self.as_of.clone() };
        let findings = evaluate(&engine, &request).await.map_err(failed)?;
        let rows = table(&findings).map_err(|error| failed(Error::Data(error.to_string())))?;
        let mut writer = output.start(&rows.schema(), Digits::All)?;
        let written = writer.write(&rows).and_then(|()| writer.finish());
        drop(writer);
        written.map_err(|error| output.failed(&error))?;
        output.commit()?;
        let wrong = diagnostics(engine.catalog(), &findings);
        if !wrong.is_empty() {
            let problem = Problem { of: None, what: String::new(), reason: Reason::Diagnostics(wrong) };
            tell(common.error_format, engine.sources(), &[problem]);
        }
        let broken =
            |finding: &Finding| finding.severity == "stop" && matches!(finding.outcome, Kept::Broken | Kept::Failed);
        Ok(if findings.iter().any(broken) { ExitCode::from(BROKEN) } else { ExitCode::SUCCESS })
    }
}

fn table(findings: &[Finding]) -> Result<RecordBatch, datafusion::arrow::error::ArrowError> {
    let texts = |of: fn(&Finding) -> &str| Arc::new(StringArray::from_iter_values(findings.iter().map(of))) as ArrayRef;
    let numbers =
        |of: fn(&Finding) -> u64| Arc::new(UInt64Array::from_iter_values(findings.iter().map(of))) as ArrayRef;
    RecordBatch::try_from_iter([
        ("package", texts(|finding| &finding.package)),
        ("expectation", texts(|finding| &finding.expectation)),
        ("severity", texts(|finding| &finding.severity)),
        ("outcome", texts(|finding| finding.outcome.name())),
        ("broken", numbers(|finding| finding.broken)),
        ("of", numbers(|finding| finding.of)),
    ])
}
