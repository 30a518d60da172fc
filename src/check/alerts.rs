//! Alerts: what they look out for, in which periods, and who is told.

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;

use super::declare::{Declared, item_of};
use super::resolve::{Resolver, Scope, Typed};
use super::{Checker, Failure};
use crate::catalog::alert::{Alert, CauseBase, Condition, Receiver, Severity, Watch};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{Additivity, Indicator};
use crate::catalog::modifier::{Modifier, TimeSpan};
use crate::catalog::{DimensionId, IndicatorId, Item};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast::{Path, Question, Text};
use crate::syntax::goals::{self, When};

impl<'a> Checker<'a> {
    /// Alerts of all packages.
    pub(crate) fn check_alerts(&mut self) {
        for declared in self.declared.alerts.clone() {
            let alert = self.alert(declared);
            if let Some(alert) = self.keep(alert) {
                self.catalog.to_mut().alerts.push(alert);
            }
        }
    }

    fn alert(&mut self, declared: Declared<'a, &'a goals::Alert>) -> Result<Alert, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let Some(when) = &tree.when else {
            return Err(bad(format!("alert `{}` looks out for nothing", item.name), tree.name.span)
                .help("write `when status(gmv) = 'red'`, `when anomaly(gmv)` or `when gmv < 1_000`")
                .into());
        };
        let severity = severity(tree)?;
        let periods = periods(tree)?;
        let causes = self.dimensions_at(package, &tree.explain)?;
        let (of, by, watch) = match when {
            When::Status(watched, statuses) => {
                let of = self.indicator_at(package, &watched.indicator)?;
                let watch = Watch::Status(self.statuses(of, statuses, watched.indicator.span)?);
                let by = self.dimensions_at(package, &watched.by)?;
                self.require_status_by(of, &by, watched.indicator.span)?;
                if let Some(every) = &tree.every {
                    return Err(bad("a status is of the periods of its target", every.span)
                        .help("leave `every` out")
                        .into());
                }
                (of, by, watch)
            }
            When::Anomaly(watched) => {
                let of = self.indicator_at(package, &watched.indicator)?;
                let by = self.dimensions_at(package, &watched.by)?;
                (of, by, Watch::Anomaly(self.every(tree, of)?))
            }
            When::Question(question) => {
                let by = self.dimensions_at(package, &question.by)?;
                let (of, condition) = self.condition_of_alert(tree, question, &item)?;
                (of, by, Watch::Condition(Box::new(condition)))
            }
        };
        let receivers = tree.notify.iter().map(|it| self.receiver(it, &item, of)).collect::<Result<Vec<_>, _>>()?;
        let base = self.base_of(tree, of, &watch)?;
        let because = tree.because.as_ref().map(|because| because.text.clone());
        let definition_text = tree.said.as_ref().map(|said| said.text.clone()).unwrap_or_default();
        Ok(Alert { item, watch, definition_text, of, by, periods, severity, receivers, causes, base, because })
    }

    fn dimensions_at(&mut self, package: &str, paths: &[Path]) -> Result<Vec<DimensionId>, Failure> {
        paths.iter().map(|path| self.dimension_at(package, path)).collect()
    }

    /// The statuses that are looked out for: names that a target of the indicator gives.
    fn statuses(&self, of: IndicatorId, written: &[Text], place: Span) -> Result<Vec<String>, Failure> {
        let mut known: Vec<&str> = Vec::new();
        for target in self.catalog.targets_of(of) {
            let bands = &target.judging.bands;
            known.extend(bands.bands.iter().map(|(name, _)| name.as_str()).chain([bands.below.as_str()]));
        }
        let name = &self.catalog.indicator(of).item.name;
        if known.is_empty() {
            return Err(bad(format!("`{name}` has no target, so it has no status"), place)
                .help(format!("declare `target {name} {{ … }}`"))
                .into());
        }
        known.push("grey");
        known.sort_unstable();
        known.dedup();
        let unknown = written.iter().find(|status| !known.contains(&status.text.as_str()));
        match unknown {
            Some(status) => Err(bad(format!("`{name}` is never `{}`", status.text), status.span)
                .help(format!("its statuses are {}", known.join(", ")))
                .into()),
            None => Ok(written.iter().map(|status| status.text.clone()).collect()),
        }
    }

    /// Refuses what never has a status: no target stands for such slices.
    fn require_status_by(&self, of: IndicatorId, by: &[DimensionId], place: Span) -> Result<(), Failure> {
        if self.catalog.targets_of(of).any(|target| target.is_of_slices_by(by)) {
            return Ok(());
        }
        let name = &self.catalog.indicator(of).item.name;
        let names: Vec<&str> = by.iter().map(|id| self.catalog.dimension(*id).item.name.as_str()).collect();
        let (message, help) = match names.join(", ") {
            whole if whole.is_empty() => (
                format!("no target of `{name}` is for the whole, so it has no status"),
                format!("declare `target {name} {{ … }}` without `for`, or ask `by` what its targets are for"),
            ),
            names => (
                format!("no target of `{name}` is for slices by `{names}`, so they have no status"),
                format!("split its target, or say `for each {names}`"),
            ),
        };
        Err(bad(message, place).help(help).into())
    }

    /// The periods that are looked at: as said, else those of the indicator's own view.
    fn every(&self, tree: &goals::Alert, of: IndicatorId) -> Result<Grain, Failure> {
        if let Some(word) = &tree.every {
            let known = Grain::named(&word.text.to_lowercase()).filter(|it| it.fits(&self.catalog.metric_time));
            return known.ok_or_else(|| {
                bad(format!("alerts do not look at time by the `{}`", word.text), word.span)
                    .help("write `every day`, or another grain that time is kept by")
                    .into()
            });
        }
        let indicator = self.catalog.indicator(of);
        match indicator.grain.as_ref().and_then(|grain| grain.time) {
            Some(TimePart::Grain(grain)) => Ok(grain),
            _ => {
                Err(bad(format!("in which periods `{}` is looked at is not said", indicator.item.name), tree.name.span)
                    .help("write `every day`, or give the indicator a `grain`")
                    .into())
            }
        }
    }

    /// What causes are compared with: as said; else what the condition itself looks back at; else the period before.
    fn base_of(&self, tree: &goals::Alert, of: IndicatorId, watch: &Watch) -> Result<CauseBase, Failure> {
        let Some(written) = &tree.base else {
            return Ok(match watch {
                Watch::Condition(condition) => self.looks_back(condition).unwrap_or(CauseBase::Before),
                _ => CauseBase::Before,
            });
        };
        let name = &self.catalog.indicator(of).item.name;
        match written.text.strip_prefix("previous ").map(str::trim) {
            Some("period") => Ok(CauseBase::Before),
            Some(step) => TimeSpan::of(1, step).map(CauseBase::Earlier).ok_or_else(|| {
                bad(format!("`{step}` is not a step of time"), written.span)
                    .help("write `base previous period`, `base previous year` or `base target`")
                    .into()
            }),
            None if self.catalog.targets_of(of).next().is_some() => Ok(CauseBase::Target),
            None => Err(bad(format!("`{name}` has no target to compare with"), written.span)
                .help(format!("declare `target {name} {{ … }}`, or write `base previous year`"))
                .into()),
        }
    }

    /// The one length of time by which a condition looks back, if there is just one.
    fn looks_back(&self, condition: &Condition) -> Option<CauseBase> {
        let limit = condition.limit?;
        let modifiers: Vec<&Modifier> =
            self.catalog.indicator(limit).formula.inputs.iter().flat_map(modifiers_of).collect();
        match modifiers.as_slice() {
            [Modifier::Shift(by)] => Some(CauseBase::Earlier(*by)),
            _ => None,
        }
    }

    /// Somebody who can be told: an owner, an address, or a name that somebody has here.
    fn receiver(&self, written: &goals::Receiver, item: &Item, of: IndicatorId) -> Result<Receiver, Failure> {
        match written {
            goals::Receiver::Owner(span) => {
                let of_targets = self.catalog.targets_of(of).any(|target| target.item.owner.is_some());
                let indicator = &self.catalog.indicator(of).item;
                match item.owner.is_some() || indicator.owner.is_some() || of_targets {
                    true => Ok(Receiver::Owner),
                    false => Err(bad(format!("`{}` has no owner who could be told", indicator.name), *span)
                        .help("write `owner \"…\"` in the alert, in the indicator or in its target")
                        .into()),
                }
            }
            goals::Receiver::Person(text) if is_address(&text.text) => Ok(Receiver::Person(text.text.clone())),
            goals::Receiver::Person(text) => {
                let owners = self.owners();
                match owners.contains(&text.text.as_str()) {
                    true => Ok(Receiver::Person(text.text.clone())),
                    false => Err(nobody(text, &owners).into()),
                }
            }
            goals::Receiver::Webhook(text) => webhook(text),
        }
    }

    /// Everybody who owns something in the project.
    fn owners(&self) -> Vec<&str> {
        let catalog = &self.catalog;
        let items = catalog.indicators.iter().map(|it| &it.item).chain(catalog.dimensions.iter().map(|it| &it.item));
        let items = items.chain(catalog.sources.iter().map(|it| &it.item));
        let items = items.chain(catalog.targets.iter().map(|it| &it.item));
        let items = items.chain(catalog.scorecards.iter().map(|it| &it.item));
        let items = items.chain(catalog.scenarios.iter().map(|it| &it.item));
        let of_alerts = self.declared.alerts.iter().filter_map(|alert| alert.tree.owner.as_ref());
        items.filter_map(|item| item.owner.as_deref()).chain(of_alerts.map(|owner| owner.text.as_str())).collect()
    }

    fn condition_of_alert(
        &mut self,
        tree: &goals::Alert,
        question: &Question,
        item: &Item,
    ) -> Result<(IndicatorId, Condition), Failure> {
        let [asked] = question.indicators.as_slice() else {
            return Err(bad("an alert looks out for one condition", tree.name.span)
                .help("join conditions by `and`, or declare several alerts")
                .into());
        };
        let package = item.package.as_str();
        let test = self.formula_of_alert(package, &asked.sql, asked.span);
        let test = test.map_err(|failure| self.with_form_of_status(failure, asked.span))?;
        if test.data_type != DataType::Boolean {
            return Err(Diagnostic::new(
                codes::NOT_BOOLEAN,
                format!("a condition is true or false, this is {}", test.data_type),
            )
            .at(asked.span)
            .help("compare it with something")
            .into());
        }
        let sides = compared(&asked.sql);
        let (left, right) = match sides {
            Some((left, right)) => {
                let right = self.formula_of_alert(package, right, asked.span).ok();
                (self.formula_of_alert(package, left, asked.span)?, right)
            }
            None => (test.clone(), None),
        };
        let Some(of) = first_indicator(&left.expression).or_else(|| first_indicator(&test.expression)) else {
            return Err(bad("the condition names no indicator", asked.span)
                .help("declare an indicator for the aggregate, and name that")
                .into());
        };
        let number = |typed: &Typed| typed.data_type.is_numeric();
        let value = if number(&left) { self.hidden(item, "value", left.expression, left.data_type) } else { of };
        let limit = right.filter(number).map(|right| self.hidden(item, "limit", right.expression, right.data_type));
        let conditions = question.conditions.iter();
        let conditions =
            conditions.map(|it| self.resolve_condition(it, Scope::rows(package, None))).collect::<Result<_, _>>()?;
        let test = self.hidden(item, "test", test.expression, test.data_type);
        Ok((of, Condition { test, value, limit, conditions, every: self.every(tree, of)? }))
    }

    /// Tells how statuses are looked out for to who writes them as if they were values.
    fn with_form_of_status(&self, failure: Failure, place: Span) -> Failure {
        let text: String = self.files.text(place).to_lowercase().split_whitespace().collect();
        match ["status(", "attainment("].into_iter().find(|function| text.contains(function)) {
            Some(function) => bad(format!("`{function}…)` is no value in a condition"), place)
                .help("write `when status(gmv) = 'red'` or `when status(gmv) in ('red', 'amber')`, with bands for other limits")
                .into(),
            None => failure,
        }
    }

    fn formula_of_alert(&mut self, package: &str, written: &sql::Expr, span: Span) -> Result<Typed, Failure> {
        Resolver::new(self, Scope::formula(package, None), span).resolve(written.clone())
    }

    /// A formula as an indicator that nobody can name: so it is asked like any other.
    pub(super) fn hidden(&mut self, item: &Item, what: &str, formula: Expression, data_type: DataType) -> IndicatorId {
        let id = IndicatorId(self.catalog.indicators.len() as u32);
        self.catalog.to_mut().indicators.push(Indicator {
            item: Item { name: format!("{} ({what})", item.name), description: None, ..item.clone() },
            formula,
            conditions: vec![],
            time: None,
            data_type: data_type.clone(),
            formula_type: data_type,
            fill: None,
            within: None,
            unit: None,
            good: None,
            grain: None,
            additivity: Additivity::NonAdditive,
            format: None,
            definition_text: format!("{what} of {}", item.name),
        });
        id
    }
}

