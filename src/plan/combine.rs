//! Drill-across: the parts of a question, joined on its groups.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::apart::needs_apart;
use super::context::{Call, Context, Leaf, LeafKind, Leaves, Surroundings, leaf_number};
use super::far_filters;
use super::fill::dense_of;
use super::fold::folds_of;
use super::frame::Frame;
use super::join::{Joined, join_all};
use super::looked_up::looked_up;
use super::notes::Notes;
use super::options::Rewrites;
use super::part::{Part, parts_of};
use super::rolled_up::{Rolled, rolled_up};
use super::side_by_side::together;
use super::windows::Periods;

use crate::catalog::expr::Expression;
use crate::catalog::time::cast;
use crate::catalog::{Catalog, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};

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

/// What all parts of a question share, the inner ones too.
#[derive(Debug, Clone)]
pub(crate) struct Question<'c> {
    pub(crate) catalog: &'c Catalog,
    /// The question's own conditions, which `visible` puts back.
    pub(crate) visible: Vec<Expression>,
    /// How many questions this one stands inside of.
    pub(crate) depth: usize,
    pub(crate) rewrites: Rewrites,
    /// Who wants to know about rollups.
    pub(crate) notes: Option<Notes>,
}

/// Deeper than this only a condition that looks at itself gets (`at (visible)` in a condition's own `per`).
const DEEPEST: usize = 16;

impl<'c> Question<'c> {
    /// A question inside this one.
    pub(crate) fn inner(&self) -> Result<Question<'c>> {
        if self.depth == DEEPEST {
            return Err(Diagnostic::new(
                codes::CONTEXT,
                "a condition looks at the question's conditions, and is one of them",
            )
            .help("leave out `at (visible)` in what the condition asks for")
            .into());
        }
        Ok(Question { depth: self.depth + 1, ..self.clone() })
    }
}

/// The one expansion there is: indicators in a context become a plan over their sources.
///
/// # Errors
/// A [`crate::diagnostic::Diagnostic`] (as a `DataFusionError::External`) if an indicator cannot reach a dimension or a condition.
pub fn answer(context: &Context<'_>, calls: &[Call]) -> Result<Answer> {
    let question = Question {
        catalog: context.catalog,
        visible: context.conditions.clone(),
        depth: 0,
        rewrites: context.rewrites,
        notes: context.notes.clone(),
    };
    let whole = Frame::new(&context.grouping.keys, &context.conditions);
    let mut leaves = Leaves::of(context.catalog, &whole);
    let values: Vec<Expr> = calls.iter().map(|call| leaves.expand(context.catalog, call)).collect();
    match &context.grouping.sets {
        Some(sets) if leaves.filled || !leaves.fillers.is_empty() || !leaves.leaves.iter().all(is_plain) => {
            set_by_set(&question, context, sets, calls)
        }
        sets => {
            let joined = answer_leaves(&question, &whole, &leaves, sets.as_deref())?;
            let values = joined.values_of(values, &leaves)?;
            Ok(Answer { plan: joined.plan, keys: joined.keys, grouping_id: joined.grouping_id, values })
        }
    }
}

/// Whether a leaf reads the rows of its groups and nothing else.
fn is_plain(leaf: &Leaf) -> bool {
    let plain = |kind: &LeafKind| matches!(kind, LeafKind::Measure(measure) if !needs_apart(measure));
    leaf.around.modifiers.is_empty() && plain(&leaf.kind)
}

