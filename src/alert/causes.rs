//! Why did it happen? What did most to the change against the base, which is the period before if nothing else is said, and
//! which combination of values is to blame.

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::event::Happening;
use super::rows::Rows;
use super::{asked_by, asked_of, names_of, rows};
use crate::analysis::change::TARGET;
use crate::analysis::{Change, Localise};
use crate::catalog::alert::{Alert, CauseBase};
use crate::diagnostic::{Code, Diagnostic, codes};
use crate::engine::Engine;
use crate::error::{Error, Result};

/// The causes of a change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Causes {
    /// With what the value is compared: a period, or `target`.
    #[serde(default)]
    pub base: Option<String>,
    /// The value there.
    pub before: Option<f64>,
    /// The parts of the indicator's tree, and the slices, that did most, as `explain_change` gives them.
    pub explained: Vec<Part>,
    /// The combinations of values that are to blame, as `localise` gives them.
    pub localised: Vec<Blamed>,
    /// Why causes are missing.
    pub unexplained: Vec<String>,
}

/// A part of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// By what the change is broken down: the tree, or dimensions.
    pub breakdown: String,
    /// Which part.
    pub path: String,
    /// What it did.
    pub effect: f64,
    /// Its share of the change.
    pub share: Option<f64>,
}

/// A combination of values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blamed {
    /// Of which indicator's change: the alert's, or the part of its tree that did most.
    pub of: String,
    /// Which.
    pub cause: String,
    /// What it did.
    pub effect: Option<f64>,
    /// Its share of the change.
    pub share: Option<f64>,
    /// The chance of a finding like it where there is none.
    pub chance: Option<f64>,
}

/// The causes of what happened, at most so many of each kind. Those that cannot be told are no error.
pub(super) async fn of(
    engine: &Engine,
    alert: &Alert,
    happening: &Happening,
    as_of: NaiveDateTime,
    most: usize,
) -> Causes {
    let search = Search { engine, alert, happening, as_of, most };
    if most == 0 { Causes::default() } else { search.causes().await }
}

/// What is looked for.
struct Search<'s> {
    engine: &'s Engine,
    alert: &'s Alert,
    happening: &'s Happening,
    as_of: NaiveDateTime,
    /// At most so many of each kind.
    most: usize,
}

impl Search<'_> {
    async fn causes(&self) -> Causes {
        let mut causes = Causes::default();
        let by = names_of(self.engine, self.alert, &self.alert.causes);
        let mut explained = self.explain(&by, &mut causes).await;
        // What is told of no slices may be told of the parts of a tree.
        if explained.as_ref().is_err_and(|error| is(error, codes::NOT_SLICEABLE)) {
            explained = self.explain(&[], &mut causes).await;
        } else if explained.as_ref().is_err_and(|error| is(error, codes::NO_TARGET)) {
            explained = self.explain(&[], &mut causes).await.or(explained);
        }
        match explained {
            // Nobody asked by what to break it down.
            Err(error) if by.is_empty() && is(&error, codes::NOTHING_BELOW) => {}
            Err(error) => causes.unexplained.push(reason(&error)),
            Ok(()) => {}
        }
        if !by.is_empty() {
            match self.localise_it_or_its_part(&by, &causes).await {
                Ok(found) => causes.localised = found,
                Err(error) => causes.unexplained.push(reason(&error)),
            }
        }
        causes.unexplained.dedup();
        causes
    }

    /// What slices do not add up to, such as a product, is followed to the part of its tree that did most.
    async fn localise_it_or_its_part(&self, by: &[String], causes: &Causes) -> Result<Vec<Blamed>> {
        let whole = self.localise(&asked_of(self.engine, self.alert), by).await;
        let part = causes.explained.first().filter(|part| part.breakdown == "tree");
        let part = part.and_then(|part| part.path.rsplit(" / ").next());
        let package = &self.engine.catalog().indicator(self.alert.of).item.package;
        match (whole, part) {
            (Err(error), Some(part)) if is(&error, codes::NOT_SLICEABLE) => {
                self.localise(&format!("{package}.{part}"), by).await
            }
            (whole, _) => whole,
        }
    }

    /// The slice as conditions.
    fn conditions(&self) -> Vec<String> {
        let names = asked_by(self.engine, self.alert).into_iter();
        let condition = |(name, value): (String, &Option<String>)| match value {
            Some(value) => format!("{name} = '{}'", value.replace('\'', "''")),
            None => format!("{name} is null"),
        };
        names.zip(&self.happening.slice).map(condition).collect()
    }

    /// What the period is compared with, as questions say it.
    fn base(&self) -> Option<String> {
        let period = self.happening.period;
        match self.alert.base {
            CauseBase::Before => period.before().map(|before| before.to_string()),
            CauseBase::Earlier(by) => period.earlier(by).map(|earlier| earlier.to_string()),
            CauseBase::Target => Some(TARGET.to_string()),
        }
    }

    /// Up to when data and decisions count, which only targets ask.
    fn known(&self) -> Option<String> {
        (self.alert.base == CauseBase::Target).then(|| self.as_of.to_string())
    }

    async fn explain(&self, by: &[String], causes: &mut Causes) -> Result<()> {
        let change = Change {
            indicator: asked_of(self.engine, self.alert),
            base: self.base(),
            current: Some(self.happening.period.to_string()),
            as_of: self.known(),
            by: by.to_vec(),
            conditions: self.conditions(),
            ..Change::default()
        };
        let rows = Rows::of(self.engine.explain_change(&change)?).await?;
        causes.base = self.base();
        causes.before = rows.iter().next().and_then(|row| row.number("base"));
        let part = |row: rows::Row<'_>| {
            Some(Part {
                breakdown: row.text("breakdown")?,
                path: row.text("path")?,
                effect: row.number("effect")?,
                share: row.number("share"),
            })
        };
        // A row of level 0 is the change itself, those of deeper levels are in those of the first.
        let parts = rows.iter().filter(|row| row.integer("level") == Some(1));
        let mut parts: Vec<Part> = parts.filter_map(part).collect();
        parts.sort_by(|one, other| other.effect.abs().total_cmp(&one.effect.abs()));
        parts.truncate(self.most);
        causes.explained = parts;
        Ok(())
    }

    async fn localise(&self, indicator: &str, by: &[String]) -> Result<Vec<Blamed>> {
        let question = Localise {
            indicator: indicator.to_string(),
            base: self.base(),
            current: Some(self.happening.period.to_string()),
            as_of: self.known(),
            by: by.to_vec(),
            causes: self.most,
            conditions: self.conditions(),
            ..Localise::default()
        };
        let rows = Rows::of(self.engine.localise(&question)?).await?;
        let blamed = |row: rows::Row<'_>| {
            Some(Blamed {
                of: indicator.to_string(),
                cause: row.text("cause")?,
                effect: row.number("effect"),
                share: row.number("share"),
                chance: row.number("chance"),
            })
        };
        let causes = rows.iter().filter(|row| row.text("reading").as_deref() == Some("cause"));
        Ok(causes.filter_map(blamed).take(self.most).collect())
    }
}

fn is(error: &Error, code: Code) -> bool {
    about(error).is_some_and(|diagnostic| diagnostic.code == code)
}

fn about(error: &Error) -> Option<&Diagnostic> {
    match error {
        Error::Diagnostics(list) => list.first(),
        _ => None,
    }
}

fn reason(error: &Error) -> String {
    about(error).map_or_else(|| error.to_string(), |diagnostic| diagnostic.message.clone())
}
