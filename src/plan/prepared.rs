//! The rows of a part with what is asked of them, and the ways to aggregate them.

use datafusion::common::{Column, Result, ScalarValue, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::edges::{self, PlacedEdge};
use super::rows::{Aggregated, Rows, columns_in, columns_of, distinct};
use super::running::{self, Counted, Final};
use super::situation::{Link, Shows};
use super::windows::{self, Periods, Shape};

/// A part as a plan with a column a key and a value a leaf.
pub(crate) struct BuiltPart {
    pub(crate) plan: LogicalPlan,
    /// The keys, in the order of the links' keys where it shows groups.
    pub(crate) keys: Vec<Expr>,
    /// Which group each of its groups belongs to: one link a key.
    pub(crate) links: Vec<Link>,
    pub(crate) grouping_id: Option<Expr>,
    /// Leaf numbers and their values.
    pub(crate) values: Vec<(usize, Expr)>,
    pub(crate) shows: Shows,
    /// For running windows: whether the group is shown.
    pub(crate) shown: Option<Expr>,
}

impl BuiltPart {
    /// The values of leaves, where its own are numbered outputs.
    pub(crate) fn finished(self, finals: &[(usize, Final)]) -> BuiltPart {
        let mut outputs = self.values.clone();
        outputs.sort_by_key(|(at, _)| *at);
        let outputs: Vec<Expr> = outputs.into_iter().map(|(_, output)| output).collect();
        BuiltPart { values: finals.iter().map(|(leaf, value)| (*leaf, value.of(&outputs))).collect(), ..self }
    }
}

/// Joined and filtered rows of a source, and what is asked of them.
pub(crate) struct Prepared {
    pub(crate) rows: LogicalPlanBuilder,
    /// The numbers of keys, and their values in a row; the periods of windows are not among them.
    pub(crate) keys: Vec<(usize, Expr)>,
    /// The numbers of leaves, and their aggregates.
    pub(crate) calls: Vec<(usize, Expr)>,
    pub(crate) edges: Vec<PlacedEdge>,
    /// The row's instant, if there are windows.
    pub(crate) instant: Option<Expr>,
    /// What tells a fact row from another, where one may be there several times.
    pub(crate) fact_key: Option<Vec<Expr>>,
    pub(crate) links: Vec<Link>,
    pub(crate) shows: Shows,
    /// The first and the last instant of the rows, if there are windows.
    pub(crate) own: Option<LogicalPlan>,
}

impl Prepared {
    /// The keys, under the names of their columns.
    pub(crate) fn named_keys(&self) -> Vec<Expr> {
        self.keys.iter().map(|(at, key)| key.clone().alias(windows::key_name(*at))).collect()
    }

    /// The cell of a row; NULL without windows.
    pub(crate) fn cell(&self, shape: &Shape<'_>) -> Expr {
        let instant = self.instant.clone().unwrap_or(lit(ScalarValue::Null));
        shape.axis.instants().start_of(instant, windows::cell_grain(shape))
    }

    /// One aggregation over the rows as they are.
    pub(crate) fn aggregated(self, sets: Option<&[Vec<usize>]>) -> Result<BuiltPart> {
        self.aggregated_with(sets, None)
    }

    fn aggregated_with(mut self, sets: Option<&[Vec<usize>]>, shown: Option<Expr>) -> Result<BuiltPart> {
        let mut rows = self.rows.clone();
        if !self.edges.is_empty() {
            rows = edges::marked(rows, &self.edges, &self.keys)?;
            self.calls.iter_mut().for_each(|(_, call)| *call = edges::only_marked(call.clone(), &self.edges));
        }
        let calls: Vec<Expr> = self.calls.iter().map(|(_, call)| call.clone()).collect();
        let unique = distinct(&calls);
        self.keys.sort_by_key(|(at, _)| *at);
        let keys = self.keys.iter().map(|(_, key)| key.clone()).chain(shown.clone()).collect();
        let rows = Rows { builder: rows, keys, aggregates: unique.clone() };
        let mut aggregated = match self.fact_key.take() {
            Some(key) => rows.aggregate_once_per(key, sets)?,
            None => rows.aggregate(sets)?,
        };
        let shown = shown.and_then(|_| aggregated.keys.pop());
        let output = |call: &Expr| {
            let at = unique.iter().position(|known| known == call).unwrap_or_default();
            aggregated.values[at].clone()
        };
        let values = self.calls.iter().map(|(leaf, call)| (*leaf, output(call))).collect();
        let order: Vec<usize> = self.keys.iter().map(|(at, _)| *at).collect();
        Ok(self.built(aggregated, &order, values, shown))
    }

    /// The part, where `aggregated` has the keys in this order.
    fn built(
        &self,
        aggregated: Aggregated,
        order: &[usize],
        values: Vec<(usize, Expr)>,
        shown: Option<Expr>,
    ) -> BuiltPart {
        let keys = self.links.iter().map(|link| {
            let at = order.iter().position(|key| *key == link.key).unwrap_or_default();
            aggregated.keys[at].clone()
        });
        BuiltPart {
            values,
            keys: keys.collect(),
            links: self.links.clone(),
            grouping_id: aggregated.grouping_id,
            plan: aggregated.plan,
            shows: self.shows,
            shown,
        }
    }

    /// The windows of periods: each in the cheapest way that is exact.
    pub(crate) fn in_windows(self, shape: &Shape<'_>, periods: &Periods<'_>) -> Result<Vec<BuiltPart>> {
        let Some(own) = self.own.clone() else { return Ok(vec![]) };
        let pairs = windows::pairs(shape, own.clone(), periods)?;
        if self.fact_key.is_some() || !self.edges.is_empty() || !windows::cells_are_exact(shape) {
            return Ok(vec![self.row_by_row(shape, pairs)?]);
        }
        let mut built = Vec::new();
        let (mut counts, mut others) = (Vec::new(), Vec::new());
        for (leaf, call) in &self.calls {
            match running::counted_once(call).filter(|_| shape.moves_forward()) {
                Some(value) => counts.push((*leaf, value)),
                None => others.push((*leaf, call.clone())),
            }
        }
        for value in distinct(&counts.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>()) {
            let leaves = counts.iter().filter(|(_, other)| *other == value).map(|(leaf, _)| *leaf).collect();
            built.push(self.counted(shape, leaves, &value, pairs.clone(), own.clone())?);
        }
        if !others.is_empty() || built.is_empty() {
            built.push(Prepared { calls: others, ..self }.per_cell(shape, pairs)?);
        }
        Ok(built)
    }

    /// Each row once for each period that it counts for.
    fn row_by_row(mut self, shape: &Shape<'_>, pairs: LogicalPlan) -> Result<BuiltPart> {
        let Some(instant) = self.instant.take() else { return self.aggregated(None) };
        let mut kept = columns_in(&self.calls.iter().map(|(_, call)| call.clone()).collect::<Vec<_>>());
        kept.extend(self.fact_key.iter().flatten().cloned());
        kept.extend(self.edges.iter().flat_map(PlacedEdge::inputs).flat_map(columns_of));
        self.rows = windows::windowed(self.rows, shape, &mut self.keys, &instant, &distinct(&kept), pairs)?;
        let shown = (self.shows == Shows::Running).then(windows::shown_column);
        self.aggregated_with(None, shown)
    }

    /// The same with as few rows as the aggregates allow.
    fn per_cell(mut self, shape: &Shape<'_>, pairs: LogicalPlan) -> Result<BuiltPart> {
        let calls: Vec<Expr> = self.calls.iter().map(|(_, call)| call.clone()).collect();
        let Some(reduced) = running::per_cell(&self, shape, &distinct(&calls))? else {
            return self.row_by_row(shape, pairs);
        };
        self.keys.iter_mut().for_each(|(at, key)| *key = windows::key_column(*at));
        let leaves: Vec<usize> = self.calls.iter().map(|(leaf, _)| *leaf).collect();
        let inner = Prepared {
            rows: reduced.rows,
            instant: Some(running::cell_column()),
            // Numbered as they come, to find their outputs again.
            calls: reduced.aggregates.into_iter().enumerate().collect(),
            ..self
        };
        let built = inner.row_by_row(shape, pairs)?;
        let outputs: Vec<Expr> = built.values.iter().map(|(_, output)| output.clone()).collect();
        let unique = distinct(&calls);
        let value = |call: &Expr| {
            let at = unique.iter().position(|known| known == call).unwrap_or_default();
            reduced.finals[at].of(&outputs)
        };
        let values = leaves.into_iter().zip(calls.iter().map(value)).collect();
        Ok(BuiltPart { values, ..built })
    }

    /// A distinct count.
    fn counted(
        &self,
        shape: &Shape<'_>,
        leaves: Vec<usize>,
        value: &Expr,
        pairs: LogicalPlan,
        own: LogicalPlan,
    ) -> Result<BuiltPart> {
        let Counted { mut rows, period, count } = running::distinct_count(self, shape, value, pairs)?;
        let mut order: Vec<usize> = self.keys.iter().map(|(at, _)| *at).collect();
        let mut columns: Vec<Expr> = order.iter().map(|at| windows::key_column(*at)).collect();
        for at in shape.frame.kept() {
            if let Some(value) = windows::period_key(shape, at, period.clone()) {
                columns.push(value.alias(windows::key_name(at)));
                order.push(at);
            }
        }
        columns.push(count.clone());
        if self.shows == Shows::Running {
            rows = rows.cross_join(LogicalPlanBuilder::from(own).alias("$own")?.build()?)?;
            let bound = |name: &str| Expr::Column(Column::new(Some(TableReference::bare("$own")), name));
            columns.push(shape.shown(period, (bound("lo"), bound("hi")))?.alias(windows::SHOWN));
        }
        let aggregated = Aggregated {
            plan: rows.project(columns)?.build()?,
            keys: order.iter().map(|at| windows::key_column(*at)).collect(),
            grouping_id: None,
            values: vec![],
        };
        let shown = (self.shows == Shows::Running).then(windows::shown_column);
        let values = leaves.into_iter().map(|leaf| (leaf, count.clone())).collect();
        Ok(self.built(aggregated, &order, values, shown))
    }
}
