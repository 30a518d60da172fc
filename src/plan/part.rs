//! A part of a question: the aggregates that share one source, one time axis and one set of rows, in one scan and one
//! aggregation.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, lit};

use super::context::{Context, Leaf};
use super::guards::guarded;
use super::scan::Scan;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::{Standpoint, Unreachable, flatten};
use crate::catalog::time::cast;
use crate::catalog::{IndicatorId, SourceId};
use crate::check::{needs_key, unreachable};
use crate::diagnostic::Diagnostic;

/// Which leaves may share a part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    source: SourceId,
    axis: Option<Expression>,
    /// Conditions against a join's direction: they choose among child rows, so they must act before de-duplication.
    child_conditions: Vec<Expression>,
    /// The same from `filter`s.
    child_filters: Vec<Expression>,
}

/// Leaves that share rows.
#[derive(Debug)]
pub(crate) struct Part {
    key: Key,
    leaves: Vec<PlacedLeaf>,
    /// For each indicator asked of it: the conditions that its rows fulfil; together they decide which groups there are.
    alternatives: Vec<Vec<Expression>>,
    asked: IndicatorId,
}

/// A leaf with its conditions flattened to the part's source.
#[derive(Debug)]
struct PlacedLeaf {
    number: usize,
    aggregate: Expression,
    conditions: Vec<Expression>,
    filters: Vec<Expression>,
}

/// A part as a plan with columns `g0 …` (the keys), the grouping id if there are grouping sets, and a value a leaf.
pub(crate) struct BuiltPart {
    pub(crate) plan: LogicalPlan,
    pub(crate) keys: Vec<Expr>,
    pub(crate) grouping_id: Option<Expr>,
    /// Leaf numbers and their values.
    pub(crate) values: Vec<(usize, Expr)>,
    /// Whether its groups are shown; parts with a child `filter` only look values up.
    pub(crate) shows_groups: bool,
}

/// Distributes leaves over as few parts as their rows allow.
pub(crate) fn parts_of(context: &Context<'_>, leaves: &[Leaf]) -> Result<Vec<Part>, Diagnostic> {
    let mut parts: Vec<Part> = Vec::new();
    for (number, leaf) in leaves.iter().enumerate() {
        let placed = place(context, leaf)?;
        let mut key = placed.key;
        if !key.child_filters.is_empty() {
            // The groups are those without the filter: a part without leaves shows them.
            let spine = Key { child_filters: vec![], ..key.clone() };
            part_for(&mut parts, spine, leaf.asked).alternatives.push(placed.leaf.conditions.clone());
        }
        key.child_filters.sort_by_key(|filter| filter.expr.to_string());
        let part = part_for(&mut parts, key, leaf.asked);
        part.alternatives.push(placed.leaf.conditions.clone());
        part.leaves.push(PlacedLeaf { number, ..placed.leaf });
    }
    Ok(parts)
}

struct Placement {
    key: Key,
    leaf: PlacedLeaf,
}

fn place(context: &Context<'_>, leaf: &Leaf) -> Result<Placement, Diagnostic> {
    let catalog = context.catalog;
    let source = leaf.measure.source;
    let standpoint = Standpoint { source, axis: leaf.axis.as_ref() };
    let flat = |expression: &Expression| {
        flatten(catalog, standpoint, expression).map_err(|problem| refusal(context, source, leaf.asked, &problem))
    };
    let split = |expressions: &[Expression]| -> Result<(Vec<Expression>, Vec<Expression>), Diagnostic> {
        let flat = expressions.iter().map(flat).collect::<Result<Vec<_>, _>>()?;
        Ok(flat.into_iter().partition(fans_out))
    };
    let (child_conditions, conditions) = split(&leaf.conditions)?;
    let (child_filters, filters) = split(&leaf.filters)?;
    let aggregate = flat(&leaf.measure.aggregate)?;
    Ok(Placement {
        key: Key { source, axis: leaf.axis.clone(), child_conditions, child_filters },
        leaf: PlacedLeaf { number: 0, aggregate, conditions, filters },
    })
}

