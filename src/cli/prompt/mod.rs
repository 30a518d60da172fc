//! The prompt of `bell sql`, and statements that come through a pipe.

mod backslash;
mod complete;

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use bellwether::engine::Question;
use bellwether::source::SourceSet;
use bellwether::syntax::statements;
use bellwether::{Engine, Error};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Config, Editor};

use super::answer::{TimingArgs, answer};
use super::output::{Output, OutputArgs, print};
use super::{ErrorFormat, Failure, interrupt};
use backslash::Backslash;
use complete::SqlHelper;

/// What the user may change while it runs.
pub struct Session<'a> {
    engine: &'a Engine,
    output: OutputArgs,
    timing: TimingArgs,
    errors: ErrorFormat,
}

/// Whether to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Quit,
}

impl<'a> Session<'a> {
    /// A session with the options of the command line.
    pub fn new(engine: &'a Engine, output: OutputArgs, timing: TimingArgs, errors: ErrorFormat) -> Self {
        Session { engine, output, timing, errors }
    }

    /// Reads and answers until the input ends: on a terminal with a prompt, on which an error is shown and the next
    /// statement awaited; from a pipe until the first error, because what follows may build on what failed.
    pub async fn run(self) -> Result<(), Failure> {
        if std::io::stdin().is_terminal() { self.interactive().await } else { self.piped().await }
    }

    async fn interactive(mut self) -> Result<(), Failure> {
        let mut editor = editor(self.engine).await?;
        let history = history_file();
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        eprintln!("Statements end with a semicolon. \\? for help, \\q or Ctrl-D to leave.");
        loop {
            let text = match editor.readline("bell> ") {
                Ok(text) => text,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => return Ok(()),
                Err(error) => return Err(unreadable(&std::io::Error::other(error))),
            };
            match self.entered(&text).await {
                Ok(Next::Read) => {}
                Ok(Next::Quit) => return Ok(()),
                Err(failure) => drop(failure.report(self.errors)),
            }
            if let Some(path) = &history {
                // A history that cannot be kept is no reason to stop.
                let _ = editor.append_history(path);
            }
        }
    }

    async fn entered(&mut self, text: &str) -> Result<Next, Failure> {
        if let Some(line) = backslash::line(text) {
            return self.command(line).await;
        }
        for range in statements::split(text).statements() {
            self.statement(&statements::in_place(text, &range)).await?;
        }
        Ok(Next::Read)
    }

    async fn piped(mut self) -> Result<(), Failure> {
        let mut pending = String::new();
        for line in std::io::stdin().lock().lines() {
            let line = line.map_err(|error| unreadable(&error))?;
            match backslash::line(&line) {
                Some(command) if pending.trim().is_empty() => {
                    if self.command(command).await? == Next::Quit {
                        return Ok(());
                    }
                }
                _ => pending = self.fed(pending, &line).await?,
            }
        }
        self.entered(&pending).await.map(drop)
    }

    /// Takes a line, answers what it completes, and gives back what is still open.
    async fn fed(&mut self, mut pending: String, line: &str) -> Result<String, Failure> {
        pending.push_str(line);
        pending.push('\n');
        // Only then can anything be complete; looking each time would make long statements slow.
        if !line.contains(';') {
            return Ok(pending);
        }
        let script = statements::split(&pending);
        for range in script.complete {
            self.statement(&pending[range]).await?;
        }
        Ok(script.rest.map_or(String::new(), |range| pending[range].to_string()))
    }

    async fn statement(&mut self, text: &str) -> Result<(), Failure> {
        let mut output = Output::new(&self.output)?;
        let question = Question::sql(text);
        interrupt::cancellable(answer(self.engine, &question, &mut output, &self.timing)).await??;
        output.commit()?;
        if let Some(path) = self.output.output.take() {
            eprintln!("wrote {}", path.display());
        }
        Ok(())
    }

    async fn command(&mut self, line: &str) -> Result<Next, Failure> {
        match backslash::parse(line).map_err(Failure::Usage)? {
            Backslash::Quit => return Ok(Next::Quit),
            Backslash::Help => print(backslash::HELP)?,
            Backslash::Ask(statement) => self.statement(&statement).await?,
            Backslash::Format(format) => self.output.format = Some(format),
            Backslash::Output(path) => self.output.output = path,
            Backslash::Timing => {
                self.timing.timing = !self.timing.timing;
                eprintln!("timing is {}", if self.timing.timing { "on" } else { "off" });
            }
        }
        Ok(Next::Read)
    }
}

async fn editor(engine: &Engine) -> Result<Editor<SqlHelper, DefaultHistory>, Failure> {
    let config = Config::builder().auto_add_history(true).history_ignore_space(true).build();
    let mut editor = Editor::with_config(config).map_err(|error| unreadable(&std::io::Error::other(error)))?;
    editor.set_helper(Some(SqlHelper::new(complete::names(engine.context()).await)));
    Ok(editor)
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::new(Error::Data(format!("cannot read the input: {error}")), SourceSet::default())
}

/// `$XDG_STATE_HOME/bellwether/history`, if its folder exists or can be made.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = state.or_else(|| Some(std::env::home_dir()?.join(".local/state")))?.join("bellwether");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join(Path::new("history")))
}
