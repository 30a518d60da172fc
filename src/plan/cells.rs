//! What a rollup stores: the cells of a source by the rollup's keys, with the states of the aggregates that its indicators
//! are made of.
//!
//! Each part of the rollup's question (one source, one time axis) is a table. Its columns are the keys under their names,
//! `$rows0 …`: how many rows fulfil the conditions of some indicator, which tells the groups it has, and `$state0 …`. A cell
//! may be there several times, from several runs: whoever reads the table puts states together anyway.

use std::sync::Arc;

use datafusion::arrow::datatypes::DECIMAL128_MAX_PRECISION;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, ScalarValue, TableReference};
use datafusion::functions_aggregate::approx_distinct::approx_distinct_udaf;
use datafusion::functions_aggregate::expr_fn::{count, max, min, sum};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::{conjunction, disjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Volatility, lit,
};

use super::combine::Question;
use super::context::{Call, Leaf, LeafKind, Leaves, Surroundings};
use super::frame::Frame;
use super::guards::guarded;
use super::lean;
use super::options::Rewrites;
use super::part::{Part, PlacedLeaf, parts_of};
use super::rows::columns_of;
use super::scan::Scan;
use super::states::{merged, state_of};
use crate::catalog::expr::{Expression, Fold, Input};
use crate::catalog::modifier::Modifier;
use crate::catalog::rollup::Rollup;
use crate::catalog::{Catalog, IndicatorId, SourceId};
use crate::check::ordered::takes_one;
use crate::diagnostic::{Diagnostic, codes};

/// A table that a rollup stores.
#[derive(Debug)]
pub struct Cells {
    /// The source whose rows are put together.
    pub source: SourceId,
    /// The name of its folder below the rollup's.
    pub name: String,
    /// What computes it.
    pub plan: LogicalPlan,
}

/// The tables of a rollup.
///
/// # Errors
/// A [`Diagnostic`] that names what cannot be stored.
pub fn cells_of(catalog: &Catalog, rollup: &Rollup) -> Result<Vec<Cells>> {
    let question = question_of(catalog);
    let mut tables: Vec<Cells> = Vec::new();
    for stored in parts_of_rollup(&question, rollup)? {
        let source = stored.part.key.source;
        let mut scan = stored.part.scan(&question);
        let laid_out = LaidOut::of(&question, &stored, rollup, &mut scan)?;
        let own = catalog.source(source).item.name.clone();
        let twice = tables.iter().filter(|table| table.source == source).count();
        let name = if twice == 0 { own } else { format!("{own}_{}", twice + 1) };
        let plan = laid_out.computed_from(scan)?;
        if changes_by_itself(&plan)? {
            return Err(cannot(rollup, "a key, a condition or a source depends on the time of the question").into());
        }
        tables.push(Cells { source, name, plan });
    }
    Ok(tables)
}

/// A part of the question that a rollup is.
pub(super) struct RollupPart {
    pub(super) part: Part,
    /// The numbers of leaves that look at the first or the last of something: among the rows that their filters admit.
    at_edges: Vec<usize>,
}

/// The parts of the question that a rollup is: all indicators in it by all its keys, as they are without modifiers, which
/// only say which cells are looked at.
pub(super) fn parts_of_rollup(question: &Question<'_>, rollup: &Rollup) -> Result<Vec<RollupPart>, Diagnostic> {
    let keys: Vec<Expression> = rollup.by.iter().map(|(_, input)| Expression::input(input.clone())).collect();
    let frame = Frame::new(&keys, &[]);
    let mut leaves = Leaves::of(question.catalog, &frame);
    for id in &rollup.indicators {
        leaves.expand(question.catalog, &Call { indicator: *id, filters: vec![], modifiers: vec![], looks: false });
    }
    let mut bare: Vec<Leaf> = Vec::new();
    let mut at_edges: Vec<Leaf> = Vec::new();
    let mut waiting: Vec<(Leaf, bool)> = leaves.leaves.into_iter().map(|leaf| (leaf, false)).collect();
    while let Some((leaf, inside_edge)) = waiting.pop() {
        let edge = |modifier: &Modifier| matches!(modifier, Modifier::Edge(_));
        let at_edge = inside_edge || leaf.around.modifiers.iter().any(edge);
        let around = Surroundings { modifiers: vec![], ..leaf.around };
        match leaf.kind {
            LeafKind::Fold(fold) => {
                let inner = inside(question, &frame, &fold, &around, leaf.asked);
                waiting.extend(inner.into_iter().map(|leaf| (leaf, at_edge)));
            }
            kind => {
                let leaf = Leaf { kind, around, asked: leaf.asked };
                if at_edge && !at_edges.contains(&leaf) {
                    at_edges.push(leaf.clone());
                }
                if !bare.contains(&leaf) {
                    bare.push(leaf);
                }
            }
        }
    }
    bare.reverse();
    let stored = |part: Part| {
        let numbers = part.leaf_numbers().into_iter();
        let at_edges = numbers.filter(|number| bare.get(*number).is_some_and(|leaf| at_edges.contains(leaf)));
        RollupPart { at_edges: at_edges.collect(), part }
    };
    Ok(parts_of(question, &frame, &bare)?.into_iter().map(stored).collect())
}

