//! `bell alerts`: which rules hold, and telling whom it concerns, once.

use std::path::PathBuf;
use std::process::ExitCode;

use bellwether::alert::deliver::{Patience, Undelivered, deliver, text};
use bellwether::alert::journal::Journal;
use bellwether::alert::{Outcome, evaluate};
use bellwether::{Alerts as Request, Engine, Error};
use clap::Args;

use super::failure::{Problem, Reason, tell};
use super::output::print;
use super::{Common, Failure, project};

/// Evaluate the alerts: an event for each slice in which one holds, as JSON lines.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bell alerts --state alerts.state\n\nExit code 1: an alert could not be evaluated, or a webhook not be reached."
)]
pub struct Alerts {
    /// The alerts: gmv_red, or retail.gmv_red where several packages have one; all, if none is named
    alerts: Vec<String>,
    /// Up to when the data count: 2026-10-15 (its end), '2026-10-15 12:00'; default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// At most so many causes of each kind with an event; 0: none
    #[arg(long, value_name = "N", default_value_t = 3)]
    causes: usize,
    /// The file that remembers who was told what: only what is new is printed and posted to webhooks. Without it,
    /// everything is printed and nothing posted
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// How often a webhook is tried before it is left for the next run
    #[arg(long, value_name = "N", default_value_t = Patience::default().attempts)]
    attempts: u32,
}

impl Alerts {
    /// Writes the events to stdout.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let engine = project::open(common).await?;
        let failed = |error: Error| Failure::new(error, engine.sources().clone());
        let request = Request { alerts: self.alerts.clone(), as_of: self.as_of.clone(), causes: self.causes };
        let outcome = evaluate(&engine, &request).await.map_err(failed)?;
        let problem = |(alert, error): &(String, Error)| Problem {
            of: Some(("alert", alert.clone())),
            what: "could not be evaluated".to_string(),
            reason: Reason::of(error),
        };
        let mut problems: Vec<Problem> = outcome.failures.iter().map(problem).collect();
        let all_told = match &self.state {
            Some(_) => {
                let missed = match self.tell(&engine, &outcome).await {
                    Ok(missed) => missed,
                    Err(failure) => {
                        tell(common.error_format, engine.sources(), &problems);
                        return Err(failure);
                    }
                };
                let all_told = missed.is_empty();
                problems.extend(missed);
                all_told
            }
            None => {
                for event in &outcome.events {
                    print(&(text(event).map_err(failed)? + "\n"))?;
                }
                true
            }
        };
        tell(common.error_format, engine.sources(), &problems);
        Ok(if outcome.failures.is_empty() && all_told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Tells what is new; what could not be told.
    async fn tell(&self, engine: &Engine, outcome: &Outcome) -> Result<Vec<Problem>, Failure> {
        let failed = |error: Error| Failure::new(error, engine.sources().clone());
        let Some(path) = &self.state else { return Ok(vec![]) };
        let courier = self.courier().map_err(|reason| failed(Error::Data(reason)))?;
        let mut journal = Journal::open(path).map_err(failed)?;
        for event in &outcome.events {
            journal.add(event).map_err(failed)?;
        }
        let mut printed = |body: &str| print_line(body);
        let undelivered = deliver(&mut journal, &courier, &mut printed).await.map_err(failed)?;
        journal.compact_if_bulky().map_err(failed)?;
        let problem = |missed: Undelivered| Problem {
            of: Some(("event", missed.key)),
            what: format!("could not be posted to {}", missed.to),
            reason: Reason::Text(missed.reason),
        };
        Ok(undelivered.into_iter().map(problem).collect())
    }

    #[cfg(feature = "webhooks")]
    fn courier(&self) -> Result<bellwether::alert::deliver::Webhooks, String> {
        bellwether::alert::deliver::Webhooks::new(Patience { attempts: self.attempts, ..Patience::default() })
    }

    #[cfg(not(feature = "webhooks"))]
    fn courier(&self) -> Result<bellwether::alert::deliver::NoWebhooks, String> {
        Ok(bellwether::alert::deliver::NoWebhooks)
    }
}

fn print_line(body: &str) -> Result<(), Error> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{body}").and_then(|()| out.flush());
    written.map_err(|error| Error::io(std::path::Path::new("<stdout>"), error))
}
