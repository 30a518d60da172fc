//! [`Function`]: a question as a table function of SQL, with texts as arguments.

use std::fmt::Debug;

use super::{Analysis, Anomalies, Argument, Change, ChangePoints, Forecast, Localise, Model, Score, Status};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Result;

/// A question whose parts are given one by one; most are table functions of SQL.
pub trait Function: Debug + Send + Sync {
    /// Its name in SQL.
    fn name(&self) -> &'static str;
    /// Its arguments in their order.
    fn arguments(&self) -> &'static [&'static str];
    /// The argument that cannot be left out.
    fn needed(&self) -> Option<&'static str> {
        Some("indicator")
    }
    /// The arguments that are lists of names.
    fn lists(&self) -> &'static [&'static str] {
        &["by"]
    }
    /// A call, for messages.
    fn example(&self) -> &'static str;
    /// Puts a text into the place of one of its arguments.
    ///
    /// # Errors
    /// A diagnostic without a place, if the text does not fit there.
    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic>;
    /// The texts of the question that are read, in the order in which they are read.
    fn texts(&self) -> Vec<(Argument, String)>;
    /// What answers the question.
    ///
    /// # Errors
    /// Diagnostics whose places are in the texts, which are added to the model's.
    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis>;
}

/// The names of those that are table functions of SQL.
pub const FUNCTIONS: [&str; 7] =
    ["explain_change", "localise", "anomalies", "change_points", "forecast", "status", "scorecard"];

/// The table function of that name, with nothing given yet.
pub fn function(name: &str) -> Option<Box<dyn Function>> {
    Some(match name {
        "explain_change" => Box::new(Change::default()),
        "localise" => Box::new(Localise::default()),
        "anomalies" => Box::new(Anomalies::default()),
        "change_points" => Box::new(ChangePoints::default()),
        "forecast" => Box::new(Forecast::default()),
        "status" => Box::new(Status::default()),
        "scorecard" => Box::new(Score::default()),
        _ => return None,
    })
}

/// Puts a text into the place of an argument.
///
/// # Errors
/// A diagnostic without a place, if there is no such argument or the text does not fit there.
pub fn assign(function: &mut dyn Function, argument: &str, text: &str) -> Result<(), Diagnostic> {
    let known = function.arguments();
    if known.contains(&argument) {
        return function.set(argument, text);
    }
    let diagnostic = Diagnostic::new(codes::REQUEST, format!("`{}` has no argument `{argument}`", function.name()));
    Err(match nearest(argument, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("its arguments are {}", known.join(", "))),
    })
}

/// The names of a list with commas.
pub(super) fn names(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).collect()
}

/// A number that is given as a text.
pub(super) fn number<N: std::str::FromStr>(argument: &str, text: &str) -> Result<N, Diagnostic> {
    let unfit =
        || Diagnostic::new(codes::REQUEST, format!("`{argument}` takes a number, and `{text}` is none that fits"));
    text.trim().replace('_', "").parse().map_err(|_| unfit())
}

/// One of the values of a list, by its name.
pub(super) fn choice<C: Copy>(what: &str, text: &str, known: &[(&str, C)]) -> Result<C, Diagnostic> {
    let wanted = text.trim().to_lowercase();
    known.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        Diagnostic::new(codes::REQUEST, format!("`{text}` is no {what}"))
            .help(format!("{what}s are {}", names.join(", ")))
    })
}

/// The texts of a question, in the order in which they are read.
#[derive(Debug, Default)]
pub(super) struct Texts(pub(super) Vec<(Argument, String)>);

impl Texts {
    pub(super) fn one(mut self, argument: Argument, text: Option<&str>) -> Self {
        self.0.extend(text.map(|text| (argument, text.to_string())));
        self
    }

    pub(super) fn all(mut self, argument: Argument, texts: &[String]) -> Self {
        self.0.extend(texts.iter().map(|text| (argument, text.clone())));
        self
    }
}
