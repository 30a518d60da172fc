//! What is wrong, as data: a declared code, places, a reason and a suggestion.
//!
//! Stages return diagnostics beside their value and never stop at the first. Rendering ([`render`], [`json`])
//! is the last thing that happens to a diagnostic, in a front end.
//!
//! Invariant: every code is declared in [`codes`], explained there, and triggered by a golden script.

pub mod codes;
pub mod json;
pub mod render;

use datafusion::error::DataFusionError;

pub use codes::Code;

use crate::source::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The item, or the question, is refused.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// A place with a few words on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there; may be empty.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which kind of mistake.
    pub code: Code,
    /// One sentence, without a full stop: what is wrong, naming the thing.
    pub message: String,
    /// The place to look at; a diagnostic about a whole project or about plain `ctx.sql` has none.
    pub primary: Option<Label>,
    /// Other places that matter ("declared here").
    pub secondary: Vec<Label>,
    /// Reasons that help to understand.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without a place.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Diagnostic { code, message: message.into(), primary: None, secondary: vec![], notes: vec![], help: None }
    }

    /// Points at a place.
    pub fn at(mut self, span: Span) -> Self {
        self.primary = Some(Label { span, text: String::new() });
        self
    }

    /// Points at a place and says something there.
    pub fn labelled(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label { span, text: text.into() });
        self
    }

    /// Points at another place.
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// Adds a reason.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// The severity that its code declares.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl std::fmt::Display for Diagnostic {
    /// One line, for logs and for `ctx.sql` of a foreign program; front ends use [`render`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        for note in &self.notes {
            write!(f, "; {note}")?;
        }
        match &self.help {
            Some(help) => write!(f, " (help: {help})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// The diagnostic that a DataFusion error carries, if it is one of ours.
pub fn carried_by(error: &DataFusionError) -> Option<Diagnostic> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(diagnostic) = current.downcast_ref::<Diagnostic>() {
            return Some(diagnostic.clone());
        }
        if let Some(DataFusionError::External(inner)) = current.downcast_ref::<DataFusionError>()
            && let Some(diagnostic) = inner.downcast_ref::<Diagnostic>()
        {
            return Some(diagnostic.clone());
        }
        source = current.source();
    }
    None
}

/// " did you mean `x`?" material: the known name nearest to `name`, if it is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= (wanted.chars().count() / 3).max(1) && *distance < wanted.chars().count())
        .min_by_key(|(distance, candidate)| (*distance, *candidate))
        .map(|(_, candidate)| candidate)
}
