//! Where indicators stand: which values a judgement needs, and the judgement from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{Months, NaiveDateTime, TimeDelta};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Result as PlanResult;
use datafusion::config::ConfigOptions;

use super::cells::{Cells, Key};
use super::ends::{EndBook, ask_ends, asked_of};
use super::question::{Asked, Question, Side, Spare};
use super::span::Span;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{Additivity, Direction};
use crate::catalog::stretch::{Stretch, containing};
use crate::catalog::target::{Aim, Amounts, Bands, Level, Pace, Rows, SplitBy, Target};
use crate::catalog::time::cast;
use crate::catalog::{Catalog, IndicatorId};
use crate::goal::amount::{Decided, Required, Scale, Shared, Slice, Wanted, aim_of, others_of, periods_of};
use crate::goal::compared::{Compared, Comparison, attained};
use crate::goal::pace::LastYear;
use crate::goal::{Reason, attainment, bands};
use crate::plan::combine::value_of_nothing;
use crate::plan::instant;

/// How a judgement is asked for.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// Up to when the data count.
    pub(super) as_of: NaiveDateTime,
    /// The level of the targets.
    pub(super) level: Level,
    /// By which decision.
    pub(super) decided: Decided,
}

/// An indicator in a period.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) indicator: IndicatorId,
    pub(super) span: Stretch,
}

/// Which side of the questions has the values of an indicator in a stretch of time.
#[derive(Debug, Default)]
pub(super) struct Book {
    sides: HashMap<(IndicatorId, Stretch), usize>,
    /// Up to when there are data.
    ends: EndBook,
    /// The number of the next side.
    pub(super) next: usize,
}

/// A judgement.
#[derive(Debug, Clone, Default)]
pub(super) struct Judged {
    pub(super) value: Option<f64>,
    pub(super) aim: Option<Aim>,
    /// Of the whole target.
    pub(super) attainment: Option<f64>,
    /// What was due by now.
    pub(super) due: Option<Aim>,
    /// Of what was due by now, while the period lasts.
    pub(super) pace: Option<f64>,
    /// What the period ends with, if it goes on so.
    pub(super) landing: Option<f64>,
    pub(super) score: Option<f64>,
    pub(super) status: Option<String>,
    pub(super) reason: Option<Reason>,
    pub(super) owner: Option<String>,
}

/// What judgements are made from.
pub(super) struct Bench<'b> {
    pub(super) catalog: &'b Catalog,
    pub(super) terms: &'b Terms,
    pub(super) book: &'b Book,
    pub(super) cells: &'b Cells,
    /// The dimensions that are asked by, as positions.
    pub(super) set: &'b [usize],
    /// The dimensions, if targets can be about them.
    pub(super) by: Option<&'b [crate::catalog::DimensionId]>,
}

