//! The command line: arguments here, then one file a command.
//!
//! Results go to stdout, everything else (errors, timings, progress) to stderr. Exit codes: 0 fine; 1 the model, the
//! question or the data is wrong; 2 wrong usage; 3 something is red (`status`), found (`audit`), not as expected
//! (`expect`) or a part of a `run` failed; 130 cancelled by Ctrl-C.

mod advise;
mod alerts;
mod answer;
mod audit;
mod check;
mod expect;
mod explain;
mod explain_code;
mod failure;
mod fmt;
mod import;
mod init;
mod input;
mod interrupt;
mod limits;
mod list;
mod localise;
#[cfg(feature = "mcp")]
mod mcp;
mod output;
#[cfg(feature = "serve")]
mod password;
mod planned;
mod progress;
mod project;
mod prompt;
mod query;
mod run;
mod scorecard;
mod series;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod sql;
mod status;
#[cfg(feature = "serve")]
mod token;
mod tree;
mod why;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use bellwether::Error;
use bellwether::source::SourceSet;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use tokio::runtime::{Builder, Runtime};

use failure::Failure;

/// Indicators as code: declare them in `.bell` files, ask for them in SQL.
#[derive(Debug, Parser)]
#[command(name = "bell", version, about, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands, before or after its name.
#[derive(Debug, clap::Args)]
struct Common {
    /// The project's folder; default: the nearest folder upwards that has .bell files
    #[arg(short, long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// See the project as somebody with this role does (may be said several times): policies hold [default: all is seen]
    #[arg(long = "role", global = true, value_name = "ROLE")]
    roles: Vec<String>,
    /// How errors are written to stderr
    #[arg(long, global = true, value_enum, default_value_t = ErrorFormat::Text)]
    error_format: ErrorFormat,
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ErrorFormat {
    /// For people: the place with carets, the reason, a suggestion
    Text,
    /// For programs: one array of objects
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at data files and write a first project over them
    Init(init::Init),
    /// Write a project from the model of another tool
    Import(import::Import),
    /// Check a project: all errors in one pass
    Check(check::Check),
    /// Audit a project: owners, targets, scenarios, what is there twice
    Audit(audit::Audit),
    /// Lay out .bell files the one way
    Fmt(fmt::Fmt),
    /// Explain a diagnostic code
    ExplainCode(explain_code::ExplainCode),
    /// Ask for indicators by name
    Query(query::Query),
    /// Ask in SQL; without a statement, at a prompt
    Sql(sql::Sql),
    /// Why did an indicator change? By its tree, and by slices
    Why(why::Why),
    /// Which combination of dimension values is to blame for a change?
    Localise(localise::Localise),
    /// Which values of an indicator stand out?
    Anomalies(series::Anomalies),
    /// Since when is an indicator on another level?
    ChangePoints(series::ChangePoints),
    /// What comes next, and where will a period land?
    Forecast(series::Forecast),
    /// Show a tree of indicators with values and changes
    Tree(tree::Tree),
    /// Are indicators on track? Values, targets, red, amber, green
    Status(status::Status),
    /// Evaluate the alerts, and tell whom they concern, once
    Alerts(alerts::Alerts),
    /// Is the data as expected?
    Expect(expect::Expect),
    /// Run the publications and rollups: compute them and write them to files, which readers see change in one step
    Run(run::Run),
    /// Propose rollups for questions that were asked
    Advise(advise::Advise),
    /// Serve the project to psql, BI tools and programs
    #[cfg(feature = "serve")]
    Serve(serve::Serve),
    /// Serve the project to an assistant over stdin and stdout (Model Context Protocol)
    #[cfg(feature = "mcp")]
    Mcp(mcp::Mcp),
    /// Print what a password is checked with, for `bell serve --users`
    #[cfg(feature = "serve")]
    Password(password::Password),
    /// Make a token for a program, and print what it is checked with, for `bell serve --users`
    #[cfg(feature = "serve")]
    Token(token::Token),
    /// Show a scorecard: scores, and what changed them
    Scorecard(scorecard::Scorecard),
    /// List what the project declares
    List(list::List),
    /// Show an indicator: meaning, formula, owner, dimensions, lineage
    Show(show::Show),
    /// Show what becomes of a SQL statement, stage by stage
    Explain(explain::Explain),
}

impl Command {
    /// Whether it shows a project to somebody, and does nothing for everybody.
    fn has_a_viewer(&self) -> bool {
        #[cfg(feature = "serve")]
        if let Command::Serve(_) | Command::Password(_) | Command::Token(_) = self {
            return false;
        }
        !matches!(
            self,
            Command::Init(_)
                | Command::Import(_)
                | Command::Check(_)
                | Command::Fmt(_)
                | Command::ExplainCode(_)
                | Command::Alerts(_)
                | Command::Expect(_)
                | Command::Run(_)
                | Command::Advise(_)
                | Command::Audit(_)
        )
    }
}

/// Runs a command and reports its failure.
pub fn run(arguments: Arguments) -> ExitCode {
    if !arguments.common.roles.is_empty() && !arguments.command.has_a_viewer() {
        let message = "--role is for commands that show something; this one works for everybody";
        Arguments::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    outcome(&arguments).unwrap_or_else(|failure| failure.report(arguments.common.error_format))
}

fn outcome(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let started = interrupt::listen().and_then(|()| runtime());
    let runtime = started
        .map_err(|error| Failure::new(Error::Data(format!("cannot start threads: {error}")), SourceSet::default()))?;
    let outcome = runtime.block_on(dispatch(&arguments.command, &arguments.common));
    // A cancelled query may still be computing: nobody waits for it.
    runtime.shutdown_background();
    outcome
}

/// Twice as many threads as cores, which is as many as a query uses: a cancelled query that does not notice at once
/// leaves enough for the prompt's next statement.
fn runtime() -> std::io::Result<Runtime> {
    let threads = 2 * std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

async fn dispatch(command: &Command, common: &Common) -> Result<ExitCode, Failure> {
    match command {
        // The prompt outlives a cancelled statement, so `sql` does its own watching.
        Command::Sql(sql) => sql.run(common).await,
        // It has callers to say goodbye to.
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve.run(common).await,
        command => interrupt::cancellable(run_command(command, common)).await?,
    }
}

async fn run_command(command: &Command, common: &Common) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(init) => init.run().await,
        Command::Import(import) => import.run().await,
        Command::Check(check) => check.run(common).await,
        Command::Audit(audit) => audit.run(common).await,
        Command::Fmt(fmt) => fmt.run(common),
        Command::ExplainCode(explain_code) => explain_code.run(),
        Command::Query(query) => query.run(common).await,
        Command::Sql(sql) => sql.run(common).await,
        Command::Why(why) => why.run(common).await,
        Command::Localise(localise) => localise.run(common).await,
        Command::Anomalies(anomalies) => anomalies.run(common).await,
        Command::ChangePoints(change_points) => change_points.run(common).await,
        Command::Forecast(forecast) => forecast.run(common).await,
        Command::Tree(tree) => tree.run(common).await,
        Command::Status(status) => status.run(common).await,
        Command::Alerts(alerts) => alerts.run(common).await,
        Command::Expect(expect) => expect.run(common).await,
        Command::Run(run) => run.run(common).await,
        Command::Advise(advise) => advise.run(common).await,
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve.run(common).await,
        #[cfg(feature = "serve")]
        Command::Password(password) => password.run(),
        #[cfg(feature = "mcp")]
        Command::Mcp(mcp) => mcp.run(common).await,
        #[cfg(feature = "serve")]
        Command::Token(token) => token.run(),
        Command::Scorecard(scorecard) => scorecard.run(common).await,
        Command::List(list) => list.run(common).await,
        Command::Show(show) => show.run(common).await,
        Command::Explain(explain) => explain.run(common).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_project_may_stand_before_or_after_the_command() {
        for line in [["bell", "-p", "x", "sql", "select 1"], ["bell", "sql", "select 1", "-p", "x"]] {
            let arguments = Arguments::try_parse_from(line).unwrap();
            assert_eq!(arguments.common.project, Some(PathBuf::from("x")));
        }
    }
}
