//! `bell sql`: statements from the command line, a file, a pipe or a prompt.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bellwether::Engine;
use bellwether::engine::Question;
use bellwether::syntax::statements;
use clap::Args;

use super::answer::{TimingArgs, answer};
use super::input::{STDIN, read_text};
use super::limits::LimitArgs;
use super::output::{Output, OutputArgs};
use super::prompt::Session;
use super::{Common, Failure, interrupt, project};

/// Ask in SQL. Without a statement: a prompt on a terminal, else the statements on stdin.
#[derive(Debug, Args)]
pub struct Sql {
    /// One or more statements, separated by semicolons; the first that fails ends the run
    #[arg(value_name = "SQL")]
    text: Option<String>,
    /// Read the statements from a file
    #[arg(short, long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    timing: TimingArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

impl Sql {
    /// Runs the statements, or the prompt.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let output = Output::new(&self.output)?;
        let text = self.text()?;
        let engine = match text.as_deref().and_then(only_statement) {
            Some(question) => interrupt::cancellable(project::open_for(&question, common, &self.limits)).await??,
            None => interrupt::cancellable(project::open_within(common, &self.limits)).await??,
        };
        match text {
            Some(text) => interrupt::cancellable(self.script(&engine, &text, output)).await??,
            None => {
                let (output, timing) = (self.output.clone(), self.timing.clone());
                Session::new(&engine, output, timing, common.error_format).run().await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn script(&self, engine: &Engine, text: &str, mut output: Output) -> Result<(), Failure> {
        for question in questions(text) {
            answer(engine, &question, &mut output, &self.timing).await?;
        }
        output.commit()
    }

    /// The statements, unless they are to be read one by one.
    fn text(&self) -> Result<Option<String>, Failure> {
        let from = match (&self.text, &self.file, &self.output.output) {
            (Some(text), _, _) => return Ok(Some(text.clone())),
            (None, Some(path), _) => path.as_path(),
            (None, None, None) => return Ok(None),
            // One file holds one result, so what comes through the pipe is one script.
            (None, None, Some(_)) => Path::new(STDIN),
        };
        if from == Path::new(STDIN) && std::io::stdin().is_terminal() {
            return Err(Failure::Usage("at a prompt, say \\o FILE instead of --output".to_string()));
        }
        read_text(from).map(Some)
    }
}

fn questions(text: &str) -> Vec<Question> {
    let question = |range| Question::Sql { statement: statements::in_place(text, &range), text: text.to_string() };
    statements::split(text).statements().map(question).collect()
}

fn only_statement(text: &str) -> Option<Question> {
    let mut questions = questions(text);
    if questions.len() == 1 { questions.pop() } else { None }
}