impl Subject {
    /// The targets of its indicator, those for periods like its own first.
    pub(super) fn targets<'c>(&self, catalog: &'c Catalog) -> Vec<&'c Target> {
        let mut all: Vec<&Target> = catalog.targets_of(self.indicator).collect();
        let exact = |target: &Target| {
            target.every.and_then(|every| containing(every, self.span.start, &catalog.calendar)) == Some(self.span)
        };
        all.sort_by_key(|target| !exact(target));
        all
    }

    /// The part of its period of which there are data.
    fn known(&self, terms: &Terms) -> Stretch {
        Stretch { end: self.span.end.min(terms.as_of).max(self.span.start), ..self.span }
    }

    fn has_ended(&self, terms: &Terms) -> bool {
        self.span.end <= terms.as_of
    }

    /// The periods before it that its bands look at.
    fn history(&self, catalog: &Catalog) -> Vec<Stretch> {
        let holds = self.targets(catalog).into_iter().filter_map(|target| target.judging.bands.hold);
        let count = holds.map(|(_, n)| n - 1).max().unwrap_or(0);
        let before = |span: &Stretch| Span::between(span.start, span.end).before().map(Span::stretch);
        std::iter::successors(before(&self.span), before).take(count).collect()
    }

    /// The same period a year earlier, whole and until the same day.
    fn last_year(&self, terms: &Terms) -> Option<[Stretch; 2]> {
        let earlier = |at: NaiveDateTime| at.checked_sub_months(Months::new(12));
        let (start, end) = (earlier(self.span.start)?, earlier(self.span.end)?);
        let known = earlier(self.known(terms).end)?;
        Some([Stretch { start, end }, Stretch { start, end: known }])
    }

    /// The values that its judgement needs.
    pub(super) fn needs(
        &self,
        catalog: &Catalog,
        terms: &Terms,
        by: &[(String, Input)],
    ) -> Vec<(IndicatorId, Stretch)> {
        let targets = self.targets(catalog);
        let periods: Vec<Stretch> = self.history(catalog);
        let known = self.known(terms);
        let mut needs = vec![(self.indicator, known)];
        needs.extend(periods.iter().map(|span| (self.indicator, *span)));
        for target in &targets {
            if let Some((sample, _)) = target.judging.sample {
                needs.push((sample, known));
            }
            if let Amounts::Rows(rows) = &target.amounts
                && covers(catalog, target, rows, by)
            {
                let amounts = amounts_of(rows, terms.decided);
                needs.extend(periods.iter().chain([&self.span]).map(|span| (amounts, *span)));
            }
        }
        if let Some([whole, to_date]) = self.last_year(terms) {
            let paced = !self.has_ended(terms) && targets.iter().any(|it| it.judging.pace == Pace::Seasonal);
            if paced || targets.iter().any(|target| target.splits_by_last_year()) {
                needs.push((self.indicator, whole));
            }
            if paced {
                needs.push((self.indicator, to_date));
            }
        }
        needs.retain(|(_, span)| span.start < span.end);
        needs
    }
}

/// The amounts of a table by a decision.
fn amounts_of(rows: &Rows, decided: Decided) -> IndicatorId {
    match decided {
        Decided::Current => rows.indicator,
        Decided::Original => rows.original.unwrap_or(rows.indicator),
    }
}

/// Amounts of tables count as far as they were decided by then.
fn known_rows(catalog: &Catalog, as_of: NaiveDateTime) -> HashMap<IndicatorId, Vec<Expression>> {
    let timestamp = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let mut conditions = HashMap::new();
    for target in &catalog.targets {
        let Amounts::Rows(Rows { indicator, original, decided: Some(decided), .. }) = &target.amounts else { continue };
        let known = cast(decided.expr.clone(), timestamp.clone()).lt(instant(as_of, &timestamp));
        let known = Expression { expr: known, inputs: decided.inputs.clone() };
        conditions.extend(std::iter::once(*indicator).chain(*original).map(|id| (id, vec![known.clone()])));
    }
    conditions
}

/// Whether the rows of a table say something about slices of these dimensions.
fn covers(catalog: &Catalog, target: &Target, rows: &Rows, by: &[(String, Input)]) -> bool {
    let known = |input: &Input| matches!(input, Input::Dimension(id, _) if rows.by.contains(id));
    let all = by.iter().all(|(_, input)| known(input));
    all && (by.len() == rows.by.len() || catalog.indicator(target.of).additivity == Additivity::Additive)
}

