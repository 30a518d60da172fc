//! The prompt's own commands, one line each.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::list::Kind;
use crate::cli::output::Format;

/// A command of the prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Backslash {
    /// Leave.
    Quit,
    /// List the commands.
    Help,
    /// What this statement answers.
    Ask(String),
    /// Turn times on or off.
    Timing,
    /// Show rows in this format.
    Format(Format),
    /// Write the next result to a file, or not after all.
    Output(Option<PathBuf>),
}

/// What `\?` shows.
pub const HELP: &str = r"\d            list the views
\d VIEW       describe a view
\di           list the indicators
\di NAME      describe an indicator
\dd           list the dimensions
\ds           list the sources
\timing       turn planning and running times on or off
\format F     show rows as table, csv, json or ndjson
\o FILE       write the next result to a file, in the format of its ending; \o alone: not after all
\?            this list
\q            leave (or Ctrl-D)
";

/// The line, if it is a command of the prompt.
pub fn line(text: &str) -> Option<&str> {
    let line = text.trim();
    line.starts_with('\\').then_some(line)
}

/// Reads a command; the error says what is wrong with it.
pub fn parse(line: &str) -> Result<Backslash, String> {
    let line = line.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = Some(argument.trim()).filter(|argument| !argument.is_empty());
    let list = |kind: Kind| Ok(Backslash::Ask(kind.sql().to_string()));
    match (name, argument) {
        ("\\q", None) => Ok(Backslash::Quit),
        ("\\?", None) => Ok(Backslash::Help),
        ("\\d", None) => list(Kind::Views),
        ("\\d", Some(view)) => Ok(Backslash::Ask(format!("DESCRIBE {view}"))),
        ("\\di", None) => list(Kind::Indicators),
        ("\\di", Some(indicator)) => Ok(Backslash::Ask(format!("DESCRIBE INDICATOR {indicator}"))),
        ("\\dd", None) => list(Kind::Dimensions),
        ("\\ds", None) => list(Kind::Sources),
        ("\\timing", None) => Ok(Backslash::Timing),
        ("\\format", Some(format)) => Format::from_str(format, true).map(Backslash::Format),
        ("\\o", path) => Ok(Backslash::Output(path.map(PathBuf::from))),
        _ => Err(format!("{line} is no command here; \\? lists them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_take_their_arguments() {
        assert_eq!(parse("\\q"), Ok(Backslash::Quit));
        assert_eq!(parse("\\d retail.gmv;"), Ok(Backslash::Ask("DESCRIBE retail.gmv".to_string())));
        assert_eq!(parse("\\format  NDJSON"), Ok(Backslash::Format(Format::Ndjson)));
        assert_eq!(parse("\\o a b.csv"), Ok(Backslash::Output(Some(PathBuf::from("a b.csv")))));
        assert_eq!(parse("\\o"), Ok(Backslash::Output(None)));
    }

    #[test]
    fn unknown_commands_are_told() {
        assert_eq!(parse("\\e"), Err("\\e is no command here; \\? lists them".to_string()));
        assert!(parse("\\format xml").is_err());
    }

    #[test]
    fn only_lines_that_begin_so_are_commands() {
        assert_eq!(line("  \\q \n"), Some("\\q"));
        assert_eq!(line("select '\\q'"), None);
    }
}