/// The two sides of a comparison.
fn compared(written: &sql::Expr) -> Option<(&sql::Expr, &sql::Expr)> {
    use sql::BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    match written {
        sql::Expr::Nested(inner) => compared(inner),
        sql::Expr::BinaryOp { left, op: Eq | NotEq | Gt | GtEq | Lt | LtEq, right } => Some((left, right)),
        _ => None,
    }
}

/// The indicator that a formula names first.
fn first_indicator(formula: &Expression) -> Option<IndicatorId> {
    formula.inputs.iter().find_map(|input| match input {
        Input::Indicator(id, _) => Some(*id),
        Input::At(at) => first_indicator(&at.operand),
        Input::Fold(fold) => first_indicator(&fold.aggregate),
        _ => None,
    })
}

fn severity(tree: &goals::Alert) -> Result<Severity, Failure> {
    let Some(word) = &tree.severity else { return Ok(Severity::Medium) };
    let wanted = word.text.to_lowercase();
    Severity::ALL.into_iter().find(|severity| severity.name() == wanted).ok_or_else(|| {
        bad(format!("`{}` is no severity", word.text), word.span)
            .help("write `low`, `medium`, `high` or `critical`")
            .into()
    })
}

/// Nobody waits longer for an alert than this.
const MOST_PERIODS: u32 = 1000;