impl Book {
    /// The questions for these values: indicators that are asked for the same periods are asked together, and periods of
    /// one grain in one question.
    pub(super) fn questions(
        asked: &Asked,
        needs: Vec<(IndicatorId, Stretch)>,
        conditions: &HashMap<IndicatorId, Vec<Expression>>,
        options: &ConfigOptions,
    ) -> PlanResult<(Book, Vec<Question>, Vec<Spare>)> {
        let mut spans: BTreeMap<IndicatorId, Vec<Span>> = BTreeMap::new();
        for (indicator, stretch) in needs {
            let span = Span::between(stretch.start, stretch.end);
            let known = spans.entry(indicator).or_default();
            if !known.contains(&span) {
                known.push(span);
            }
        }
        let of = |indicator: &IndicatorId| conditions.get(indicator).cloned().unwrap_or_default();
        let mut groups: Vec<(Vec<Span>, Vec<IndicatorId>)> = Vec::new();
        for (indicator, mut all) in spans {
            all.sort_by_key(|span| (span.grain, span.start));
            for alike in all.chunk_by(|one, other| one.grain == other.grain) {
                let fits = |known: &[Span], others: &[IndicatorId]| known == alike && of(&others[0]) == of(&indicator);
                match groups.iter_mut().find(|(known, others)| fits(known, others)) {
                    Some((_, indicators)) => indicators.push(indicator),
                    None => groups.push((alike.to_vec(), vec![indicator])),
                }
            }
        }
        let (mut book, mut questions, mut spares) = (Book::default(), vec![], vec![]);
        let mut first = asked.first;
        for (spans, indicators) in groups {
            for indicator in &indicators {
                let sides = spans.iter().enumerate();
                book.sides.extend(sides.map(|(at, span)| ((*indicator, span.stretch()), first + at)));
            }
            let side = |span: &Span| Side { span: Some(*span), conditions: of(&indicators[0]) };
            let sides: Vec<Side> = spans.iter().map(side).collect();
            let count = sides.len();
            let group = Asked { indicators, sides, first, ..asked.clone() };
            questions.extend(group.questions(options)?);
            if group.by.is_empty() {
                spares.extend(group.spares(options)?);
            }
            first += count;
        }
        book.next = first;
        Ok((book, questions, spares))
    }

    fn side(&self, indicator: IndicatorId, span: Stretch) -> Option<usize> {
        self.sides.get(&(indicator, span)).copied()
    }
}

