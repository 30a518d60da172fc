//! Funnels and cohorts: their rows, whose they are, and the columns of their views.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::count_distinct;
use datafusion::logical_expr::{Expr, when};
use datafusion::sql::sqlparser::ast as sql;

use super::declare::{Declared, item_of};
use super::events::{Key, common_type};
use super::exclusive::exclude_each_other;
use super::resolve::{Resolver, Scope};
use super::{Checker, Failure};
use crate::catalog::calendar::Grain;
use crate::catalog::dimension::{Dimension, DimensionKind};
use crate::catalog::event::{
    Cohort, Event, EventColumn, EventRows, EventValue, EventView, EventViewKind, Follows, Funnel, FunnelStep,
};
use crate::catalog::expr::{Expression, Input, input_column};
use crate::catalog::indicator::{Additivity, AggregateKind, Indicator, Measure};
use crate::catalog::reach::{Standpoint, flatten};
use crate::catalog::unit::Unit;
use crate::catalog::{DimensionId, IndicatorId, Item, SourceId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast;

/// A funnel or a cohort as written.
#[derive(Clone, Copy)]
pub(crate) enum EventTree<'a> {
    Funnel(&'a ast::Funnel),
    Cohort(&'a ast::Cohort),
}

/// How many ages a cohort shows that does not say.
const AGES: u16 = 12;

impl<'a> Checker<'a> {
    /// Funnels and cohorts of all packages.
    pub(crate) fn check_events(&mut self) {
        for declared in self.declared.events.clone() {
            let view = match declared.tree {
                EventTree::Funnel(tree) => self.funnel(declared, tree),
                EventTree::Cohort(tree) => self.cohort(declared, tree),
            };
            if let Some(view) = self.keep(view) {
                self.catalog.to_mut().events.push(view);
            }
        }
    }

    fn funnel(&mut self, declared: Declared<'a, EventTree<'a>>, tree: &ast::Funnel) -> Result<EventView, Failure> {
        let Some(by) = &tree.by else { return Err(lacks(&tree.name, "by visitor_id within 1 day")) };
        if tree.steps.len() < 2 {
            return Err(lacks(&tree.name, "step view = visits  step pay = orders"));
        }
        for (at, step) in tree.steps.iter().enumerate() {
            if let Some(first) = tree.steps[..at].iter().find(|other| other.name.text == step.name.text) {
                return Err(super::declare::duplicate(&step.name, first.name.span).into());
            }
        }
        let package = declared.package;
        let within = self.length_of(package, &by.within)?;
        let rows: Vec<&ast::EventRows> = tree.steps.iter().map(|step| &step.rows).collect();
        let sources = rows.iter().map(|rows| self.dated(package, &rows.source)).collect::<Result<Vec<_>, _>>()?;
        let keys = self.keys_of(package, &by.entity.sql, &sources, by.entity.span)?;
        let entity_type = common_type(&keys.iter().collect::<Vec<_>>(), by.entity.span)?;
        let mut steps: Vec<FunnelStep> = Vec::new();
        for ((step, source), key) in tree.steps.iter().zip(sources).zip(keys) {
            let rows = self.event_rows(package, &step.rows, source, key)?;
            let follows = if steps.iter().any(|earlier| may_share(&earlier.rows, &rows)) {
                Follows::After
            } else {
                Follows::NotBefore
            };
            let label = step.label.as_ref().map(|label| label.text.clone());
            steps.push(FunnelStep { name: step.name.text.clone(), label, rows, follows });
        }
        self.in_order(tree, &steps)?;
        let mut clauses =
            vec![format!("by {} within {}", self.files.text(by.entity.span), self.files.text(by.within.span))];
        clauses.extend(tree.steps.iter().map(|step| self.rows_text(&format!("step {} =", step.name.text), &step.rows)));
        let definition_text = clauses.join(" ");
        let event = Event::Funnel(Funnel { steps, within, entity_type });
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let step = self.own_dimension(&item, &event, EventColumn::Step);
        let position = self.own_dimension(&item, &event, EventColumn::Position);
        let counts = Counts { event: &event, span: tree.name.span };
        let reached = counts.those(self, EventColumn::Reached)?;
        let share = counts.share(self, EventColumn::Reached)?;
        let lost = counts.lost(self, EventColumn::Reached, EventColumn::Before)?;
        let entities = self.own_indicator(&item, "entities", reached);
        let rate = self.own_indicator(&item, "rate", share);
        let drop_off = self.own_indicator(&item, "drop_off", lost);
        Ok(EventView {
            item,
            kind: EventViewKind::Funnel,
            event,
            definition_text,
            dimensions: vec![step, position],
            indicators: vec![entities, rate, drop_off],
        })
    }

    /// Refuses steps whose order their times cannot tell: a date is all of its day.
    fn in_order(&self, tree: &ast::Funnel, steps: &[FunnelStep]) -> Result<(), Failure> {
        let axis = |step: &FunnelStep| self.catalog.source(step.rows.source).time.as_ref();
        let by_day = |step| axis(step).is_some_and(|axis| self.catalog.axis_type(axis) == DataType::Date32);
        let times = |step| if by_day(step) { "dates" } else { "times of day" };
        let [first, others @ ..] = tree.steps.as_slice() else { return Ok(()) };
        for (written, step) in others.iter().zip(&steps[1..]) {
            if by_day(step) != by_day(&steps[0]) {
                return Err(other_times((written, times(step)), (first, times(&steps[0]))).into());
            }
            if by_day(step) && step.follows == Follows::After {
                return Err(same_day(written).into());
            }
        }
        Ok(())
    }

    fn cohort(&mut self, declared: Declared<'a, EventTree<'a>>, tree: &ast::Cohort) -> Result<EventView, Failure> {
        let Some(entity) = &tree.entity else { return Err(lacks(&tree.name, "entity orders.customer_id")) };
        let Some(tree_starts) = &tree.starts else { return Err(lacks(&tree.name, "starts first orders")) };
        let Some(tree_returns) = &tree.returns else { return Err(lacks(&tree.name, "returns orders")) };
        let Some(every) = &tree.every else { return Err(lacks(&tree.name, "every month for 12")) };
        let package = declared.package;
        let (grain, ages) = (whole_days(&every.grain)?, ages_of(every)?);
        let sources = [self.dated(package, &tree_starts.source)?, self.dated(package, &tree_returns.source)?];
        let keys = self.entity_of(package, entity, &sources)?;
        let entity_type = common_type(&keys.iter().collect::<Vec<_>>(), entity.span)?;
        let [of_start, of_return]: [Key; 2] = keys.try_into().map_err(|_| Failure::Silent)?;
        let starts = self.event_rows(package, tree_starts, sources[0], of_start)?;
        let returns = self.event_rows(package, tree_returns, sources[1], of_return)?;
        let definition_text = [
            format!("entity {}", self.files.text(entity.span)),
            self.rows_text("starts first", tree_starts),
            self.rows_text("returns", tree_returns),
            format!("every {} for {ages}", grain.name()),
        ]
        .join(" ");
        let event = Event::Cohort(Box::new(Cohort { starts, returns, every: grain, ages, entity_type }));
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let start = self.own_dimension(&item, &event, EventColumn::Start);
        let age = self.own_dimension(&item, &event, EventColumn::Age);
        let counts = Counts { event: &event, span: tree.name.span };
        let active = counts.those(self, EventColumn::Active)?;
        let share = counts.share(self, EventColumn::Active)?;
        let entities = self.own_indicator(&item, "entities", active);
        let rate = self.own_indicator(&item, "rate", share);
        Ok(EventView {
            item,
            kind: EventViewKind::Cohort,
            event,
            definition_text,
            dimensions: vec![start, age],
            indicators: vec![entities, rate],
        })
    }

    /// The entity of both sources; `orders.customer_id` is the column of that name of the other source, too.
    fn entity_of(&mut self, package: &str, entity: &ast::Expr, sources: &[SourceId]) -> Result<Vec<Key>, Failure> {
        let own = match &entity.sql {
            sql::Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [source, name] if self.source_id(package, &source.value).is_some() => {
                    Some(sql::Expr::Identifier(name.clone()))
                }
                _ => None,
            },
            _ => None,
        };
        let key = own.as_ref().filter(|_| sources[0] != sources[1]).unwrap_or(&entity.sql);
        self.keys_of(package, key, sources, entity.span)
    }

    fn event_rows(
        &mut self,
        package: &str,
        tree: &ast::EventRows,
        source: SourceId,
        (entity, _): Key,
    ) -> Result<EventRows, Failure> {
        let mut conditions = Vec::new();
        for condition in &tree.conditions {
            let resolved = self.resolve_condition(condition, Scope::rows(package, Some(source)))?;
            let axis = self.catalog.source(source).time.clone();
            let flat = flatten(&self.catalog, Standpoint { source, axis: axis.as_ref() }, &resolved)
                .map_err(|it| super::dimensions::unreachable(&self.catalog, source, &it).at(condition.span))?;
            if flat.fans_out() {
                return Err(Diagnostic::new(
                    codes::FAN_OUT,
                    "a row may be a step for some of its child rows and not for others",
                )
                .at(condition.span)
                .help("make the child source the source of the step")
                .into());
            }
            conditions.push(flat);
        }
        Ok(EventRows { source, entity, conditions })
    }

    /// A clause about rows as it is written.
    fn rows_text(&self, word: &str, rows: &ast::EventRows) -> String {
        let mut text = format!("{word} {}", self.files.text(rows.source.span));
        for condition in &rows.conditions {
            text.push_str(&format!(" where {}", self.files.text(condition.span)));
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A source whose rows have a time.
    fn dated(&self, package: &str, path: &ast::Path) -> Result<SourceId, Failure> {
        let id = self.joined_source(package, path)?;
        self.with_time(id, path.span)?;
        Ok(id)
    }

    pub(super) fn length_of(
        &mut self,
        package: &str,
        within: &ast::Expr,
    ) -> Result<crate::catalog::modifier::TimeSpan, Failure> {
        let span = within.span;
        let length = Resolver::new(self, Scope::formula(package, None), span).window(&within.sql, span)?;
        length.ok_or(Failure::Silent)
    }

    fn own_dimension(&mut self, item: &Item, event: &Event, column: EventColumn) -> DimensionId {
        let value = EventValue { event: event.clone(), column };
        let data_type = value.data_type();
        let definitions = vec![Expression::input(Input::Event(Box::new(value)))];
        let kind = DimensionKind::Category;
        let id = DimensionId(self.catalog.dimensions.len() as u32);
        let dimension = Dimension { item: part_of(item, column.name()), kind, data_type, definitions };
        self.catalog.to_mut().dimensions.push(dimension);
        id
    }

    fn own_indicator(&mut self, item: &Item, name: &str, counted: Counted) -> IndicatorId {
        let id = IndicatorId(self.catalog.indicators.len() as u32);
        self.catalog.to_mut().indicators.push(Indicator {
            item: part_of(item, name),
            formula: counted.formula,
            conditions: vec![],
            time: None,
            data_type: counted.data_type.clone(),
            formula_type: counted.data_type,
            fill: None,
            within: None,
            unit: counted.unit,
            good: None,
            grain: None,
            additivity: Additivity::NonAdditive,
            format: None,
            definition_text: format!("{name} of {}", item.name),
        });
        id
    }
}

/// An indicator's formula in the making.
struct Counted {
    formula: Expression,
    data_type: DataType,
    unit: Option<Unit>,
}

/// Distinct entities of an event.
struct Counts<'e> {
    event: &'e Event,
    span: Span,
}

impl Counts<'_> {
    /// Entities, or only those of which something is true. That is a value rather than a filter, so that all counts read
    /// the same rows, also where only some are read (`last day`).
    fn measure(&self, only: Option<EventColumn>) -> Result<Measure, Failure> {
        let column = |column| Input::Event(Box::new(EventValue { event: self.event.clone(), column }));
        let entity = Expr::Column(input_column(0));
        let counted = match only {
            Some(_) => when(Expr::Column(input_column(1)), entity).end().map_err(|_| Failure::Silent)?,
            None => entity,
        };
        let inputs = [EventColumn::Entity].into_iter().chain(only).map(column).collect();
        Ok(Measure {
            source: self.event.source(),
            aggregate: Expression { expr: count_distinct(counted), inputs },
            filter: None,
            kind: AggregateKind::CountDistinct,
            data_type: DataType::Int64,
            empty: ScalarValue::Int64(Some(0)),
        })
    }

    /// The entities of which that is true.
    fn those(&self, checker: &mut Checker<'_>, only: EventColumn) -> Result<Counted, Failure> {
        let mut resolver = Resolver::new(checker, Scope::formula("", None), self.span);
        let number = resolver.measure_input(self.measure(Some(only))?);
        let typed = resolver.typed(number)?;
        Ok(Counted { formula: typed.expression, data_type: typed.data_type, unit: None })
    }

    /// Their share of all.
    fn share(&self, checker: &mut Checker<'_>, only: EventColumn) -> Result<Counted, Failure> {
        let mut resolver = Resolver::new(checker, Scope::formula("", None), self.span);
        let (part, whole) = (self.measure(Some(only))?, self.measure(None)?);
        let share = quotient(&mut resolver, part, whole);
        percent(resolver, share)
    }

    /// The share of others that is not among them; all of them are others.
    fn lost(&self, checker: &mut Checker<'_>, only: EventColumn, of: EventColumn) -> Result<Counted, Failure> {
        let mut resolver = Resolver::new(checker, Scope::formula("", None), self.span);
        let part = resolver.measure_input(self.measure(Some(only))?);
        let whole = resolver.measure_input(self.measure(Some(of))?);
        let lost = sql::Expr::Nested(Box::new(binary(whole.clone(), sql::BinaryOperator::Minus, part)));
        percent(resolver, binary(lost, sql::BinaryOperator::Divide, whole))
    }
}

fn quotient(resolver: &mut Resolver<'_, '_>, part: Measure, whole: Measure) -> sql::Expr {
    let part = resolver.measure_input(part);
    binary(part, sql::BinaryOperator::Divide, resolver.measure_input(whole))
}

fn binary(left: sql::Expr, op: sql::BinaryOperator, right: sql::Expr) -> sql::Expr {
    sql::Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

fn percent(resolver: Resolver<'_, '_>, value: sql::Expr) -> Result<Counted, Failure> {
    let typed = resolver.typed(value)?;
    Ok(Counted { formula: typed.expression, data_type: typed.data_type, unit: Some(Unit::named("percent")) })
}

/// Whether a row may be one of both.
fn may_share(one: &EventRows, other: &EventRows) -> bool {
    one.source == other.source && !exclude_each_other(&one.conditions, &other.conditions)
}

fn other_times((step, times): (&ast::Step, &str), (first, of_first): (&ast::Step, &str)) -> Diagnostic {
    Diagnostic::new(
        codes::TOO_FINE,
        format!("step `{}` has {times}, and step `{}` has {of_first}", step.name.text, first.name.text),
    )
    .at(step.rows.source.span)
    .also(first.rows.source.span, of_first)
    .note("which of the two came first on the same day is not known")
    .help(
        "compare days: give the source with the times `columns { seen_day = cast(seen as date) }` and `time seen_day`",
    )
}

fn same_day(step: &ast::Step) -> Diagnostic {
    let name = &step.name.text;
    Diagnostic::new(
        codes::TOO_FINE,
        format!(
            "step `{name}` must be later than the step before it, and of two rows of one day dates do not tell which is"
        ),
    )
    .at(step.rows.source.span)
    .note("it reads the same source as an earlier step, and the conditions of the two do not exclude one another")
    .help("write conditions that do, such as `kind = 'cart'` and `kind = 'pay'`, or give the source a time of day")
}

/// A column of a view; it has no label of its own.
fn part_of(item: &Item, name: &str) -> Item {
    Item { name: name.to_string(), label: None, labels: vec![], description: None, ..item.clone() }
}

fn lacks(name: &ast::Name, example: &str) -> Failure {
    let clause = example.split(' ').next().unwrap_or_default();
    let what = if clause == "step" { "fewer than two steps".to_string() } else { format!("no `{clause}`") };
    Diagnostic::new(codes::BAD_VALUE, format!("`{}` has {what}", name.text))
        .at(name.span)
        .help(format!("add it, such as `{example}`"))
        .into()
}

fn whole_days(name: &ast::Name) -> Result<Grain, Failure> {
    let known = || Grain::ALL.iter().filter(|grain| **grain >= Grain::Day).map(|grain| grain.name());
    match Grain::named(&name.text.to_lowercase()).filter(|grain| *grain >= Grain::Day) {
        Some(grain) => Ok(grain),
        None => {
            let refused =
                Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not a period of cohorts", name.text)).at(name.span);
            Err(match nearest(&name.text, known()) {
                Some(near) => refused.help(format!("did you mean `{near}`?")),
                None => refused.help(format!("periods are {}", known().collect::<Vec<_>>().join(", "))),
            }
            .into())
        }
    }
}

fn ages_of(every: &ast::Every) -> Result<u16, Failure> {
    let Some(written) = &every.ages else { return Ok(AGES) };
    match written.text.parse::<u16>() {
        Ok(ages) if ages > 0 => Ok(ages),
        _ => Err(Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not a number of periods", written.text))
            .at(written.span)
            .help("write a whole number: `every month for 12` shows ages 0 to 12")
            .into()),
    }
}
