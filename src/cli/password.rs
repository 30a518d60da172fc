//! `bell password`: what a password is checked with, for the file of users.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use bellwether::Error;
use bellwether::serve::users::Verifier;
use bellwether::source::SourceSet;
use clap::Args;

use super::Failure;

/// Read a password from stdin and print its verifier, for `bell serve --users`.
#[derive(Debug, Args)]
pub struct Password {}

impl Password {
    /// Prints the verifier.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        if std::io::stdin().is_terminal() {
            eprint!("password (it is shown): ");
            let _ = std::io::stderr().flush();
        }
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Failure::new(Error::io("stdin".as_ref(), error), SourceSet::default()))?;
        let password = line.trim_end_matches(['\n', '\r']);
        if password.is_empty() {
            return Err(Failure::Usage("there is no password on stdin".to_string()));
        }
        let verifier = Verifier::of(password).map_err(Failure::Usage)?;
        println!("{verifier}");
        Ok(ExitCode::SUCCESS)
    }
}