impl Bench<'_> {
    fn value(&self, indicator: IndicatorId, span: Stretch, key: &Key) -> Option<f64> {
        self.cells.value(self.book.side(indicator, span)?, self.set, key, indicator)
    }

    /// The same of a slice that a target is for, where a count of no rows is 0.
    fn value_of_slice(&self, indicator: IndicatorId, span: Stretch, key: &Key) -> Option<f64> {
        let nothing = || (!key.is_empty()).then(|| value_of_nothing(self.catalog, indicator))?;
        self.book.side(indicator, span).and_then(|_| self.value(indicator, span, key).or_else(nothing))
    }

    fn slice(&self, key: &Key) -> Option<Slice> {
        Some(self.by?.iter().copied().zip(key.iter().cloned()).collect())
    }

    /// The values of all slices a year earlier.
    fn last_year(&self, subject: &Subject) -> Vec<(Option<String>, f64)> {
        let Some([whole, _]) = subject.last_year(self.terms) else { return vec![] };
        let keys = self.cells.slices(self.set).into_iter();
        let value = |key: Key| Some((key.first()?.clone(), self.value(subject.indicator, whole, &key)?));
        keys.filter_map(value).collect()
    }

    /// The slices that have a value, or a target of their own.
    pub(super) fn keys(&self, subject: &Subject) -> Vec<Key> {
        let mut keys: Vec<Key> = if self.set.is_empty() { vec![vec![]] } else { self.cells.slices(self.set) };
        for target in subject.targets(self.catalog) {
            for key in self.named_slices(target) {
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        keys
    }

    fn named_slices(&self, target: &Target) -> Vec<Key> {
        use crate::catalog::target::Slices;
        let Some(by) = self.by.filter(|by| !by.is_empty()) else { return vec![] };
        if let Slices::These(these) = &target.slices {
            let value = |id: &crate::catalog::DimensionId| {
                these.iter().find(|(known, _)| known == id).map(|(_, value)| Some(value.clone()))
            };
            let key: Option<Key> = by.iter().map(value).collect();
            return key.filter(|key| key.len() == these.len()).into_iter().collect();
        }
        let Amounts::Stated(all) = &target.amounts else { return vec![] };
        let of = |split: &crate::catalog::target::Split| match &split.how {
            SplitBy::Shares { parts, .. } if by == [split.by] => {
                parts.iter().map(|(value, _)| vec![Some(value.clone())]).collect()
            }
            _ => vec![],
        };
        all.iter().rev().find_map(|statement| statement.split.as_ref()).map_or(vec![], of)
    }

    /// The first target that stands for a slice in a period, and what it asks for.
    fn aim<'c>(
        &self,
        targets: &[&'c Target],
        subject: &Subject,
        span: Stretch,
        key: &Key,
    ) -> Result<(&'c Target, Required), Reason> {
        let slice = self.slice(key).ok_or(Reason::OtherSlice)?;
        let scale = Scale::of(self.catalog, subject.indicator);
        let last_year = targets.iter().any(|it| it.splits_by_last_year()).then(|| self.last_year(subject));
        let wanted = Wanted {
            span,
            slice: &slice,
            level: self.terms.level,
            decided: self.terms.decided,
            known: Some(self.terms.as_of),
            last_year: last_year.as_deref().filter(|_| span == subject.span).map(Shared::Slices),
        };
        let mut reason = None;
        for target in targets {
            let required = match &target.amounts {
                Amounts::Stated(_) => aim_of(&scale, target, &wanted),
                Amounts::Rows(rows) => self.aim_of_rows(&scale, target, rows, span, key),
            };
            match required {
                Ok(required) => return Ok((target, required)),
                Err(other) => _ = reason.get_or_insert(other),
            }
        }
        Err(reason.unwrap_or(Reason::NoTarget))
    }

    fn aim_of_rows(
        &self,
        scale: &Scale,
        target: &Target,
        rows: &Rows,
        span: Stretch,
        key: &Key,
    ) -> Result<Required, Reason> {
        if self.terms.level != Level::Commit {
            return Err(Reason::NoTarget);
        }
        let times = periods_of(scale, target, span)?.len() as f64;
        let amounts = amounts_of(rows, self.terms.decided);
        self.book.side(amounts, span).ok_or(Reason::OtherSlice)?;
        let amount = self.value(amounts, span, key).ok_or(Reason::NoTarget)?;
        match rows.direction {
            Some(Direction::Up) => Ok(Required { aim: Aim::AtLeast(amount), times }),
            Some(Direction::Down) => Ok(Required { aim: Aim::AtMost(amount), times }),
            None => Err(Reason::NoDirection),
        }
    }

    /// The value of a slice as far as it is known, and its target where that is one number.
    pub(super) fn value_and_target(&self, subject: &Subject, key: &Key) -> [Option<f64>; 2] {
        let aim = self.aim(&subject.targets(self.catalog), subject, subject.span, key);
        let amount = match aim.map(|(_, required)| required.aim) {
            Ok(Aim::AtLeast(amount) | Aim::AtMost(amount)) => Some(amount),
            _ => None,
        };
        [self.value(subject.indicator, subject.known(self.terms), key), amount]
    }

    /// The judgement of a slice.
    pub(super) fn judge(&self, subject: &Subject, key: &Key) -> Judged {
        let targets = subject.targets(self.catalog);
        let aim = self.aim(&targets, subject, subject.span, key);
        let known = subject.known(self.terms);
        let value = match aim {
            Ok(_) => self.value_of_slice(subject.indicator, known, key),
            Err(_) => self.value(subject.indicator, known, key),
        };
        let last_year = match subject.last_year(self.terms) {
            Some([whole, to_date]) => LastYear {
                whole: self.value(subject.indicator, whole, key),
                to_date: self.value(subject.indicator, to_date, key),
            },
            None => LastYear::default(),
        };
        let mut judged = self.compared(subject, value, aim, last_year);
        if aim.is_ok() {
            judged = self.as_far_as_data_go(subject, judged);
        }
        if let Ok((target, _)) = aim {
            let judging = &target.judging;
            if let Some((sample, least)) = judging.sample
                && self.value(sample, subject.known(self.terms), key).unwrap_or(0.0) < least
            {
                judged.score = None;
                judged.status = Some(bands::GREY.to_string());
                judged.reason = Some(Reason::SmallSample);
            } else if judging.bands.hold.is_some() && judged.status.as_deref().is_some_and(|it| it != bands::GREY) {
                let held = self.held(&targets, subject, key, &judging.bands, judged.status.clone());
                if held != judged.status {
                    judged.reason = Some(Reason::Held);
                    judged.status = held;
                }
            }
        }
        judged
    }

    /// What is late is not red: nobody knows. What is incomplete is judged, and says so.
    fn as_far_as_data_go(&self, subject: &Subject, judged: Judged) -> Judged {
        let (as_of, calendar) = (self.terms.as_of, &self.catalog.calendar);
        match self.book.ends.reason(self.cells, subject.indicator, subject.span, as_of, calendar) {
            Some(Reason::DataBefore) => Judged { score: None, ..grey(judged, Reason::DataBefore) },
            Some(late) => Judged { reason: judged.reason.or(Some(late)), ..judged },
            None => judged,
        }
    }

    /// What the slices together have that a split does not name.
    pub(super) fn others(&self, subject: &Subject) -> Option<(Vec<Key>, Judged)> {
        let targets = subject.targets(self.catalog);
        let scale = Scale::of(self.catalog, subject.indicator);
        let whole = Wanted {
            span: subject.span,
            slice: &vec![],
            level: self.terms.level,
            decided: self.terms.decided,
            known: Some(self.terms.as_of),
            last_year: None,
        };
        let found = targets.iter().find_map(|target| {
            let Amounts::Stated(all) = &target.amounts else { return None };
            let split = all.iter().rev().find_map(|statement| statement.split.as_ref())?;
            (self.by == Some(&[split.by])).then_some(())?;
            let required = aim_of(&scale, target, &whole).ok()?;
            Some((*target, others_of(required, split, scale.counts)?))
        })?;
        let named = self.named_slices(found.0);
        let rest: Vec<Key> = self.cells.slices(self.set).into_iter().filter(|key| !named.contains(key)).collect();
        let sum = |span: Stretch| {
            let values: Vec<f64> = rest.iter().filter_map(|key| self.value(subject.indicator, span, key)).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>())
        };
        let last_year = match subject.last_year(self.terms) {
            Some([whole, to_date]) => LastYear { whole: sum(whole), to_date: sum(to_date) },
            None => LastYear::default(),
        };
        let value = sum(subject.known(self.terms));
        let judged = self.compared(subject, value, Ok(found), last_year);
        Some((rest, self.as_far_as_data_go(subject, judged)))
    }

    fn compared(
        &self,
        subject: &Subject,
        value: Option<f64>,
        found: Result<(&Target, Required), Reason>,
        last_year: LastYear,
    ) -> Judged {
        let own = self.catalog.indicator(subject.indicator);
        let judged = Judged { value, owner: own.item.owner.clone(), ..Judged::default() };
        let (target, required) = match found {
            Ok(found) => found,
            Err(reason) => return Judged { reason: Some(reason), ..judged },
        };
        let comparison = Comparison {
            required,
            judging: &target.judging,
            period: subject.span,
            as_of: self.terms.as_of,
            grows: own.additivity == Additivity::Additive,
            last_year,
            calendar: &self.catalog.calendar,
        };
        let Compared { attained, now } = comparison.with(value);
        let owner = target.item.owner.clone();
        let judged = Judged { aim: Some(required.aim), attainment: attained.ok(), owner, ..judged };
        let due = match now {
            Ok(due) => due,
            Err(reason) => return grey(judged, reason),
        };
        let pace = due.part.and_then(|_| due.attained.ok());
        let landing = due.part.filter(|part| *part > 0.0).and_then(|part| Some(value? / part));
        let judged = Judged { due: Some(due.aim), pace, landing, ..judged };
        with_status(judged, due.aim, due.attained, &target.judging.bands)
    }

    /// The status that the periods before it allow.
    fn held(
        &self,
        targets: &[&Target],
        subject: &Subject,
        key: &Key,
        bands_of: &Bands,
        latest: Option<String>,
    ) -> Option<String> {
        let rank = |span: Stretch| {
            let (target, required) = self.aim(targets, subject, span, key).ok()?;
            let value = self.value_of_slice(subject.indicator, span, key);
            bands::rank_of(value, required.aim, attained(value, required, &target.judging), bands_of)
        };
        let mut ranks: Vec<Option<usize>> = subject.history(self.catalog).into_iter().rev().map(rank).collect();
        let now = (0..=bands_of.bands.len()).find(|rank| Some(bands::name(*rank, bands_of)) == latest.as_deref());
        ranks.push(now);
        bands::held(&ranks, bands_of).map(|rank| bands::name(rank, bands_of).to_string())
    }
}

