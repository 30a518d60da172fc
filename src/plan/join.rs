//! Built parts joined on the groups of their frame: those that show groups fully, the others looked up.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality, Result, TableReference};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::context::Leaf;
use super::fill::Dense;
use super::frame::outer_number;
use super::lean;
use super::prepared::BuiltPart;
use super::situation::Shows;

/// Parts joined so far.
pub(crate) struct Joined {
    pub(crate) plan: LogicalPlan,
    pub(crate) keys: Vec<Expr>,
    pub(crate) grouping_id: Option<Expr>,
    values: Vec<(usize, Expr)>,
    /// Where a running window shows groups: what tells, of each part so far, whether it shows the group.
    shown: Vec<Expr>,
    parts: usize,
}

impl Joined {
    /// The value of a leaf: where its part has no row for a group, what it gives for no rows.
    pub(crate) fn value(&self, number: usize, leaf: &Leaf) -> Expr {
        let found = self.values.iter().find(|(leaf, _)| *leaf == number);
        let value = found.map_or_else(|| lit(leaf.empty().clone()), |(_, value)| value.clone());
        if self.parts > 1 && !leaf.empty().is_null() { coalesce(vec![value, lit(leaf.empty().clone())]) } else { value }
    }
}

/// Joins the parts of a frame, of which some plans may have several: `count` of them.
pub(crate) fn join_all(mut parts: Vec<BuiltPart>, count: usize, dense: Option<&Dense>) -> Result<Joined> {
    // Parts that show groups come first, those that only look values up are joined to them.
    parts.sort_by_key(|part| match part.shows {
        Shows::All => 0,
        Shows::Running => 1,
        Shows::Nothing => 2,
    });
    let running = parts.iter().any(|part| part.shows == Shows::Running);
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return datafusion::common::internal_err!("a question without indicators has no parts");
    };
    let mut joined = begin(first, count, running)?;
    let (showing, looking): (Vec<_>, Vec<_>) = parts.enumerate().partition(|(_, part)| part.shows != Shows::Nothing);
    for (at, part) in showing {
        joined = meet(joined, part, at, running)?;
    }
    let shown = std::mem::take(&mut joined.shown).into_iter().reduce(Expr::or).filter(|_| !joined.keys.is_empty());
    joined = match (dense, shown) {
        (Some(dense), shown) => every_period(joined, dense, shown.unwrap_or(lit(true)))?,
        (None, Some(shown)) => Joined { plan: LogicalPlanBuilder::from(joined.plan).filter(shown)?.build()?, ..joined },
        (None, None) => joined,
    };
    for (at, part) in looking {
        joined = look_up(joined, part, at)?;
    }
    Ok(joined)
}

/// The groups that are shown, and every period between: a window has a value there too, where it would not be shown.
fn every_period(joined: Joined, dense: &Dense, shown: Expr) -> Result<Joined> {
    let columns = Columns { keys: &joined.keys, grouping_id: None, values: &joined.values, others: vec![shown] };
    let left = named(joined.plan.clone(), columns, "found")?;
    let keys: Vec<Expr> = left.keys.iter().map(|name| left.column(name)).collect();
    let shown = left.column(&left.others[0]);
    let found = LogicalPlanBuilder::from(left.plan.clone()).filter(shown.clone())?.build()?;
    let right = dense.groups(found, &keys)?;
    let l: Vec<Column> = left.keys.iter().map(|name| left.qualified(name)).collect();
    let r: Vec<Column> = (0..l.len()).map(Dense::column).collect();
    let keys = l.iter().zip(&r).map(|(l, r)| coalesce(vec![Expr::Column(l.clone()), Expr::Column(r.clone())]));
    let keys = keys.collect();
    let plan = LogicalPlanBuilder::from(left.plan.clone())
        .join_detailed(right, JoinType::Full, (l, r), None, NullEquality::NullEqualsNull)?
        .filter(coalesce(vec![shown, lit(false)]).or(Dense::is_there()))?
        .build()?;
    let values = left.values.iter().map(|(leaf, name)| (*leaf, left.column(name))).collect();
    // Groups that are added have no value of any leaf, however few parts there are.
    Ok(Joined { plan, keys, grouping_id: None, values, shown: vec![], parts: joined.parts.max(2) })
}

