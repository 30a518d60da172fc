//! The texts of a question to names, conditions and periods, each with its place.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::datatypes::DataType;

use super::Model;
use super::span::{Span, base_periods, relative};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::period::Period;
use crate::catalog::{Catalog, IndicatorId, Member};
use crate::check::{condition_of, dimension_of};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::{Error, Result};
use crate::plan::Request;
use crate::plan::request::package_of;
use crate::source;

/// What a text of a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Argument {
    Indicator,
    Base,
    Current,
    Grain,
    During,
    Landing,
    By,
    Where,
    BaseWhere,
    CurrentWhere,
    At,
    AsOf,
    Level,
    Against,
    Scorecard,
}

impl Argument {
    /// The argument of a table function that gives it; `None`, if it is not read as a text of its own.
    pub fn named(name: &str) -> Option<Argument> {
        Some(match name {
            "indicator" => Argument::Indicator,
            "base" => Argument::Base,
            "current" => Argument::Current,
            "grain" => Argument::Grain,
            "during" => Argument::During,
            "landing" => Argument::Landing,
            "by" => Argument::By,
            "where" => Argument::Where,
            "base_where" => Argument::BaseWhere,
            "current_where" => Argument::CurrentWhere,
            "at" => Argument::At,
            "as_of" => Argument::AsOf,
            "level" => Argument::Level,
            "against" => Argument::Against,
            "scorecard" => Argument::Scorecard,
            _ => return None,
        })
    }

    /// The name under which the text is shown in diagnostics.
    pub fn file(self) -> &'static str {
        match self {
            Argument::Indicator => "<indicator>",
            Argument::Base => "<base>",
            Argument::Current => "<current>",
            Argument::Grain => "<grain>",
            Argument::During => "<during>",
            Argument::Landing => "<landing>",
            Argument::By => "<by>",
            Argument::Where => "<where>",
            Argument::BaseWhere => "<base where>",
            Argument::CurrentWhere => "<current where>",
            Argument::At => "<at>",
            Argument::AsOf => "<as of>",
            Argument::Level => "<level>",
            Argument::Against => "<against>",
            Argument::Scorecard => "<scorecard>",
        }
    }
}

/// Why time slices no comparison.
pub(super) const ONE_TIME: &str = "both sides are of one time each, so `{}` cannot slice them";

/// Reads the texts of one question, in order.
pub(super) struct Reader<'r, 'm> {
    model: &'r mut Model<'m>,
    read: Vec<(Argument, source::FileId)>,
}

impl<'r, 'm> Reader<'r, 'm> {
    pub(super) fn new(model: &'r mut Model<'m>) -> Self {
        Reader { model, read: vec![] }
    }

    pub(super) fn catalog(&self) -> &Arc<Catalog> {
        self.model.catalog
    }

    pub(super) fn add(&mut self, argument: Argument, text: &str) -> usize {
        let file = self.model.sources.add(argument.file(), text);
        self.read.push((argument, file));
        self.read.iter().filter(|(known, _)| *known == argument).count() - 1
    }

    /// The diagnostic at a text: the first, second, … of its kind.
    pub(super) fn at(&self, diagnostic: Diagnostic, argument: Argument, number: usize) -> Diagnostic {
        match self.place(argument, number) {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        }
    }

    /// The place of a text: the first, second, … of its kind.
    pub(super) fn place(&self, argument: Argument, number: usize) -> Option<source::Span> {
        let mut of_kind = self.read.iter().filter(|(known, _)| *known == argument);
        let (_, file) = of_kind.nth(number)?;
        Some(source::Span::new(*file, 0, self.model.sources.file(*file).text.len()))
    }

    /// What the planner says of a question, at the text that names what it is about.
    pub(super) fn at_dimension(&self, error: Error) -> Error {
        let Error::Diagnostics(list) = error else { return error };
        let located = list.into_iter().map(|diagnostic| {
            if diagnostic.primary.is_some() {
                return diagnostic;
            }
            // "`s` cannot reach `other`": what cannot be reached comes last.
            let about = diagnostic.message.split('`').rfind(|part| !part.trim().is_empty()).unwrap_or_default();
            let text = |file: source::FileId| self.model.sources.file(file).text.as_str();
            let slicing = |argument: Argument| {
                use Argument::{BaseWhere, By, CurrentWhere, Where};
                matches!(argument, By | Where | BaseWhere | CurrentWhere)
            };
            let found = self.read.iter().find(|(argument, file)| slicing(*argument) && text(*file).contains(about));
            match found {
                Some((_, file)) => diagnostic.at(source::Span::new(*file, 0, text(*file).len())),
                None => diagnostic,
            }
        });
        Error::Diagnostics(located.collect())
    }

    /// The indicator of that name, with its package.
    pub(super) fn indicator(&mut self, name: &str) -> Result<(String, IndicatorId), Diagnostic> {
        let number = self.add(Argument::Indicator, name);
        let found = self.indicator_named(name);
        found.map_err(|diagnostic| self.at(diagnostic, Argument::Indicator, number))
    }

    fn indicator_named(&self, name: &str) -> Result<(String, IndicatorId), Diagnostic> {
        let catalog = self.catalog();
        let request = Request { indicators: vec![name.to_string()], ..Request::default() };
        let package = package_of(catalog, &request)?;
        let own = name.split_once('.').map_or(name, |(_, own)| own);
        match catalog.member(&package, own) {
            Some(Member::Indicator(id)) => Ok((package, id)),
            Some(Member::Dimension(_)) => {
                Err(Diagnostic::new(codes::REQUEST, format!("`{name}` is a dimension")).help("name an indicator"))
            }
            None => Err(crate::plan::request::unknown(catalog, name)),
        }
    }

