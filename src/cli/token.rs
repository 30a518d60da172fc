//! `bell token`: a new token for programs.

use std::process::ExitCode;

use bellwether::serve::users::token;
use clap::Args;

use super::Failure;
use super::output::print;

/// Make a token with which a program asks over HTTP, and print what it is checked with, for `bell serve --users`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bell token >> users    # then put a name before what was written, and roles after it"
)]
pub struct Token {}

impl Token {
    /// Writes the verifier to stdout, and the token, which is told this once, to stderr.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let (token, verifier) = token().map_err(Failure::Usage)?;
        eprintln!("the token, which is not shown again: {token}");
        print(&format!("{verifier}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