/// The aggregates inside an aggregate over `per`.
fn inside(
    question: &Question<'_>,
    frame: &Frame,
    fold: &Fold,
    around: &Surroundings,
    asked: Option<IndicatorId>,
) -> Vec<Leaf> {
    let mut leaves = Leaves::of(question.catalog, frame);
    let formulas = fold.aggregate.inputs.iter().filter(|input| fold.key(input).is_none());
    formulas.for_each(|input| _ = leaves.expand_input(question.catalog, input, around, asked));
    leaves.leaves
}

pub(super) fn question_of(catalog: &Catalog) -> Question<'_> {
    Question { catalog, visible: vec![], depth: 0, rewrites: Rewrites::default(), notes: None }
}

/// A table of a rollup, over the columns of its source.
pub(super) struct LaidOut {
    /// The keys, under the names of their columns.
    pub(super) keys: Vec<(String, Input, Expr)>,
    /// The conditions of its indicators, AND-ed: the number of rows that fulfil those at position n is column `$rows<n>`.
    pub(super) ways: Vec<Vec<Expr>>,
    /// The states of aggregates; those of numbers of rows are the `$rows<n>`.
    pub(super) states: Vec<State>,
    /// The columns of the rows.
    pub(super) schema: DFSchemaRef,
}

/// An aggregate whose state is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    /// The column that holds it.
    pub(super) column: String,
    /// Without a filter.
    pub(super) call: AggregateFunction,
    /// What filters it, AND-ed.
    pub(super) when: Vec<Expr>,
    pub(super) kind: Kind,
    /// The indicators that it answers approximately; empty where it is exact.
    pub(super) only_for: Vec<IndicatorId>,
}

/// How a state is stored and put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The sum of sums.
    Sum,
    /// The sum of counts.
    Count,
    Min,
    Max,
    /// DataFusion's own state of the aggregate.
    Kept,
    /// That of an estimate instead of a distinct count.
    Estimated,
}

