//! Drill-across: the parts of a question, joined on the asked dimensions.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality, Result, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::context::{Call, Context, Leaf, Leaves, leaf_number};
use super::part::{BuiltPart, parts_of};

/// A question answered: one row a group, with expressions for its keys and the value of each call.
pub struct Answer {
    /// The groups with the values of all aggregates.
    pub plan: LogicalPlan,
    /// The keys, over the plan's columns.
    pub keys: Vec<Expr>,
    /// DataFusion's grouping id, if there are grouping sets.
    pub grouping_id: Option<Expr>,
    /// The value of each call, over the plan's columns.
    pub values: Vec<Expr>,
}

/// The one expansion there is: indicators in a context become a plan over their sources.
///
/// # Errors
/// A [`crate::diagnostic::Diagnostic`] (as a `DataFusionError::External`) if an indicator cannot reach a dimension or a condition.
pub fn answer(context: &Context<'_>, calls: &[Call]) -> Result<Answer> {
    let mut leaves = Leaves::default();
    let values: Vec<Expr> = calls.iter().map(|call| leaves.expand(context.catalog, call)).collect();
    let parts = parts_of(context, &leaves.leaves)?;
    let mut built = parts.iter().map(|part| part.build(context)).collect::<Result<Vec<_>>>()?;
    // Parts that show groups come first, those that only look values up are joined to them.
    built.sort_by_key(|part| !part.shows_groups);
    let joined = join_all(built)?;
    let columns: Vec<Expr> = (0..leaves.leaves.len()).map(|at| joined.value(at, &leaves.leaves[at])).collect();
    let values = values.into_iter().map(|value| replace_leaves(value, &columns)).collect::<Result<Vec<_>>>()?;
    Ok(Answer { plan: joined.plan, keys: joined.keys, grouping_id: joined.grouping_id, values })
}

/// Parts joined so far.
struct Joined {
    plan: LogicalPlan,
    keys: Vec<Expr>,
    grouping_id: Option<Expr>,
    values: Vec<(usize, Expr)>,
    parts: usize,
}

impl Joined {
    /// The value of a leaf: where its part has no row for a group, what it gives for no rows.
    fn value(&self, number: usize, leaf: &Leaf) -> Expr {
        let found = self.values.iter().find(|(leaf, _)| *leaf == number);
        let value = found.map_or_else(|| lit(leaf.measure.empty.clone()), |(_, value)| value.clone());
        if self.parts > 1 && !leaf.measure.empty.is_null() {
            coalesce(vec![value, lit(leaf.measure.empty.clone())])
        } else {
            value
        }
    }
}

fn join_all(parts: Vec<BuiltPart>) -> Result<Joined> {
    let count = parts.len();
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return datafusion::common::internal_err!("a question without indicators has no parts");
    };
    let mut joined = Joined {
        plan: first.plan,
        keys: first.keys,
        grouping_id: first.grouping_id,
        values: first.values,
        parts: count,
    };
    for (at, part) in parts.enumerate() {
        let left = named(joined.plan, &joined.keys, joined.grouping_id.as_ref(), &joined.values, &format!("left{at}"))?;
        let right = named(part.plan, &part.keys, part.grouping_id.as_ref(), &part.values, &format!("right{at}"))?;
        joined = join(left, right, part.shows_groups, count)?;
    }
    Ok(joined)
}

/// A side of a join: its columns by plain names under one relation name.
struct Side {
    plan: LogicalPlan,
    relation: TableReference,
    keys: Vec<String>,
    values: Vec<(usize, String)>,
}

impl Side {
    fn column(&self, name: &str) -> Expr {
        Expr::Column(self.qualified(name))
    }

    fn qualified(&self, name: &str) -> Column {
        Column::new(Some(self.relation.clone()), name)
    }
}

fn named(
    plan: LogicalPlan,
    keys: &[Expr],
    grouping_id: Option<&Expr>,
    values: &[(usize, Expr)],
    relation: &str,
) -> Result<Side> {
    let mut columns: Vec<Expr> = Vec::new();
    let mut key_names: Vec<String> = Vec::new();
    let all_keys = keys.iter().enumerate().map(|(at, key)| (format!("g{at}"), key));
    for (name, key) in all_keys.chain(grouping_id.map(|id| ("grouping_id".to_string(), id))) {
        columns.push(key.clone().alias(&name));
        key_names.push(name);
    }
    let values: Vec<(usize, String)> = values
        .iter()
        .map(|(leaf, value)| {
            let name = format!("v{leaf}");
            columns.push(value.clone().alias(&name));
            (*leaf, name)
        })
        .collect();
    if columns.is_empty() {
        // A total without values still is one row.
        columns.push(lit(1_i64).alias("one"));
    }
    let plan = LogicalPlanBuilder::from(plan).project(columns)?.alias(relation)?.build()?;
    Ok(Side { plan, relation: TableReference::bare(relation), keys: key_names, values })
}

/// NULL keys match each other: a group with an unknown region is one group, whatever fact it comes from.
fn join(left: Side, right: Side, shows_groups: bool, parts: usize) -> Result<Joined> {
    let builder = LogicalPlanBuilder::from(left.plan.clone());
    let plan = if left.keys.is_empty() {
        builder.cross_join(right.plan.clone())?.build()?
    } else {
        let join_type = if shows_groups { JoinType::Full } else { JoinType::Left };
        let on = |side: &Side| side.keys.iter().map(|key| side.qualified(key)).collect::<Vec<_>>();
        let keys = (on(&left), on(&right));
        builder.join_detailed(right.plan.clone(), join_type, keys, None, NullEquality::NullEqualsNull)?.build()?
    };
    let key = |name: &String| match shows_groups {
        true => coalesce(vec![left.column(name), right.column(name)]),
        false => left.column(name),
    };
    let grouping_id = left.keys.iter().find(|name| *name == "grouping_id").map(key);
    let keys = left.keys.iter().filter(|name| *name != "grouping_id").map(key).collect();
    let values_of = |side: &Side| side.values.iter().map(|(leaf, name)| (*leaf, side.column(name))).collect::<Vec<_>>();
    let values = [values_of(&left), values_of(&right)].concat();
    Ok(Joined { keys, grouping_id, values, plan, parts })
}

fn replace_leaves(value: Expr, leaves: &[Expr]) -> Result<Expr> {
    let replaced = value.transform(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match leaf_number(column).and_then(|at| leaves.get(at)) {
                Some(leaf) => Transformed::yes(leaf.clone()),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    });
    Ok(replaced?.data)
}
