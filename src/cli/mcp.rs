//! `bell mcp`: the project for an assistant.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bellwether::serve::session::{QuestionLimits, User};
use bellwether::serve::{Event, Options, mcp};
use clap::Args;

use super::limits::{LimitArgs, time};
use super::{Common, Failure, project};

/// Serve the project to an assistant over stdin and stdout (Model Context Protocol): it finds indicators, asks for them, and asks why they changed.
#[derive(Debug, Args)]
#[command(
    after_help = "Example, for the assistant's program:\n  {\"mcpServers\": {\"bellwether\": {\"command\": \"bell\", \"args\": [\"mcp\", \"-p\", \"examples/retail\"]}}}"
)]
pub struct Mcp {
    #[command(flatten)]
    limits: LimitArgs,
    /// How long one question may take: 500ms, 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s")]
    time_limit: Duration,
    /// How old what is known of the data files may become
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s")]
    refresh: Duration,
}

impl Mcp {
    /// Serves until the assistant hangs up.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let folder = project::folder(common)?;
        let options = Options {
            folder: folder.clone(),
            pg: None,
            http: None,
            flight: None,
            connections: 1,
            tls_needed: false,
            memory: self.limits.limits(),
            questions: QuestionLimits { time: Some(self.time_limit), rows: None },
            refresh: self.refresh,
            grace: Duration::ZERO,
        };
        let roles = (!common.roles.is_empty()).then(|| common.roles.iter().cloned().collect());
        let user = User::new("assistant", roles);
        // Stdout is for the assistant.
        let watch = Arc::new(|event: &Event<'_>| {
            if let Event::Read { diagnostics, .. } = event {
                diagnostics.iter().for_each(|shown| eprintln!("{shown}"));
            }
        });
        let served = mcp::serve(options, user, watch).await;
        served.map_err(|error| Failure::new(error, project::texts(&folder)))?;
        Ok(ExitCode::SUCCESS)
    }
}