impl LaidOut {
    pub(super) fn of(
        question: &Question<'_>,
        stored: &RollupPart,
        rollup: &Rollup,
        scan: &mut Scan<'_>,
    ) -> Result<LaidOut, Diagnostic> {
        let part = &stored.part;
        let refused = |reason: &str| Err(cannot(rollup, reason));
        if !part.key.child_conditions.is_empty() || !part.key.child_filters.is_empty() || part.key.redated.is_some() {
            return refused("a condition looks at rows that join to the source's, of which there may be several");
        }
        let axis = part.axis(question);
        let frame = part.frame();
        let mut keys = Vec::new();
        for (at, (name, input)) in rollup.by.iter().enumerate() {
            let flat = part.flat(question, &axis, &frame.keys[at].expr)?;
            keys.push((name.clone(), input.clone(), scan.place(&flat)));
        }
        let mut ways: Vec<Vec<Expr>> = Vec::new();
        let filtered =
            part.leaves.iter().filter(|leaf| stored.at_edges.contains(&leaf.number) && !leaf.filters.is_empty());
        let admitted = filtered.map(|leaf| leaf.conditions.iter().chain(&leaf.filters).cloned().collect());
        for conditions in part.alternatives.iter().cloned().chain(admitted) {
            let way = all_of(&conditions, scan);
            if !ways.iter().any(|known| alike(known, &way)) {
                ways.push(way);
            }
        }
        let mut states: Vec<State> = Vec::new();
        for leaf in &part.leaves {
            let Some((call, when)) = call_of(leaf, scan) else { return refused("an aggregate is none") };
            // The schema of the columns is known once all paths are.
            let only_for = leaf.asked.into_iter().collect();
            states.push(State { column: String::new(), call, when, kind: Kind::Kept, only_for });
        }
        if !scan.is_storable() {
            return refused(
                "a key or an aggregate looks at other rows than the source's own and those that it joins to",
            );
        }
        let rows = scan.build().map_err(|error| cannot(rollup, &error.to_string()))?;
        let schema = Arc::clone(rows.schema());
        let approximate = |ids: &[IndicatorId]| ids.iter().all(|id| rollup.approximate.contains(id));
        let mut unique: Vec<State> = ways.iter().enumerate().filter_map(|(at, way)| number_of_rows(at, way)).collect();
        for state in states {
            let kind = kind_of(&state.call, &schema, approximate(&state.only_for));
            let (kind, exact) = kind.map_err(|why| cannot(rollup, &why.reason).help(why.help))?;
            let only_for = if exact { vec![] } else { state.only_for };
            let same =
                |known: &&mut State| known.call == state.call && known.kind == kind && alike(&known.when, &state.when);
            match unique.iter_mut().find(same) {
                Some(known) => known.only_for.extend(only_for),
                None => unique.push(State { column: format!("$state{}", unique.len()), kind, only_for, ..state }),
            }
        }
        Ok(LaidOut { keys, ways, states: unique, schema })
    }

    /// The table, from the source's rows.
    fn computed_from(self, scan: Scan<'_>) -> Result<LogicalPlan> {
        let conditions: Vec<Vec<Expr>> = self.ways.clone();
        let all_conditional = conditions.iter().all(|way| !way.is_empty());
        let any = disjunction(conditions.into_iter().filter_map(conjunction)).filter(|_| all_conditional);
        let scan = scan.narrowed_by(any.as_slice());
        let mut rows = scan.build()?;
        if let Some(condition) = any {
            rows = LogicalPlanBuilder::from(lean::filter(rows.build()?, guarded(condition))?);
        }
        let rows = rows.build()?;
        let keys: Vec<Expr> = self.keys.iter().map(|(name, _, key)| key.clone().alias(name)).collect();
        let mut calls = Vec::new();
        for (at, way) in self.ways.iter().enumerate() {
            calls.push(filtered(count(lit(1_i64)), way)?.alias(rows_name(at)));
        }
        for state in self.states.iter().skip(self.ways.len()) {
            calls.push(filtered(state.stored(), &state.when)?.alias(&state.column));
        }
        LogicalPlanBuilder::from(rows).aggregate(keys, calls)?.build()
    }
}

/// The column with the number of rows that fulfil the conditions at a position.
pub(super) fn rows_name(at: usize) -> String {
    format!("$rows{at}")
}

/// The number of rows that fulfil the conditions at a position, as the state of `count(*)`.
fn number_of_rows(at: usize, way: &[Expr]) -> Option<State> {
    let Expr::AggregateFunction(call) = count(lit(1_i64)) else { return None };
    Some(State { column: rows_name(at), call, when: way.to_vec(), kind: Kind::Count, only_for: vec![] })
}

impl State {
    /// What is stored.
    fn stored(&self) -> Expr {
        match self.kind {
            Kind::Kept => state_of(&self.call),
            Kind::Estimated => state_of(&estimate_of(&self.call)),
            _ => Expr::AggregateFunction(self.call.clone()),
        }
    }

    /// What puts stored states together.
    pub(super) fn put_together(&self, schema: &DFSchema, state: Expr) -> Result<Expr> {
        Ok(match self.kind {
            Kind::Sum | Kind::Count => sum(state),
            Kind::Min => min(state),
            Kind::Max => max(state),
            Kind::Kept => merged(&self.call, schema, state)?,
            Kind::Estimated => merged(&estimate_of(&self.call), schema, state)?,
        })
    }
}

fn estimate_of(call: &AggregateFunction) -> AggregateFunction {
    let mut params = call.params.clone();
    params.distinct = false;
    AggregateFunction { func: approx_distinct_udaf(), params }
}