/// The leaves in a frame, joined on its groups.
pub(crate) fn answer_leaves(
    question: &Question<'_>,
    frame: &Frame,
    leaves: &Leaves,
    sets: Option<&[Vec<usize>]>,
) -> Result<Joined> {
    let mut rolled: Vec<(Part, Rolled)> = Vec::new();
    let mut parts = Vec::new();
    for part in parts_of(question, frame, &leaves.leaves)? {
        match rolled_up(question, &part)? {
            Some(cells) => rolled.push((part, cells)),
            None => parts.push(part),
        }
    }
    let parts = far_filters::apart(question, frame, parts);
    let folds = folds_of(question, frame, &leaves.leaves)?;
    let dense = if leaves.filled { dense_of(question, frame, &leaves.leaves)? } else { None };
    let mut bounds = Vec::new();
    if rolled.iter().map(|(part, _)| part).chain(&parts).any(Part::has_window)
        || folds.iter().any(super::fold::FoldPart::has_window)
    {
        for part in rolled.iter().map(|(part, _)| part).chain(&parts) {
            bounds.extend(part.bounds(question)?);
        }
        for fold in &folds {
            bounds.extend(fold.bounds(question)?);
            bounds.extend(fold.bounds_in(question, frame)?);
        }
    }
    if let Some(dense) = dense.as_ref().filter(|_| !bounds.is_empty()) {
        bounds.push(dense.bounds()?);
    }
    let periods = Periods { bounds: &bounds, frame };
    let mut built = Vec::new();
    let mut done: Vec<usize> = Vec::new();
    if sets.is_none() && question.rewrites.share_rows {
        if let Some((shared, whose)) = together(question, &parts, &periods)? {
            built.push(shared);
            done.extend(whose);
        }
        // Groups that others show look values up, too.
        let alone =
            done.is_empty() && rolled.is_empty() && folds.is_empty() && dense.is_none() && leaves.fillers.is_empty();
        if let Some((shared, whose)) = if alone { looked_up(question, &parts)? } else { None } {
            built.push(shared);
            done.extend(whose);
        }
    }
    for (_, part) in parts.iter().enumerate().filter(|(at, _)| !done.contains(at)) {
        built.extend(part.build(question, sets, &periods)?);
    }
    for (part, cells) in rolled {
        built.extend(part.build_from_cells(question, sets, &periods, cells)?);
    }
    for fold in &folds {
        built.extend(fold.build(question, frame, &periods)?);
    }
    for filler in &leaves.fillers {
        built.extend(filler.build(question, frame, &built)?);
    }
    let count = built.len().max(done.len());
    join_all(built, count, dense.as_ref())
}

/// Grouping sets where a modifier or a finer grain makes each set a question of its own.
fn set_by_set(question: &Question<'_>, context: &Context<'_>, sets: &[Vec<usize>], calls: &[Call]) -> Result<Answer> {
    let count = context.grouping.keys.len();
    let mut all: Option<LogicalPlanBuilder> = None;
    for (number, set) in sets.iter().enumerate() {
        let keys: Vec<Expression> = set.iter().map(|at| context.grouping.keys[*at].clone()).collect();
        let frame = Frame::new(&keys, &context.conditions);
        let mut leaves = Leaves::of(context.catalog, &frame);
        let values: Vec<Expr> = calls.iter().map(|call| leaves.expand(context.catalog, call)).collect();
        let joined = answer_leaves(question, &frame, &leaves, None)?;
        let outputs = joined.values_of(values, &leaves)?;
        let mut columns: Vec<Expr> = Vec::new();
        for at in 0..count {
            let key = match set.iter().position(|key| *key == at) {
                Some(position) => joined.keys[position].clone(),
                None => null_of(context, at)?,
            };
            columns.push(key.alias(format!("g{at}")));
        }
        let earlier = sets[..number].iter().filter(|other| *other == set).count();
        columns.push(grouping_id(set, count, earlier).alias("grouping_id"));
        columns.extend(outputs.into_iter().enumerate().map(|(at, value)| value.alias(format!("v{at}"))));
        let mut plan = LogicalPlanBuilder::from(joined.plan).project(columns)?;
        if set.is_empty() {
            // DataFusion 55.2 moves a condition on the NULL keys of a total below its aggregate, which then has a row of
            // nothing. It moves none below a limit, and a total is one row.
            plan = plan.limit(0, Some(1))?;
        }
        all = Some(match all {
            Some(all) => all.union(plan.build()?)?,
            None => plan,
        });
    }
    let Some(all) = all else { return datafusion::common::internal_err!("grouping sets without a set") };
    let column = |name: String| Expr::Column(Column::new_unqualified(name));
    Ok(Answer {
        plan: all.build()?,
        keys: (0..count).map(|at| column(format!("g{at}"))).collect(),
        grouping_id: Some(column("grouping_id".to_string())),
        values: (0..calls.len()).map(|at| column(format!("v{at}"))).collect(),
    })
}

