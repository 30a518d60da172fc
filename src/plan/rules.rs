//! [`ExpandMeasures`]: the one place where markers become plans.
//!
//! The rule walks a plan from the top. Where an `Aggregate` stands on a view (through filters, projections and aliases),
//! the columns it uses are traced down to the view's, and the aggregate is replaced by the [`answer`] to that question
//! under a projection with the same output schema, so that everything above binds as before. Where a view is used
//! without an aggregate, its dimensions' values are shown; an indicator without a group is refused.
//!
//! Invariant: no marker and no scan of a view is left in the output; the output schema is the input's.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, GroupingSet, LogicalPlan, LogicalPlanBuilder, Projection, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;

use super::combine::{Answer, answer};
use super::context::{Call, Context, Grouping};
use super::judge::Groups;
use super::lean;
use super::marker::{Aspect, aspect_of, is_measure};
use super::modifiers::modifiers_of;
use super::notes::Notes;
use super::options::BellOptions;
use super::refuse;
use super::trace::{Traced, trace};
use super::values::dimension_values;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::replace_inputs;
use crate::catalog::time::cast;

/// Expands `MEASURE` in plans over indicator views. Its place among the other analyzer rules does not matter.
#[derive(Debug, Default)]
pub struct ExpandMeasures {}

impl AnalyzerRule for ExpandMeasures {
    fn name(&self) -> &str {
        "expand_measures"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        if !uses_views(&plan)? {
            return Ok(plan);
        }
        // `GROUPING()` must be about the question's own keys before these become the expansion's.
        let plan = ResolveGroupingFunction::new().analyze(plan, config)?;
        let options = config.extensions.get::<BellOptions>().cloned().unwrap_or_default();
        let notes = config.extensions.get::<Notes>().cloned();
        let expanded = Expansion { options, notes }.rewrite(plan)?;
        TypeCoercion::new().analyze(expanded, config)
    }
}

/// Whether a plan, or a subquery in it, scans an indicator view; plans that do not are left alone, at no cost.
fn uses_views(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= super::view::scanned_view(node).is_some();
        Ok(if found {
            datafusion::common::tree_node::TreeNodeRecursion::Stop
        } else {
            datafusion::common::tree_node::TreeNodeRecursion::Continue
        })
    })?;
    Ok(found)
}

struct Expansion {
    options: BellOptions,
    notes: Option<Notes>,
}

impl Expansion {
    fn rewrite(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if let LogicalPlan::Aggregate(aggregate) = &plan {
            if let Some(traced) = trace(&aggregate.input)? {
                return self.question(aggregate, &traced);
            }
            if let LogicalPlan::Join(_) = bare(&aggregate.input)
                && let Some(plan) = self.drill_across(aggregate)?
            {
                return self.rewrite(plan);
            }
            refuse::measures_elsewhere(aggregate)?;
        }
        // A sort on top is the answer's order; below an aggregate it means nothing.
        let on_top = matches!(plan, LogicalPlan::Sort(_));
        if let Some(traced) = trace(&plan)?.filter(|_| !on_top) {
            return self.ungrouped(&plan, &traced);
        }
        let children = plan.map_children(|child| Ok(Transformed::yes(self.rewrite(child)?)))?.data;
        merged(self.rewrite_subqueries(children)?)
    }

    fn rewrite_subqueries(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        Ok(plan
            .map_subqueries(|subquery| {
                let LogicalPlan::Subquery(mut subquery) = subquery else { return Ok(Transformed::no(subquery)) };
                let inner = self.rewrite(Arc::unwrap_or_clone(subquery.subquery))?;
                subquery.subquery = Arc::new(inner);
                Ok(Transformed::yes(LogicalPlan::Subquery(subquery)))
            })?
            .data)
    }

