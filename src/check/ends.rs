//! Up to when there are data of what has a target: what is late is not red.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::max;

use super::Checker;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{AggregateKind, Measure};
use crate::catalog::time::{cast, wall_clock};
use crate::catalog::walk::{Around, for_each_measure};
use crate::catalog::{IndicatorId, SourceId};

impl Checker<'_> {
    /// The last instant of each source of an indicator, as indicators that nobody can name.
    pub(super) fn ends_of(&mut self, of: IndicatorId) -> Vec<IndicatorId> {
        let catalog = &*self.catalog;
        if let Some(known) = catalog.targets_of(of).next() {
            return known.ends.clone();
        }
        let mut axes: Vec<(SourceId, Expression)> = Vec::new();
        let asked = Expression::input(Input::Indicator(of, vec![]));
        for_each_measure(catalog, &asked, &Around::default(), &mut |measure, around| {
            let axis = around.time.as_ref().or(catalog.source(measure.source).time.as_ref());
            let found = axis.map(|axis| (measure.source, axis.clone()));
            axes.extend(found.filter(|found| !axes.contains(found)));
        });
        axes.into_iter().map(|(source, axis)| self.last_instant(of, source, axis)).collect()
    }

    fn last_instant(&mut self, of: IndicatorId, source: SourceId, axis: Expression) -> IndicatorId {
        let catalog = &*self.catalog;
        let item = catalog.indicator(of).item.clone();
        let instant = wall_clock(axis.expr.clone(), &catalog.axis_type(&axis), &catalog.calendar);
        let micros = cast(cast(instant, DataType::Timestamp(TimeUnit::Microsecond, None)), DataType::Int64);
        let measure = Measure {
            source,
            aggregate: Expression { expr: max(micros), inputs: axis.inputs.clone() },
            filter: None,
            kind: AggregateKind::Max,
            data_type: DataType::Int64,
            empty: ScalarValue::Int64(None),
        };
        let formula = Expression::input(Input::Measure(Box::new(measure)));
        let id = self.hidden(&item, "last instant", formula, DataType::Int64);
        self.catalog.to_mut().indicators[id.0 as usize].time = Some(axis);
        id
    }
}