    /// The dimensions of these names; `no_time` says why time is none of them.
    pub(super) fn dimensions(
        &mut self,
        names: &[String],
        package: &str,
        no_time: &str,
    ) -> Result<Vec<(String, Input)>, Diagnostic> {
        let mut found: Vec<(String, Input)> = Vec::new();
        for name in names {
            let number = self.add(Argument::By, name);
            let input = dimension_of(self.model.catalog, self.model.functions, &self.model.sources, package)?;
            let unfit = if found.iter().any(|(_, known)| *known == input) {
                Some(format!("`{name}` is said twice"))
            } else if matches!(input, Input::MetricTime(_)) {
                Some(no_time.replace("{}", name))
            } else {
                None
            };
            if let Some(unfit) = unfit {
                return Err(self.at(Diagnostic::new(codes::REQUEST, unfit), Argument::By, number));
            }
            found.push((name.clone(), input));
        }
        Ok(found)
    }

    /// Conditions, AND-ed.
    pub(super) fn conditions(
        &mut self,
        argument: Argument,
        texts: &[String],
        package: &str,
    ) -> Result<Vec<Expression>, Diagnostic> {
        let mut found = Vec::new();
        for text in texts {
            self.add(argument, text);
            found.push(condition_of(self.model.catalog, self.model.functions, &self.model.sources, package)?);
        }
        Ok(found)
    }

    /// What a text means, with the place of what is wrong.
    pub(super) fn text<T>(
        &mut self,
        argument: Argument,
        text: &str,
        read: impl FnOnce(&Catalog, &str) -> Result<T, Diagnostic>,
    ) -> Result<T, Diagnostic> {
        let number = self.add(argument, text);
        let found = read(self.catalog(), text);
        found.map_err(|diagnostic| self.at(diagnostic, argument, number))
    }

    /// One of a few words; the first one, if nothing is said.
    pub(super) fn word<T: Copy>(
        &mut self,
        argument: Argument,
        text: &Option<String>,
        words: &[(&str, T)],
    ) -> Result<T, Diagnostic> {
        let Some(text) = text else { return Ok(words[0].1) };
        self.text(argument, text, |_, text| {
            let wanted = text.trim().to_lowercase();
            words.iter().find(|(word, _)| *word == wanted).map(|(_, value)| *value).ok_or_else(|| {
                let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                Diagnostic::new(codes::REQUEST, format!("`{text}` is not known here"))
                    .help(format!("write one of {}", names.join(", ")))
            })
        })
    }

    /// An instant, or the end of a period.
    pub(super) fn instant(&mut self, argument: Argument, text: &str) -> Result<NaiveDateTime, Diagnostic> {
        self.text(argument, text, |_, text| {
            let read = Period::parse(text).map(|period| period.end().unwrap_or(period.start()));
            read.ok_or_else(|| {
                Diagnostic::new(codes::PERIOD, format!("`{text}` is not a time"))
                    .help("write `2026-01-31` (its end) or `2026-01-31 12:00`")
            })
        })
    }

    /// The instant up to when data and decisions count, where the target is the base.
    pub(super) fn as_of(
        &mut self,
        text: Option<&str>,
        against_target: bool,
    ) -> Result<Option<NaiveDateTime>, Diagnostic> {
        let as_of = text.map(|text| self.instant(Argument::AsOf, text)).transpose()?;
        if as_of.is_some() && !against_target {
            let diagnostic = Diagnostic::new(codes::REQUEST, "`as_of` is for the target as the base");
            let diagnostic = diagnostic.help("leave it out: both sides are of periods that are said");
            return Err(self.at(diagnostic, Argument::AsOf, 0));
        }
        Ok(as_of)
    }

    /// A period, or one relative to another (`previous year`).
    pub(super) fn span(&mut self, argument: Argument, text: &str, current: Option<Span>) -> Result<Span, Diagnostic> {
        let number = self.add(argument, text);
        let found = match current.and_then(|current| relative(text, current)) {
            Some(found) => found,
            None => Span::parse(text),
        };
        let found = found.and_then(|span| self.on_axis(span));
        found.map_err(|diagnostic| self.at(diagnostic, argument, number))
    }

    /// A stretch of time, if time is kept so finely.
    fn on_axis(&self, span: Span) -> Result<Span, Diagnostic> {
        let dates = matches!(self.catalog().metric_time, DataType::Date32 | DataType::Date64);
        match dates && !span.of_whole_days() {
            true => Err(Diagnostic::new(codes::PERIOD, format!("time is kept by the day, and {span} cuts one"))),
            false => Ok(span),
        }
    }

    /// The periods of which a base is the mean; where nothing is said the text is ours.
    pub(super) fn spans(&mut self, text: &str, said: bool, current: Span) -> Result<Vec<Span>, Diagnostic> {
        if !said {
            return base_periods(text, current);
        }
        let number = self.add(Argument::Base, text);
        let found = base_periods(text, current);
        let found = found.and_then(|spans| spans.into_iter().map(|span| self.on_axis(span)).collect());
        found.map_err(|diagnostic| self.at(diagnostic, Argument::Base, number))
    }
}