    /// An aggregate on a view: a question.
    fn question(&self, aggregate: &Aggregate, traced: &Traced) -> Result<LogicalPlan> {
        let mut calls: Vec<Call> = Vec::new();
        let mut values: Vec<&AggregateFunction> = Vec::new();
        let mut aspects: Vec<Option<Aspect>> = Vec::new();
        for expr in &aggregate.aggr_expr {
            let call = refuse::as_call(expr)?;
            aspects.push(aspect_of(&call.func));
            match self.indicator_call(call, traced)? {
                Some(call) => calls.push(call),
                None => values.push(call),
            }
        }
        let conditions = self.conditions(traced)?;
        let catalog = traced.catalog();
        if calls.is_empty() {
            return self.over_values(aggregate, traced, conditions);
        }
        if let Some(other) = values.first() {
            return Err(refuse::mixed(other).into());
        }
        let grouping = grouping_of(aggregate, traced)?;
        let context =
            Context { catalog, grouping, conditions, rewrites: self.options.rewrites(), notes: self.notes.clone() };
        let answer = judged_answer(&context, calls, &aspects)?;
        let outputs = answer.keys.into_iter().chain(answer.grouping_id).chain(answer.values);
        same_schema(answer.plan, outputs, &aggregate.schema)
    }

    /// The indicator that an aggregate call asks for; `None` if it is an ordinary aggregate over dimensions.
    fn indicator_call(&self, call: &AggregateFunction, traced: &Traced) -> Result<Option<Call>> {
        let marker = is_measure(&call.func) || aspect_of(&call.func).is_some();
        let (own, modifiers) = call.params.args.split_at(if marker { 1 } else { call.params.args.len() });
        let arguments = own.iter().map(|arg| traced.expression(arg)).collect::<Result<Vec<_>>>()?;
        let indicator = arguments.iter().find_map(|argument| argument.indicator());
        let is_asked = marker || (self.options.bi_compat && indicator.is_some());
        if !is_asked {
            return match arguments.iter().find_map(Traced::any_indicator) {
                Some(id) => Err(refuse::aggregate_of_indicator(call, traced.catalog().indicator(id)).into()),
                None => Ok(None),
            };
        }
        let Some((id, mut filters)) = indicator else {
            return Err(refuse::not_one_indicator(call).into());
        };
        if call.params.distinct || !call.params.order_by.is_empty() {
            return Err(refuse::decorated(call).into());
        }
        if let Some(filter) = &call.params.filter {
            filters.push(self.condition(filter, traced)?);
        }
        let modifiers = modifiers_of(modifiers, traced)?;
        Ok(Some(Call { indicator: id, filters, modifiers, looks: false }))
    }

    fn conditions(&self, traced: &Traced) -> Result<Vec<Expression>> {
        traced.filters.iter().map(|filter| self.checked_condition(filter.clone(), traced)).collect()
    }

    fn condition(&self, filter: &Expr, traced: &Traced) -> Result<Expression> {
        self.checked_condition(traced.expression(filter)?, traced)
    }

    /// A condition has values of rows only; subqueries in it are expanded themselves.
    fn checked_condition(&self, mut condition: Expression, traced: &Traced) -> Result<Expression> {
        if let Some(id) = Traced::any_indicator(&condition) {
            return Err(refuse::indicator_in_where(traced.catalog().indicator(id)).into());
        }
        condition.expr = self.expand_in(condition.expr)?;
        Ok(condition)
    }

    /// Expands the subqueries inside an expression; correlated ones are refused.
    fn expand_in(&self, expr: Expr) -> Result<Expr> {
        let expanded = expr.transform(|expr| {
            let mut expr = expr;
            let subquery = match &mut expr {
                Expr::ScalarSubquery(subquery) => subquery,
                Expr::InSubquery(inner) => &mut inner.subquery,
                Expr::Exists(inner) => &mut inner.subquery,
                _ => return Ok(Transformed::no(expr)),
            };
            if !subquery.outer_ref_columns.is_empty() {
                return Err(refuse::correlated().into());
            }
            let inner = self.rewrite(subquery.subquery.as_ref().clone())?;
            subquery.subquery = Arc::new(inner);
            Ok(Transformed::yes(expr))
        });
        Ok(expanded?.data)
    }