/// The first part; a question whose parts all look up has one row, or no groups at all.
fn begin(first: BuiltPart, parts: usize, running: bool) -> Result<Joined> {
    let shown = if running { vec![first.shown.clone().unwrap_or(lit(true))] } else { vec![] };
    Ok(Joined {
        plan: first.plan,
        keys: first.keys,
        grouping_id: first.grouping_id,
        values: first.values,
        shown,
        parts,
    })
}

/// A side of a join: its columns by plain names under one relation name.
struct Side {
    plan: LogicalPlan,
    relation: TableReference,
    keys: Vec<String>,
    values: Vec<(usize, String)>,
    others: Vec<String>,
}

impl Side {
    fn column(&self, name: &str) -> Expr {
        Expr::Column(self.qualified(name))
    }

    fn qualified(&self, name: &str) -> Column {
        Column::new(Some(self.relation.clone()), name)
    }
}

/// What a side consists of.
struct Columns<'c> {
    keys: &'c [Expr],
    grouping_id: Option<&'c Expr>,
    values: &'c [(usize, Expr)],
    others: Vec<Expr>,
}

fn named(plan: LogicalPlan, columns: Columns<'_>, relation: &str) -> Result<Side> {
    let mut exprs: Vec<Expr> = Vec::new();
    let mut key_names: Vec<String> = Vec::new();
    let all_keys = columns.keys.iter().enumerate().map(|(at, key)| (format!("g{at}"), key));
    for (name, key) in all_keys.chain(columns.grouping_id.map(|id| ("grouping_id".to_string(), id))) {
        exprs.push(key.clone().alias(&name));
        key_names.push(name);
    }
    let values: Vec<(usize, String)> = columns
        .values
        .iter()
        .map(|(leaf, value)| {
            let name = format!("v{leaf}");
            exprs.push(value.clone().alias(&name));
            (*leaf, name)
        })
        .collect();
    let mut others = Vec::new();
    for (at, other) in columns.others.into_iter().enumerate() {
        let name = format!("o{at}");
        exprs.push(other.alias(&name));
        others.push(name);
    }
    if exprs.is_empty() {
        // A total without values still is one row.
        exprs.push(lit(1_i64).alias("one"));
    }
    let plan = LogicalPlanBuilder::from(lean::project(plan, exprs)?).alias(relation)?.build()?;
    Ok(Side { plan, relation: TableReference::bare(relation), keys: key_names, values, others })
}

/// Two parts that show groups: NULL keys match each other, so that a group with an unknown region is one group,
/// whatever fact it comes from.
fn meet(joined: Joined, part: BuiltPart, at: usize, running: bool) -> Result<Joined> {
    let columns = Columns {
        keys: &joined.keys,
        grouping_id: joined.grouping_id.as_ref(),
        values: &joined.values,
        others: joined.shown.clone(),
    };
    let left = named(joined.plan.clone(), columns, &format!("left{at}"))?;
    let shown = if running { vec![part.shown.clone().unwrap_or(lit(true))] } else { vec![] };
    let columns =
        Columns { keys: &part.keys, grouping_id: part.grouping_id.as_ref(), values: &part.values, others: shown };
    let right = named(part.plan.clone(), columns, &format!("right{at}"))?;
    let builder = LogicalPlanBuilder::from(left.plan.clone());
    let plan = if left.keys.is_empty() {
        builder.cross_join(right.plan.clone())?.build()?
    } else {
        let on = |side: &Side| side.keys.iter().map(|key| side.qualified(key)).collect::<Vec<_>>();
        let keys = (on(&left), on(&right));
        builder.join_detailed(right.plan.clone(), JoinType::Full, keys, None, NullEquality::NullEqualsNull)?.build()?
    };
    let key = |name: &String| coalesce(vec![left.column(name), right.column(name)]);
    let grouping_id = left.keys.iter().find(|name| *name == "grouping_id").map(key);
    let keys = left.keys.iter().filter(|name| *name != "grouping_id").map(key).collect();
    // A side without a row shows nothing.
    let shown =
        |side: &Side| side.others.iter().map(|name| coalesce(vec![side.column(name), lit(false)])).collect::<Vec<_>>();
    let shown = [shown(&left), shown(&right)].concat();
    Ok(Joined { keys, grouping_id, values: values_of(&left, &right), plan, parts: joined.parts, shown })
}

