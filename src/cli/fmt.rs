//! `bell fmt`: the one layout of `.bell` files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bellwether::Error;
use bellwether::source::{SourceFile, SourceSet};
use clap::Args;

use super::input::{STDIN, read_text};
use super::output::print;
use super::{Common, Failure, library, project};

/// Lay out .bell files the one way; comments stay.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Files or folders; `-` reads stdin and writes stdout; default: the whole project
    #[arg(value_name = "FILES|DIR")]
    paths: Vec<PathBuf>,
    /// Write nothing: list the files that would change, exit code 1 if there are any
    #[arg(long)]
    check: bool,
}

/// What formatting does to one file.
enum Outcome {
    Same,
    Changed(String),
}

impl Fmt {
    /// Formats, or checks, each file; one that is broken does not keep the others from it.
    pub fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        if self.paths == [PathBuf::from(STDIN)] {
            return self.stdin();
        }
        let paths = if self.paths.is_empty() { vec![project::folder(common)?] } else { self.paths.clone() };
        let (mut changed, mut failure) = (false, None);
        for path in &paths {
            let set = SourceSet::load(path).map_err(|error| Failure::new(error, SourceSet::default()))?;
            for file in set.files() {
                match formatted(&set, file).and_then(|outcome| self.settle(file, outcome)) {
                    Ok(this) => changed |= this,
                    // The first is as good as any; all of them are what `bell check` is for.
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        match failure {
            Some(failure) => Err(failure),
            None if changed && self.check => Ok(ExitCode::FAILURE),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    /// Whether the file changed, or would.
    fn settle(&self, file: &SourceFile, outcome: Outcome) -> Result<bool, Failure> {
        let (Outcome::Changed(text), Some(path)) = (outcome, &file.path) else { return Ok(false) };
        if !self.check {
            let written = std::fs::write(path, text);
            written.map_err(|error| Failure::new(Error::io(path, error), SourceSet::default()))?;
        }
        print(&format!("{}\n", file.name))?;
        Ok(true)
    }

    fn stdin(&self) -> Result<ExitCode, Failure> {
        let text = read_text(Path::new(STDIN))?;
        let mut set = SourceSet::default();
        let id = set.add("<stdin>", &text);
        match formatted(&set, set.file(id))? {
            Outcome::Changed(_) if self.check => Ok(ExitCode::FAILURE),
            Outcome::Same if self.check => Ok(ExitCode::SUCCESS),
            Outcome::Changed(text) => print(&text).map(|()| ExitCode::SUCCESS),
            Outcome::Same => print(&text).map(|()| ExitCode::SUCCESS),
        }
    }
}

fn formatted(set: &SourceSet, file: &SourceFile) -> Result<Outcome, Failure> {
    let text = library::format(&file.text).map_err(|error| Failure::new(error, set.clone()))?;
    Ok(if text == file.text { Outcome::Same } else { Outcome::Changed(text) })
}