    /// Ordinary aggregates over dimensions: over their distinct values, so only where repeats make no difference.
    fn over_values(&self, aggregate: &Aggregate, traced: &Traced, conditions: Vec<Expression>) -> Result<LogicalPlan> {
        for expr in &aggregate.aggr_expr {
            refuse::repeats_matter(refuse::as_call(expr)?)?;
        }
        let keys = grouping_set_to_exprlist(&aggregate.group_expr)?;
        let arguments: Vec<Expr> = aggregate.aggr_expr.iter().flat_map(refuse::inputs_of).collect();
        for argument in &arguments {
            refuse::made_of_masked(traced.catalog(), &traced.row_expression(argument)?)?;
        }
        let mut used: Vec<Expression> = Vec::new();
        for expr in keys.into_iter().cloned().chain(arguments) {
            let expression = traced.row_expression(&expr)?;
            if !used.contains(&expression) {
                used.push(expression);
            }
        }
        let context = Context {
            catalog: traced.catalog(),
            grouping: Grouping { keys: used.clone(), sets: None },
            conditions,
            rewrites: self.options.rewrites(),
            notes: self.notes.clone(),
        };
        let values = dimension_values(&context)?;
        let column = |expr: &Expr| -> Result<Expr> {
            let expression = traced.row_expression(expr)?;
            let at = used.iter().position(|known| *known == expression).unwrap_or_default();
            Ok(values.keys[at].clone())
        };
        let group = aggregate.group_expr.iter().map(|expr| map_group(expr, &column)).collect::<Result<Vec<_>>>()?;
        let calls =
            aggregate.aggr_expr.iter().map(|expr| refuse::with_inputs(expr, &column)).collect::<Result<Vec<_>>>()?;
        let plan = LogicalPlanBuilder::from(values.plan).aggregate(group, calls)?.build()?;
        let outputs = columns_of(plan.schema());
        same_schema(plan, outputs.into_iter(), &aggregate.schema)
    }

    /// A view without an aggregate: the distinct values of the dimensions that are selected.
    fn ungrouped(&self, plan: &LogicalPlan, traced: &Traced) -> Result<LogicalPlan> {
        let outputs = traced.outputs(plan)?;
        let mut indicators = Vec::new();
        for (_, expression) in &outputs {
            indicators.extend(Traced::any_indicator(expression));
        }
        if !indicators.is_empty() && traced.view().event.is_some() {
            return self.by_its_dimensions(plan, traced, &outputs);
        }
        if !indicators.is_empty() && !self.options.bi_compat {
            let all: Vec<_> = indicators.iter().map(|id| &traced.catalog().indicator(*id).item.name).collect();
            return Err(refuse::ungrouped(&all).into());
        }
        if !indicators.is_empty() {
            return preview(plan.schema());
        }
        let mut keys: Vec<Expression> = Vec::new();
        for (_, expression) in &outputs {
            if !keys.contains(expression) {
                keys.push(expression.clone());
            }
        }
        let conditions = self.conditions(traced)?;
        let grouping = Grouping { keys: keys.clone(), sets: None };
        let values = dimension_values(&Context {
            catalog: traced.catalog(),
            grouping,
            conditions,
            rewrites: self.options.rewrites(),
            notes: self.notes.clone(),
        })?;
        let columns = outputs.iter().map(|(_, expression)| {
            let at = keys.iter().position(|known| known == expression).unwrap_or_default();
            values.keys[at].clone()
        });
        same_schema(values.plan, columns.collect::<Vec<_>>().into_iter(), plan.schema())
    }