fn part_for(parts: &mut Vec<Part>, key: Key, asked: IndicatorId) -> &mut Part {
    let at = parts.iter().position(|part| part.key == key).unwrap_or_else(|| {
        parts.push(Part { key, leaves: vec![], alternatives: vec![], asked });
        parts.len() - 1
    });
    &mut parts[at]
}

fn fans_out(flat: &Expression) -> bool {
    flat.inputs.iter().any(|input| matches!(input, Input::Column(column) if column.path.fans_out()))
}

fn refusal(context: &Context<'_>, source: SourceId, asked: IndicatorId, problem: &Unreachable) -> Diagnostic {
    let name = &context.catalog.indicator(asked).item.name;
    unreachable(context.catalog, source, problem).note(format!("asked by indicator `{name}`"))
}

impl Part {
    /// The plan of the part.
    pub(crate) fn build(&self, context: &Context<'_>) -> Result<BuiltPart> {
        let catalog = context.catalog;
        let mut scan = Scan::new(catalog, self.key.source).dated_by(self.key.axis.as_ref());
        let keys = self.flat_all(context, &context.grouping.keys)?;
        let keys: Vec<Expr> = keys.iter().map(|key| scan.place(key)).collect();
        let filter = self.row_filter(context, &mut scan)?;
        let aggregates: Vec<Expr> = self.leaves.iter().map(|leaf| self.aggregate(leaf, &mut scan)).collect();
        let rows = match filter {
            Some(filter) => scan.build()?.filter(filter)?,
            None => scan.build()?,
        };
        let aggregates = with_exact_types(aggregates);
        let rows = Rows { builder: rows, keys, aggregates: distinct(&aggregates) };
        let aggregated = if scan.fans_out() {
            let key = self.fact_key(context, &scan)?;
            rows.aggregate_once_per(key, context.grouping.sets.as_deref())?
        } else {
            rows.aggregate(context.grouping.sets.as_deref())?
        };
        Ok(self.built(aggregated, &aggregates, context))
    }

    fn flat_all(&self, context: &Context<'_>, expressions: &[Expression]) -> Result<Vec<Expression>, Diagnostic> {
        let standpoint = Standpoint { source: self.key.source, axis: self.key.axis.as_ref() };
        let flat = |expression| {
            flatten(context.catalog, standpoint, expression)
                .map_err(|problem| refusal(context, self.key.source, self.asked, &problem))
        };
        expressions.iter().map(flat).collect()
    }

    /// The question's conditions, those against a join's direction, and the alternatives of the indicators.
    fn row_filter(&self, context: &Context<'_>, scan: &mut Scan<'_>) -> Result<Option<Expr>, Diagnostic> {
        let mut all: Vec<Expr> =
            self.flat_all(context, &context.conditions)?.iter().map(|condition| scan.place(condition)).collect();
        all.extend(self.key.child_conditions.iter().chain(&self.key.child_filters).map(|c| scan.place(c)));
        if self.alternatives.iter().all(|conditions| !conditions.is_empty()) {
            let mut ways: Vec<Expr> = Vec::new();
            for conditions in &self.alternatives {
                let way = conjunction(conditions.iter().map(|condition| scan.place(condition)));
                ways.extend(way.filter(|way| !ways.contains(way)));
            }
            all.extend(disjunction(ways));
        }
        Ok(conjunction(all).map(guarded))
    }

    /// The aggregate call of a leaf, filtered by what not all leaves share.
    fn aggregate(&self, leaf: &PlacedLeaf, scan: &mut Scan<'_>) -> Expr {
        let shared = self.alternatives.iter().all(|conditions| *conditions == leaf.conditions);
        let own = if shared { &[][..] } else { &leaf.conditions[..] };
        let filter = conjunction(own.iter().chain(&leaf.filters).map(|condition| scan.place(condition)));
        match (scan.place(&leaf.aggregate), filter.map(guarded)) {
            (Expr::AggregateFunction(mut call), Some(filter)) => {
                call.params.filter = Some(Box::new(filter));
                Expr::AggregateFunction(call)
            }
            (call, _) => call,
        }
    }