/// The call of a leaf without its filter, and all that decides about its rows, AND-ed.
pub(super) fn call_of(leaf: &PlacedLeaf, scan: &mut Scan<'_>) -> Option<(AggregateFunction, Vec<Expr>)> {
    let Expr::AggregateFunction(mut call) = scan.place(&leaf.aggregate) else { return None };
    let own = call.params.filter.take().map(|filter| split_conjunction_owned(*filter)).unwrap_or_default();
    let conditions: Vec<Expression> = leaf.conditions.iter().chain(&leaf.filters).cloned().collect();
    let mut when = all_of(&conditions, scan);
    own.into_iter().filter(|it| !when.contains(it)).collect::<Vec<_>>().into_iter().for_each(|it| when.push(it));
    Some((call, when))
}

/// Conditions in parts, each once.
fn all_of(conditions: &[Expression], scan: &mut Scan<'_>) -> Vec<Expr> {
    let mut all = Vec::new();
    for condition in conditions {
        for part in split_conjunction_owned(scan.place(condition)) {
            if !all.contains(&part) {
                all.push(part);
            }
        }
    }
    all
}

/// Whether two lists have the same members.
pub(super) fn alike(left: &[Expr], right: &[Expr]) -> bool {
    left.len() == right.len() && left.iter().all(|it| right.contains(it))
}

fn filtered(call: Expr, conditions: &[Expr]) -> Result<Expr> {
    match conjunction(conditions.iter().cloned()) {
        Some(condition) => call.filter(guarded(condition)).build(),
        None => Ok(call),
    }
}

const APPROXIMATE: &str = "name the indicator under `approximate`";

/// Why an aggregate cannot be stored, and what can be done about it.
struct Refusal {
    reason: String,
    help: String,
}

impl Refusal {
    fn new(reason: String) -> Refusal {
        Refusal { reason, help: LEAVE_OUT.to_string() }
    }

    /// Of sums of floating-point numbers.
    fn of_floating(call: &AggregateFunction, schema: &DFSchema) -> Refusal {
        let shown = Expr::AggregateFunction(call.clone()).schema_name().to_string();
        let number = call.params.args.first().and_then(|argument| only_double(argument, schema));
        let (why, help) = match (number, call.func.name()) {
            (Some(number), _) => {
                let digits = number.chars().filter(char::is_ascii_digit).count();
                let scale = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                let exact = format!("cast({number} as decimal({digits}, {scale}))");
                let help = match digits <= usize::from(DECIMAL128_MAX_PRECISION) {
                    true => format!("write it as an exact decimal, `{exact}`, or "),
                    false => String::new(),
                };
                (format!(" (`{number}` is a double)"), help)
            }
            (None, "sum" | "avg") => (
                String::new(),
                "declare the column as a decimal (`columns { amount decimal(15, 2) }`), or ".to_string(),
            ),
            // Deviations are computed from doubles, whatever the values are.
            (None, _) => Default::default(),
        };
        Refusal {
            reason: format!(
                "`{shown}` adds up floating-point numbers{why}, and its last digits would depend on what is stored"
            ),
            help: format!("{help}{APPROXIMATE}"),
        }
    }
}

/// A literal that makes an expression over other numbers one of doubles.
fn only_double(expr: &Expr, schema: &DFSchema) -> Option<String> {
    let floating = |column: &Expr| column.get_type(schema).is_ok_and(|kind| kind.is_floating());
    if columns_of(expr).iter().any(floating) {
        return None;
    }
    let mut found = None;
    let walked = expr.apply(|part| {
        Ok(match part {
            // Whatever is cast to another type is none any more.
            Expr::Cast(cast) if !cast.field.data_type().is_floating() => TreeNodeRecursion::Jump,
            Expr::Literal(ScalarValue::Float64(Some(value)), _) => {
                found = Some(value.to_string());
                TreeNodeRecursion::Stop
            }
            _ => TreeNodeRecursion::Continue,
        })
    });
    walked.ok().and(found)
}