    /// A funnel or a cohort without an aggregate: grouped by the dimensions that are selected.
    fn by_its_dimensions(
        &self,
        plan: &LogicalPlan,
        traced: &Traced,
        outputs: &[(Column, Expression)],
    ) -> Result<LogicalPlan> {
        refuse::not_selected(plan, traced.view())?;
        let (mut keys, mut calls): (Vec<Expression>, Vec<Call>) = (vec![], vec![]);
        for (_, expression) in outputs {
            let asks = Traced::any_indicator(expression).is_some();
            let parts = expression.inputs.iter().cloned().map(Expression::input);
            for part in if asks { parts.collect() } else { vec![expression.clone()] } {
                match part.indicator() {
                    Some((indicator, filters)) => {
                        calls.push(Call { indicator, filters, modifiers: vec![], looks: false })
                    }
                    None if part.inputs.is_empty() || keys.contains(&part) => {}
                    None => keys.push(part),
                }
            }
        }
        let conditions = self.conditions(traced)?;
        let grouping = Grouping { keys, sets: None };
        let context = Context {
            catalog: traced.catalog(),
            grouping,
            conditions,
            rewrites: self.options.rewrites(),
            notes: self.notes.clone(),
        };
        let answer = answer(&context, &calls)?;
        let key = |expression: &Expression| {
            let at = context.grouping.keys.iter().position(|known| known == expression)?;
            Some(answer.keys[at].clone())
        };
        let part = |input: &Input| match input {
            Input::Indicator(id, _) => {
                let at = calls.iter().position(|call| call.indicator == *id).unwrap_or_default();
                answer.values[at].clone()
            }
            other => key(&Expression::input(other.clone())).unwrap_or_else(|| lit(ScalarValue::Null)),
        };
        let columns = outputs.iter().map(|(_, expression)| {
            key(expression).unwrap_or_else(|| {
                let parts: Vec<Expr> = expression.inputs.iter().map(part).collect();
                replace_inputs(expression.expr.clone(), &parts)
            })
        });
        same_schema(answer.plan, columns.collect::<Vec<_>>().into_iter(), plan.schema())
    }

    /// Measures over a join of two views on shared dimensions, grouped by exactly these: each side is grouped first.
    fn drill_across(&self, aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
        let LogicalPlan::Join(join) = bare(&aggregate.input) else { return Ok(None) };
        let (Some(left), Some(right)) = (trace(&join.left)?, trace(&join.right)?) else { return Ok(None) };
        super::across::grouped_sides(aggregate, join, (&left, &right))
    }
}

/// The answer, where targets, attainments and statuses stand in the place of the values that they are about.
fn judged_answer(context: &Context<'_>, mut calls: Vec<Call>, aspects: &[Option<Aspect>]) -> Result<Answer> {
    if aspects.iter().all(Option::is_none) {
        return answer(context, &calls);
    }
    let groups = Groups::of(context);
    let compared = aspects.iter().enumerate().filter_map(|(at, aspect)| Some((at, (*aspect)?)));
    let compared = compared
        .map(|(at, aspect)| groups.compare(context.catalog, &mut calls, at, aspect))
        .collect::<Result<Vec<_>>>()?;
    let mut answer = answer(context, &calls)?;
    let judged: Vec<(usize, Expr)> =
        compared.iter().map(|it| (it.value, groups.judged(context.catalog, it, &answer))).collect();
    judged.into_iter().for_each(|(at, value)| answer.values[at] = value);
    answer.values.truncate(aspects.len());
    Ok(answer)
}

/// A projection with nothing but columns of an answer takes the answer's place: one node less for every later rule.
fn merged(plan: LogicalPlan) -> Result<LogicalPlan> {
    let composed = match &plan {
        LogicalPlan::Projection(outer) => match outer.input.as_ref() {
            LogicalPlan::Projection(inner) => composed(outer, inner),
            _ => None,
        },
        _ => None,
    };
    match composed {
        Some((exprs, input)) => Ok(LogicalPlan::Projection(Projection::try_new(exprs, input)?)),
        None => plan.recompute_schema(),
    }
}

fn composed(outer: &Projection, inner: &Projection) -> Option<(Vec<Expr>, Arc<LogicalPlan>)> {
    let mut used: Vec<usize> = Vec::new();
    let mut exprs = Vec::with_capacity(outer.expr.len());
    for (expr, (relation, field)) in outer.expr.iter().zip(outer.schema.iter()) {
        let column = match expr {
            Expr::Alias(alias) if alias.metadata.is_none() => alias.expr.as_ref(),
            other => other,
        };
        let Expr::Column(column) = column else { return None };
        let at = inner.schema.maybe_index_of_column(column)?;
        let value = match &inner.expr[at] {
            Expr::Alias(alias) if alias.metadata.is_none() => alias.expr.as_ref(),
            other => other,
        };
        // What is computed is computed once.
        if used.contains(&at) && !matches!(value, Expr::Column(_)) {
            return None;
        }
        used.push(at);
        exprs.push(value.clone().alias_qualified(relation.cloned(), field.name()));
    }
    Some((exprs, Arc::clone(&inner.input)))
}