    fn fact_key(&self, context: &Context<'_>, scan: &Scan<'_>) -> Result<Vec<Expr>, Diagnostic> {
        match context.catalog.source(self.key.source).keys.first() {
            Some(key) => Ok(key.iter().map(|column| scan.own_column(*column)).collect()),
            None => {
                let name = &context.catalog.indicator(self.asked).item.name;
                Err(needs_key(context.catalog, self.key.source).note(format!("asked by indicator `{name}`")))
            }
        }
    }

    fn built(&self, aggregated: Aggregated, aggregates: &[Expr], context: &Context<'_>) -> BuiltPart {
        let unique = distinct(aggregates);
        let value = |aggregate: &Expr| {
            let at = unique.iter().position(|known| known == aggregate).unwrap_or_default();
            aggregated.values[at].clone()
        };
        let values = self.leaves.iter().zip(aggregates).map(|(leaf, aggregate)| (leaf.number, value(aggregate)));
        BuiltPart {
            values: values.collect(),
            keys: aggregated.keys,
            grouping_id: aggregated.grouping_id.filter(|_| context.grouping.sets.is_some()),
            plan: aggregated.plan,
            shows_groups: self.key.child_filters.is_empty(),
        }
    }
}

/// Each expression once, in order.
fn distinct(expressions: &[Expr]) -> Vec<Expr> {
    let mut unique: Vec<Expr> = Vec::new();
    for expression in expressions {
        if !unique.contains(expression) {
            unique.push(expression.clone());
        }
    }
    unique
}

/// Joined and filtered rows, not yet aggregated.
struct Rows {
    builder: LogicalPlanBuilder,
    keys: Vec<Expr>,
    aggregates: Vec<Expr>,
}

/// An aggregation and where its columns are.
struct Aggregated {
    plan: LogicalPlan,
    keys: Vec<Expr>,
    grouping_id: Option<Expr>,
    values: Vec<Expr>,
}

impl Rows {
    /// One aggregation over the rows as they are.
    fn aggregate(self, sets: Option<&[Vec<usize>]>) -> Result<Aggregated> {
        let (count, values) = (self.keys.len(), self.aggregates.len());
        let rows = named_keys(self.builder, &self.keys, &columns_in(&self.aggregates))?;
        let aggregates = if values == 0 && count == 0 { vec![one_row()] } else { self.aggregates };
        let plan = rows.aggregate(grouping(count, sets), aggregates)?.build()?;
        let columns = output(&plan);
        let first_value = count + usize::from(sets.is_some());
        Ok(Aggregated {
            keys: columns[..count].to_vec(),
            grouping_id: sets.map(|_| columns[count].clone()),
            values: columns[first_value..first_value + values].to_vec(),
            plan,
        })
    }

    /// The same where a fact row may appear several times: first each fact row once in each group (by its key; its
    /// other columns depend on that), then the aggregation.
    fn aggregate_once_per(self, fact_key: Vec<Expr>, sets: Option<&[Vec<usize>]>) -> Result<Aggregated> {
        let count = self.keys.len();
        let mut kept = fact_key;
        kept.extend(
            columns_in(&self.aggregates).into_iter().filter(|column| !kept.contains(column)).collect::<Vec<_>>(),
        );
        let kept = distinct(&kept.iter().flat_map(columns_of).collect::<Vec<_>>());
        let rows = named_keys(self.builder, &self.keys, &kept)?;
        let keys = (0..count).map(key_column);
        let once = match sets {
            None => rows.aggregate(kept.iter().cloned().chain(keys), Vec::<Expr>::new())?,
            Some(sets) => {
                let with_kept =
                    |set: &Vec<usize>| kept.iter().cloned().chain(set.iter().map(|at| key_column(*at))).collect();
                let sets = GroupingSet::GroupingSets(sets.iter().map(with_kept).collect());
                rows.aggregate(vec![Expr::GroupingSet(sets)], Vec::<Expr>::new())?
            }
        };
        let grouping_id = sets.map(|sets| outer_grouping_id(sets, kept.len(), count));
        let groups: Vec<Expr> = (0..count).map(key_column).chain(grouping_id).collect();
        let values = self.aggregates.len();
        let aggregates = if values == 0 && groups.is_empty() { vec![one_row()] } else { self.aggregates };
        let group_count = groups.len();
        let plan = once.aggregate(groups, aggregates)?.build()?;
        let columns = output(&plan);
        Ok(Aggregated {
            keys: columns[..count].to_vec(),
            grouping_id: sets.map(|_| columns[count].clone()),
            values: columns[group_count..group_count + values].to_vec(),
            plan,
        })
    }
}