fn null_of(context: &Context<'_>, at: usize) -> Result<Expr> {
    use datafusion::logical_expr::ExprSchemable;
    let key = &context.grouping.keys[at];
    let types = key.inputs.iter().map(|input| context.catalog.input_type(input)).collect();
    let schema = crate::check::schema_of(types);
    Ok(cast(lit(ScalarValue::Null), key.expr.get_type(&schema)?))
}

/// DataFusion's grouping id: a bit for each key that is not in the set, the first key's the highest; above them the
/// number of equal sets before this one.
fn grouping_id(set: &[usize], keys: usize, earlier: usize) -> Expr {
    let missing = (0..keys).filter(|at| !set.contains(at)).fold(0_u64, |id, at| id | 1 << (keys - 1 - at));
    lit(ScalarValue::UInt64(Some(missing | (earlier as u64) << keys)))
}

impl Joined {
    /// Formulas over leaves as expressions over the joined columns.
    pub(crate) fn values_of(&self, values: Vec<Expr>, leaves: &Leaves) -> Result<Vec<Expr>> {
        let columns: Vec<Expr> = (0..leaves.leaves.len()).map(|at| self.value(at, &leaves.leaves[at])).collect();
        values.into_iter().map(|value| replace_leaves(value, &columns)).collect()
    }
}

/// The values of a formula for each value of something, and the value where there are no rows.
pub(crate) struct InnerValues {
    /// Columns `g0 …`, `value`, and `there`, which is never NULL.
    pub(crate) plan: LogicalPlan,
    pub(crate) nothing: Expr,
}

/// A formula asked by itself, by these alone.
pub(crate) fn inner_values(question: &Question<'_>, formula: &Expression, by: &[Expression]) -> Result<InnerValues> {
    let frame = Frame::new(by, &[]);
    let mut leaves = Leaves::of(question.catalog, &frame);
    let value = leaves.expand_formula(question.catalog, formula, &Surroundings::default(), None);
    let joined = answer_leaves(question, &frame, &leaves, None)?;
    let mut columns: Vec<Expr> =
        joined.keys.iter().enumerate().map(|(at, key)| key.clone().alias(format!("g{at}"))).collect();
    for value in joined.values_of(vec![value.clone()], &leaves)? {
        columns.push(value.alias("value"));
    }
    columns.push(lit(true).alias("there"));
    let nothing = values_of_nothing(vec![value], &leaves)?.into_iter().next().unwrap_or(lit(ScalarValue::Null));
    Ok(InnerValues { plan: LogicalPlanBuilder::from(joined.plan).project(columns)?.build()?, nothing })
}

/// The value of an indicator over no rows, such as the 0 of a count; `None`, if it has none.
pub(crate) fn value_of_nothing(catalog: &Catalog, indicator: IndicatorId) -> Option<f64> {
    let mut leaves = Leaves::of(catalog, &Frame::new(&[], &[]));
    let value = leaves.expand(catalog, &Call { indicator, filters: vec![], modifiers: vec![], looks: false });
    let value = values_of_nothing(vec![value], &leaves).ok()?.into_iter().next()?;
    let value = cast(value, DataType::Float64);
    match ExprSimplifier::new(SimplifyContext::default()).simplify(value).ok()? {
        Expr::Literal(ScalarValue::Float64(value), _) => value,
        _ => None,
    }
}

/// Formulas over leaves where no leaf has rows.
fn values_of_nothing(values: Vec<Expr>, leaves: &Leaves) -> Result<Vec<Expr>> {
    let empties: Vec<Expr> = leaves.leaves.iter().map(|leaf| lit(leaf.empty().clone())).collect();
    values.into_iter().map(|value| replace_leaves(value, &empties)).collect()
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