/// A part that is looked up for the groups that there are.
fn look_up(joined: Joined, part: BuiltPart, at: usize) -> Result<Joined> {
    let links: Vec<Expr> = match part.grouping_id {
        // Under grouping sets only child filters are looked up, group by group.
        Some(_) => joined.keys.iter().chain(&joined.grouping_id).cloned().collect(),
        None => part.links.iter().map(|link| over_keys(link.outer.clone(), &joined.keys)).collect::<Result<_>>()?,
    };
    // What is no key itself becomes a column of its own.
    let all_keys: Vec<&Expr> = joined.keys.iter().chain(&joined.grouping_id).collect();
    let made: Vec<Expr> = links.iter().filter(|link| !all_keys.contains(link)).cloned().collect();
    let shown = joined.shown.len();
    let columns = Columns {
        keys: &joined.keys,
        grouping_id: joined.grouping_id.as_ref(),
        values: &joined.values,
        others: joined.shown.iter().chain(&made).cloned().collect(),
    };
    let left = named(joined.plan.clone(), columns, &format!("left{at}"))?;
    let mut of_made = left.others[shown..].iter();
    let by: Vec<Column> = links
        .iter()
        .filter_map(|link| match all_keys.iter().position(|key| *key == link) {
            Some(key) => Some(left.qualified(&left.keys[key])),
            None => of_made.next().map(|name| left.qualified(name)),
        })
        .collect();
    let columns =
        Columns { keys: &part.keys, grouping_id: part.grouping_id.as_ref(), values: &part.values, others: vec![] };
    let right = named(part.plan.clone(), columns, &format!("right{at}"))?;
    let builder = LogicalPlanBuilder::from(left.plan.clone());
    let plan = if right.keys.is_empty() {
        builder.cross_join(right.plan.clone())?.build()?
    } else {
        let r: Vec<Column> = right.keys.iter().map(|name| right.qualified(name)).collect();
        builder
            .join_detailed(right.plan.clone(), JoinType::Left, (by, r), None, NullEquality::NullEqualsNull)?
            .build()?
    };
    let key = |name: &String| left.column(name);
    let grouping_id = left.keys.iter().find(|name| *name == "grouping_id").map(key);
    let keys = left.keys.iter().filter(|name| *name != "grouping_id").map(key).collect();
    let flags = left.others[..shown].iter().map(|name| left.column(name)).collect();
    Ok(Joined { keys, grouping_id, values: values_of(&left, &right), plan, parts: joined.parts, shown: flags })
}

fn values_of(left: &Side, right: &Side) -> Vec<(usize, Expr)> {
    [left, right].iter().flat_map(|side| side.values.iter().map(|(leaf, name)| (*leaf, side.column(name)))).collect()
}

/// A link over the keys of the outer groups.
fn over_keys(link: Expr, keys: &[Expr]) -> Result<Expr> {
    let replaced = link.transform(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match outer_number(column).and_then(|at| keys.get(at)) {
                Some(key) => Transformed::yes(key.clone()),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    });
    Ok(replaced?.data)
}