fn bare(plan: &LogicalPlan) -> &LogicalPlan {
    match plan {
        LogicalPlan::Projection(Projection { input, expr, .. })
            if expr.iter().all(|e| matches!(e, Expr::Column(_))) =>
        {
            bare(input)
        }
        other => other,
    }
}

fn grouping_of(aggregate: &Aggregate, traced: &Traced) -> Result<Grouping> {
    let exprs: Vec<Expr> = grouping_set_to_exprlist(&aggregate.group_expr)?.into_iter().cloned().collect();
    let keys = exprs.iter().map(|expr| traced.row_expression(expr)).collect::<Result<Vec<_>>>()?;
    let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() else { return Ok(Grouping { keys, sets: None }) };
    let position = |expr: &Expr| exprs.iter().position(|known| known == expr).unwrap_or_default();
    let sets = enumerate(sets).iter().map(|set| set.iter().map(position).collect()).collect();
    Ok(Grouping { keys, sets: Some(sets) })
}

/// The sets of `ROLLUP`, `CUBE` and `GROUPING SETS`, in DataFusion's order.
fn enumerate(sets: &GroupingSet) -> Vec<Vec<Expr>> {
    match sets {
        GroupingSet::GroupingSets(sets) => sets.clone(),
        GroupingSet::Rollup(exprs) => (0..=exprs.len()).map(|length| exprs[..length].to_vec()).collect(),
        GroupingSet::Cube(exprs) => (0..1_usize << exprs.len())
            .map(|bits| {
                let chosen = exprs.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
                chosen.map(|(_, expr)| expr.clone()).collect()
            })
            .collect(),
    }
}

fn map_group(expr: &Expr, column: &impl Fn(&Expr) -> Result<Expr>) -> Result<Expr> {
    let all = |exprs: &[Expr]| exprs.iter().map(column).collect::<Result<Vec<_>>>();
    Ok(match expr {
        Expr::GroupingSet(GroupingSet::Rollup(exprs)) => Expr::GroupingSet(GroupingSet::Rollup(all(exprs)?)),
        Expr::GroupingSet(GroupingSet::Cube(exprs)) => Expr::GroupingSet(GroupingSet::Cube(all(exprs)?)),
        Expr::GroupingSet(GroupingSet::GroupingSets(sets)) => {
            let sets = sets.iter().map(|set| all(set)).collect::<Result<Vec<_>>>()?;
            Expr::GroupingSet(GroupingSet::GroupingSets(sets))
        }
        other => column(other)?,
    })
}

fn columns_of(schema: &DFSchema) -> Vec<Expr> {
    schema.iter().map(|(relation, field)| Expr::Column(Column::new(relation.cloned(), field.name()))).collect()
}

/// A projection of these outputs with exactly the names and types of a schema.
fn same_schema(plan: LogicalPlan, outputs: impl Iterator<Item = Expr>, schema: &DFSchema) -> Result<LogicalPlan> {
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (output, (relation, field)) in outputs.zip(schema.iter()) {
        let fits = output.get_type(plan.schema()).is_ok_and(|data_type| data_type == *field.data_type());
        let output = if fits { output } else { cast(output, field.data_type().clone()) };
        columns.push(output.alias_qualified(relation.cloned(), field.name()));
    }
    lean::project(plan, columns)
}

/// What a BI tool's preview of a view shows: its columns, without rows' values.
fn preview(schema: &DFSchema) -> Result<LogicalPlan> {
    let nulls = schema.iter().map(|(relation, field)| {
        let null = datafusion::common::ScalarValue::try_from(field.data_type())?;
        Ok(Expr::Literal(null, None).alias_qualified(relation.cloned(), field.name()))
    });
    let nulls = nulls.collect::<Result<Vec<_>>>()?;
    LogicalPlanBuilder::empty(true).project(nulls)?.build()
}