fn grey(judged: Judged, reason: Reason) -> Judged {
    Judged { status: Some(bands::GREY.to_string()), reason: Some(reason), ..judged }
}

fn with_status(judged: Judged, aim: Aim, basis: Result<f64, Reason>, bands_of: &Bands) -> Judged {
    let reason = basis.err();
    match bands::rank_of(judged.value, aim, basis, bands_of) {
        Some(rank) => {
            let score = basis.map_or(1.0, attainment::score);
            let status = Some(bands::name(rank, bands_of).to_string());
            Judged { score: Some(score), status, reason, ..judged }
        }
        None => Judged { status: Some(bands::GREY.to_string()), reason, ..judged },
    }
}

/// The last period of a grain that had ended by an instant.
pub(super) fn last_ended(catalog: &Catalog, target: &Target, as_of: NaiveDateTime) -> Option<Stretch> {
    let every = target.every?;
    let running = containing(every, as_of, &catalog.calendar)?;
    containing(every, running.start - TimeDelta::nanoseconds(1), &catalog.calendar)
}

/// The questions for some subjects, and for the ends of their data.
pub(super) fn ask(
    catalog: &Arc<Catalog>,
    package: &str,
    by: &[(String, Input)],
    subjects: &[Subject],
    terms: &Terms,
    options: &ConfigOptions,
) -> PlanResult<(Book, Vec<Question>, Vec<Spare>)> {
    let asked =
        Asked { catalog: Arc::clone(catalog), package: package.to_string(), by: by.to_vec(), ..Asked::default() };
    ask_all(&asked, subjects, terms, options)
}

