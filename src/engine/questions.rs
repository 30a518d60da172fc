//! The table functions that analyse: their arguments as texts, in order and by name.

use crate::analysis::effects::Method;
use crate::analysis::{Analysis, Argument, Change, Model, Score, Status};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Result;

/// A call of one of the table functions.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// `explain_change(…)`.
    Change(Change),
    /// `status(…)`.
    Status(Status),
    /// `scorecard(…)`.
    Score(Score),
}

/// The names of the table functions.
pub(super) const FUNCTIONS: [&str; 3] = ["explain_change", "status", "scorecard"];

impl Asked {
    /// A call without arguments, if there is such a function.
    pub(super) fn named(function: &str) -> Option<Asked> {
        match function {
            "explain_change" => Some(Asked::Change(Change::default())),
            "status" => Some(Asked::Status(Status::default())),
            "scorecard" => Some(Asked::Score(Score::default())),
            _ => None,
        }
    }

    /// The function.
    pub(super) fn function(&self) -> &'static str {
        match self {
            Asked::Change(_) => FUNCTIONS[0],
            Asked::Status(_) => FUNCTIONS[1],
            Asked::Score(_) => FUNCTIONS[2],
        }
    }

    /// The arguments in their order.
    pub(super) fn names(&self) -> &'static [&'static str] {
        match self {
            Asked::Change(_) => {
                &["indicator", "base", "current", "by", "method", "where", "base_where", "current_where"]
            }
            Asked::Status(_) => &["indicator", "by", "at", "as_of", "level", "against"],
            Asked::Score(_) => &["scorecard", "at", "base", "as_of", "level", "against"],
        }
    }

    /// How a call is written.
    pub(super) fn example(&self) -> &'static str {
        match self {
            Asked::Change(_) => {
                "explain_change('gmv', base => '2026-09', current => '2026-10', by => 'region, channel')"
            }
            Asked::Status(_) => "status('gmv', by => 'region', at => '2026-10')",
            Asked::Score(_) => "scorecard('company', at => '2026-10')",
        }
    }

    /// What is missing, if something is.
    pub(super) fn missing(&self) -> Option<&'static str> {
        match self {
            Asked::Change(change) if change.indicator.is_empty() => {
                Some("the first argument is the indicator that is explained")
            }
            Asked::Score(score) if score.scorecard.is_empty() => Some("the first argument is the scorecard"),
            _ => None,
        }
    }

    /// Puts an argument into its place.
    ///
    /// # Errors
    /// A diagnostic without a place, if there is no such argument or method.
    pub(super) fn set(&mut self, name: &str, text: &str) -> Result<(), Diagnostic> {
        let known = match self {
            Asked::Change(change) => set_change(change, name, text)?,
            Asked::Status(status) => set_status(status, name, text),
            Asked::Score(score) => set_score(score, name, text),
        };
        if known {
            return Ok(());
        }
        let message = format!("`{}` has no argument `{name}`", self.function());
        let diagnostic = Diagnostic::new(codes::REQUEST, message);
        Err(match nearest(name, self.names().iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("its arguments are {}", self.names().join(", "))),
        })
    }

    /// The texts that are read, in the order in which they are read.
    pub(super) fn texts(&self) -> Vec<(Argument, String)> {
        match self {
            Asked::Change(change) => change.texts(),
            Asked::Status(status) => status.texts(),
            Asked::Score(score) => score.texts(),
        }
    }

    /// What answers it.
    pub(super) fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        match self {
            Asked::Change(change) => change.prepare(model),
            Asked::Status(status) => status.prepare(model),
            Asked::Score(score) => score.prepare(model),
        }
    }
}

/// What an argument's text is; `None` for what is not read as a text of its own.
pub(super) fn argument(name: &str) -> Option<Argument> {
    Some(match name {
        "indicator" => Argument::Indicator,
        "scorecard" => Argument::Scorecard,
        "base" => Argument::Base,
        "current" => Argument::Current,
        "by" => Argument::By,
        "where" => Argument::Where,
        "base_where" => Argument::BaseWhere,
        "current_where" => Argument::CurrentWhere,
        "at" => Argument::At,
        "as_of" => Argument::AsOf,
        "level" => Argument::Level,
        "against" => Argument::Against,
        _ => return None,
    })
}

/// Whether an argument is a list of names.
pub(super) fn is_list(function: &str, name: &str) -> bool {
    name == "by" || (function == "status" && name == "indicator")
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect()
}

fn set_change(change: &mut Change, name: &str, text: &str) -> Result<bool, Diagnostic> {
    let own = || text.to_string();
    match name {
        "indicator" => change.indicator = own(),
        "base" => change.base = Some(own()),
        "current" => change.current = Some(own()),
        "by" => change.by = list(text),
        "method" => change.method = method(text)?,
        "where" => change.conditions = vec![own()],
        "base_where" => change.base_where = vec![own()],
        "current_where" => change.current_where = vec![own()],
        _ => return Ok(false),
    }
    Ok(true)
}

fn set_status(status: &mut Status, name: &str, text: &str) -> bool {
    let own = Some(text.to_string());
    match name {
        "indicator" => status.indicators = list(text),
        "by" => status.by = list(text),
        "at" => status.at = own,
        "as_of" => status.as_of = own,
        "level" => status.level = own,
        "against" => status.against = own,
        _ => return false,
    }
    true
}

fn set_score(score: &mut Score, name: &str, text: &str) -> bool {
    let own = Some(text.to_string());
    match name {
        "scorecard" => score.scorecard = text.to_string(),
        "at" => score.at = own,
        "base" => score.base = own,
        "as_of" => score.as_of = own,
        "level" => score.level = own,
        "against" => score.against = own,
        _ => return false,
    }
    true
}

fn method(text: &str) -> Result<Method, Diagnostic> {
    let wanted = text.trim().to_lowercase();
    Method::ASKED.into_iter().find(|method| method.name() == wanted).ok_or_else(|| {
        let names: Vec<&str> = Method::ASKED.iter().map(|method| method.name()).collect();
        Diagnostic::new(codes::REQUEST, format!("`{text}` is no method"))
            .help(format!("methods are {}", names.join(", ")))
    })
}