/// DataFusion rewrites distinct counts beside sums to two aggregations, in which the type of a decimal sum grows and no
/// longer is the plan's. Named calls are left alone by that rule.
fn with_exact_types(aggregates: Vec<Expr>) -> Vec<Expr> {
    let decimal_sum = |expr: &Expr| match expr {
        Expr::AggregateFunction(call) => !call.params.distinct && call.func.name() == "sum",
        _ => false,
    };
    if !aggregates.iter().any(decimal_sum) {
        return aggregates;
    }
    let named = |expr: Expr| match &expr {
        Expr::AggregateFunction(call) if call.params.distinct => {
            let name = expr.schema_name().to_string();
            expr.alias(name)
        }
        _ => expr,
    };
    aggregates.into_iter().map(named).collect()
}

/// A total needs some aggregate to have its one row, even where no leaf is asked of the part.
fn one_row() -> Expr {
    datafusion::functions_aggregate::expr_fn::count(lit(1_i64))
}

fn key_column(at: usize) -> Expr {
    Expr::Column(Column::new_unqualified(format!("g{at}")))
}

/// The rows with their keys as columns `g0 …`, so that two keys of the same expression stay two columns.
fn named_keys(rows: LogicalPlanBuilder, keys: &[Expr], kept: &[Expr]) -> Result<LogicalPlanBuilder> {
    if keys.is_empty() {
        return Ok(rows);
    }
    let keys = keys.iter().enumerate().map(|(at, key)| key.clone().alias(format!("g{at}")));
    rows.project(keys.chain(kept.iter().cloned()))
}

fn grouping(count: usize, sets: Option<&[Vec<usize>]>) -> Vec<Expr> {
    match sets {
        None => (0..count).map(key_column).collect(),
        Some(sets) => {
            let sets = sets.iter().map(|set| set.iter().map(|at| key_column(*at)).collect()).collect();
            vec![Expr::GroupingSet(GroupingSet::GroupingSets(sets))]
        }
    }
}

/// The grouping id as it would be without the kept columns, which come first in every set and so leave the bits of the
/// keys where they are; above all of them DataFusion counts repeated sets.
fn outer_grouping_id(sets: &[Vec<usize>], kept: usize, keys: usize) -> Expr {
    let id = cast(Expr::Column(Column::new_unqualified(Aggregate::INTERNAL_GROUPING_ID)), DataType::UInt64);
    let repeated = (1..sets.len()).any(|at| sets[..at].contains(&sets[at]));
    let id = if repeated {
        let number = |value: u64| lit(ScalarValue::UInt64(Some(value)));
        (id.clone() % number(1 << keys)) + (id / number(1 << (keys + kept))) * number(1 << keys)
    } else {
        id
    };
    id.alias("grouping_id")
}

fn output(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema().iter().map(|(relation, field)| Expr::Column(Column::new(relation.cloned(), field.name()))).collect()
}

/// The columns that aggregate calls read, each once.
fn columns_in(aggregates: &[Expr]) -> Vec<Expr> {
    distinct(&aggregates.iter().flat_map(columns_of).collect::<Vec<_>>())
}

fn columns_of(expr: &Expr) -> Vec<Expr> {
    let mut columns = Vec::new();
    let _ = expr.apply(|part| {
        if let Expr::Column(_) = part {
            columns.push(part.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    columns
}