fn periods(tree: &goals::Alert) -> Result<u32, Failure> {
    let Some(written) = &tree.holds else { return Ok(1) };
    written.text.parse().ok().filter(|periods| (1..=MOST_PERIODS).contains(periods)).ok_or_else(|| {
        bad("periods are counted from 1 to 1000", written.span).help("write it such as `for 2 periods`").into()
    })
}

/// The modifiers of an input of a formula, those inside it included.
fn modifiers_of(input: &Input) -> Vec<&Modifier> {
    match input {
        Input::At(at) => at.modifiers.iter().chain(at.operand.inputs.iter().flat_map(modifiers_of)).collect(),
        Input::Fold(fold) => fold.aggregate.inputs.iter().flat_map(modifiers_of).collect(),
        _ => vec![],
    }
}

/// Whether a text is an address by itself, such as that of a mailbox.
fn is_address(text: &str) -> bool {
    let parts = text.split_once('@').map(|(before, after)| [before, after]);
    parts.is_some_and(|parts| parts.iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace)))
}

fn nobody(text: &Text, owners: &[&str]) -> Diagnostic {
    let diagnostic = bad(format!("nobody here is called `{}`", text.text), text.span)
        .note("a receiver is an address, or the name of somebody who owns something in this project");
    match nearest(&text.text, owners.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("write an address such as `\"growth@example.com\"`, or `notify owner`"),
    }
}

fn webhook(text: &Text) -> Result<Receiver, Failure> {
    let known = ["http://", "https://", "${"].iter().any(|begin| text.text.starts_with(begin));
    match known {
        true => Ok(Receiver::Webhook(text.text.clone())),
        false => Err(bad(format!("events cannot be posted to `{}`", text.text), text.span)
            .help("write an `https://…` address; `${NAME}` in it is from the environment")
            .into()),
    }
}

fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_ALERT, message).at(span)
}