/// How an aggregate is stored, and whether what is put together is exact; or why it cannot be.
fn kind_of(call: &AggregateFunction, schema: &DFSchema, approximate: bool) -> Result<(Kind, bool), Refusal> {
    let params = &call.params;
    let name = call.func.name();
    let shown = || Expr::AggregateFunction(call.clone()).schema_name().to_string();
    let needs_rows = || Err(Refusal::new(format!("`{}` needs the rows themselves", shown())));
    // What they order by ends with what decides, and is stored with the value.
    if takes_one(call) && !params.order_by.is_empty() && !params.distinct {
        return Ok((Kind::Kept, true));
    }
    if !params.order_by.is_empty() || params.null_treatment.is_some() {
        return Err(Refusal::new(format!("`{}` depends on an order, and needs the rows themselves", shown())));
    }
    let argument = params.args.first().map(|argument| (argument, argument.get_type(schema)));
    let whole_numbers = match &argument {
        Some((_, Ok(kind))) => !kind.is_floating() || is_of_integers(params.args.first(), schema),
        _ => true,
    };
    let inexact = |kind: Kind| match approximate {
        true => Ok((kind, false)),
        false => Err(Refusal::of_floating(call, schema)),
    };
    let estimate = || match approximate {
        true => Ok((Kind::Kept, false)),
        false => Err(Refusal {
            reason: format!("`{}` is an estimate, which would depend on what is stored", shown()),
            help: APPROXIMATE.to_string(),
        }),
    };
    match name {
        "count" if params.distinct && params.args.len() == 1 => match approximate {
            true => Ok((Kind::Estimated, false)),
            false => Ok((Kind::Kept, true)),
        },
        _ if params.distinct => needs_rows(),
        "count" => Ok((Kind::Count, true)),
        "min" => Ok((Kind::Min, true)),
        "max" => Ok((Kind::Max, true)),
        "sum" if matches!(&argument, Some((_, Ok(kind))) if !kind.is_floating()) => Ok((Kind::Sum, true)),
        "sum" => inexact(Kind::Sum),
        "avg" if whole_numbers => Ok((Kind::Kept, true)),
        "bool_and" | "bool_or" | "bit_and" | "bit_or" | "bit_xor" | "approx_distinct" => Ok((Kind::Kept, true)),
        "avg" | "var_pop" | "var" | "var_samp" | "stddev" | "stddev_pop" | "stddev_samp" => inexact(Kind::Kept),
        "approx_median" | "approx_percentile_cont" => estimate(),
        _ => needs_rows(),
    }
}

/// Whether states of an aggregate are a few numbers and put together give what the rows give, to the last digit.
pub(super) fn has_small_state(call: &AggregateFunction, schema: &DFSchema) -> bool {
    let small = matches!(call.func.name(), "avg" | "bool_and" | "bool_or" | "bit_and" | "bit_or" | "bit_xor");
    let plain = !call.params.distinct && call.params.order_by.is_empty();
    small && plain && matches!(kind_of(call, schema, false), Ok((Kind::Kept, true)))
}

/// Whether floating-point numbers are integers that were only cast, as averages do it.
fn is_of_integers(argument: Option<&Expr>, schema: &DFSchema) -> bool {
    matches!(argument, Some(Expr::Cast(cast)) if cast.expr.get_type(schema).is_ok_and(|kind| kind.is_integer()))
}

/// Whether a plan has other rows at another time, though its tables have the same.
///
/// # Errors
/// DataFusion's, if the plan cannot be walked.
pub fn changes_by_itself(plan: &LogicalPlan) -> Result<bool> {
    let changes = |part: &Expr| match part {
        Expr::ScalarFunction(function) => function.func.signature().volatility != Volatility::Immutable,
        _ => false,
    };
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            found |= expr.exists(|part| Ok(changes(part)))?;
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

const LEAVE_OUT: &str = "leave that indicator or key out of the rollup";

fn cannot(rollup: &Rollup, reason: &str) -> Diagnostic {
    Diagnostic::new(codes::BAD_ROLLUP, format!("rollup `{}` cannot be stored: {reason}", rollup.item.name))
        .at(rollup.item.span)
        .help(LEAVE_OUT)
}

/// A column of a table of cells.
pub(super) fn column(rollup: &Rollup, name: &str) -> Expr {
    Expr::Column(Column::new(Some(relation(rollup)), name))
}

/// The name under which its cells stand; names of sources have no space.
pub(super) fn relation(rollup: &Rollup) -> TableReference {
    TableReference::bare(format!("rollup {}", rollup.item.name))
}