/// The same, with sides that begin with the first of `asked`.
pub(super) fn ask_all(
    asked: &Asked,
    subjects: &[Subject],
    terms: &Terms,
    options: &ConfigOptions,
) -> PlanResult<(Book, Vec<Question>, Vec<Spare>)> {
    let (mut book, mut questions, spares) = ask_values(asked, subjects, terms, options)?;
    let indicators: Vec<IndicatorId> = subjects.iter().map(|subject| subject.indicator).collect();
    let ends = subjects.iter().filter_map(|subject| asked_of(subject.span, terms.as_of)).flatten().collect();
    let (ends, further) = ask_ends(asked, &indicators, ends, book.next, options)?;
    book.ends = ends;
    questions.extend(further);
    Ok((book, questions, spares))
}

/// The questions for some subjects, whose sides begin with the first of `asked`.
pub(super) fn ask_values(
    asked: &Asked,
    subjects: &[Subject],
    terms: &Terms,
    options: &ConfigOptions,
) -> PlanResult<(Book, Vec<Question>, Vec<Spare>)> {
    let catalog = &asked.catalog;
    let needs = subjects.iter().flat_map(|subject| subject.needs(catalog, terms, &asked.by)).collect();
    let asked = Asked { sets: vec![(0..asked.by.len()).collect()], ..asked.clone() };
    Book::questions(&asked, needs, &known_rows(catalog, terms.as_of), options)
}
