//! Aggregates, `of`, `filter` and durations inside formulas.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::ast::VisitMut;

use super::contexts::{is_at, is_per};
use super::events::is_conversion;
use super::resolve::{Place, Resolver, Scope, arguments, is_call};
use super::{Checker, Failure, ordered};
use crate::catalog::SourceId;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::indicator::{AggregateKind, Measure};
use crate::catalog::path::chains;
use crate::catalog::reach::{Standpoint, append, flatten, roots_of_inputs};
use crate::catalog::unit::time_scale;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast;

impl Resolver<'_, '_> {
    /// What a call stands for, if it is more than a scalar function.
    pub(crate) fn function(&mut self, call: &sql::Function) -> Result<Option<sql::Expr>, Failure> {
        let place = self.place(call);
        if is_at(call) {
            return self.at(call, place).map(Some);
        }
        if is_per(call) {
            return self.per_row(call, place).map(Some);
        }
        if is_call(call, "bell_current") {
            return self.current(call, place).map(Some);
        }
        if is_call(call, "bell_duration") {
            return self.interval(call).map(Some);
        }
        if is_call(call, "bell_filter") {
            return self.filtered(call).map(Some);
        }
        if is_call(call, "bell_of") {
            return self.of(call, place).map(Some);
        }
        if is_conversion(call) {
            return self.conversion(call).map(Some);
        }
        if call.over.is_some() {
            return Err(Diagnostic::new(codes::WINDOW, "a window function cannot stand in a Bell expression")
                .at(place)
                .help("use it in SQL over `MEASURE(indicator)`")
                .into());
        }
        let name = call.name.to_string();
        if self.checker.functions.aggregate(&name).is_none() {
            if self.checker.declared.is_broken(&self.scope.package, &[&name]) {
                return Err(Failure::Silent);
            }
            // Before its columns are found to stand outside of an aggregate.
            if let (Place::Formula, Err(unknown)) = (self.scope.place, self.checker.functions.require(&name)) {
                return Err(Diagnostic::new(codes::REFUSED_EXPRESSION, unknown).at(place).into());
            }
            return Ok(None);
        }
        if self.scope.place != Place::Formula {
            return Err(Diagnostic::new(
                codes::NESTED_AGGREGATE,
                format!("`{name}` is an aggregate: it has no value for a single row"),
            )
            .at(place)
            .into());
        }
        match self.fold(call, place)? {
            Some(fold) => Ok(Some(fold)),
            None => self.aggregate(call, None, place).map(Some),
        }
    }

    /// `bell_of(aggregate, source)`.
    fn of(&mut self, call: &sql::Function, place: Span) -> Result<sql::Expr, Failure> {
        let args = arguments(call);
        let [sql::Expr::Function(aggregate), source] = args.as_slice() else {
            return Err(Diagnostic::new(codes::AGGREGATE_SOURCE, "`of` names the source of an aggregate")
                .at(place)
                .help("write `count(*) of orders`")
                .into());
        };
        let id = self.source_written(source)?;
        let aggregate = aggregate.clone();
        self.aggregate(&aggregate, Some(id), place)
    }

    /// The source that a name or `package.name` means.
    pub(super) fn source_written(&self, source: &sql::Expr) -> Result<SourceId, Failure> {
        let parts: Vec<ast::Name> = match source {
            sql::Expr::Identifier(name) => vec![self.name(name)],
            sql::Expr::CompoundIdentifier(parts) => parts.iter().map(|part| self.name(part)).collect(),
            _ => vec![],
        };
        let path = ast::Path { span: self.place(source), parts };
        let id = match path.parts.as_slice() {
            [name] => self.source_or_silent(&self.scope.package.clone(), &name.text)?,
            [package, name] => self.source_or_silent(&package.text, &name.text)?,
            _ => None,
        };
        id.ok_or_else(|| self.checker.unknown_source(&self.scope.package, &path))
    }

    pub(super) fn name(&self, ident: &sql::Ident) -> ast::Name {
        ast::Name { text: ident.value.clone(), span: self.name_place(ident) }
    }

    fn source_or_silent(&self, package: &str, name: &str) -> Result<Option<SourceId>, Failure> {
        match self.checker.source_id(package, name) {
            None if self.checker.declared.source(package, name).is_some() => Err(Failure::Silent),
            found => Ok(found),
        }
    }

    /// `bell_filter(x, p)`: p reaches every aggregate and indicator in x.
    fn filtered(&mut self, call: &sql::Function) -> Result<sql::Expr, Failure> {
        let args = arguments(call);
        let [inner, condition] = args.as_slice() else { return Err(Failure::Silent) };
        let condition = self.condition(condition, self.scope.bare)?;
        self.filters.push(condition);
        let mut inner = (*inner).clone();
        let walked = inner.visit(self);
        self.filters.pop();
        match walked {
            ControlFlow::Break(failure) => Err(failure),
            ControlFlow::Continue(()) => Ok(sql::Expr::Nested(Box::new(inner))),
        }
    }

    pub(super) fn condition(&mut self, condition: &sql::Expr, bare: Option<SourceId>) -> Result<Expression, Failure> {
        let condition = ast::Expr { sql: condition.clone(), span: self.place(condition) };
        let scope = Scope::rows(&self.scope.package, bare);
        self.checker.resolve_condition(&condition, scope)
    }

    /// An aggregate over a source's rows, as an input; `avg` of decimals as `sum / count`, which is exact.
    fn aggregate(&mut self, call: &sql::Function, of: Option<SourceId>, place: Span) -> Result<sql::Expr, Failure> {
        let measure = self.measure(call, of, place)?;
        let is_decimal_average = is_call(call, "avg")
            && matches!(&measure.aggregate.expr, Expr::AggregateFunction(f)
                if f.params.args.first().is_some_and(|arg| decimal_argument(self.checker, arg, &measure.aggregate)));
        if !is_decimal_average {
            return Ok(self.measure_input(measure));
        }
        let renamed = |name: &str| {
            let mut call = call.clone();
            call.name = sql::ObjectName::from(vec![sql::Ident::new(name)]);
            call
        };
        let total = self.measure(&renamed("sum"), of, place)?;
        let count = self.measure(&renamed("count"), of, place)?;
        let (left, right) = (self.measure_input(total), self.measure_input(count));
        Ok(sql::Expr::Nested(Box::new(sql::Expr::BinaryOp {
            left: Box::new(left),
            op: sql::BinaryOperator::Divide,
            right: Box::new(right),
        })))
    }

    pub(super) fn measure_input(&mut self, measure: Measure) -> sql::Expr {
        let data_type = measure.data_type.clone();
        self.input(Input::Measure(Box::new(measure)), data_type)
    }

    pub(super) fn measure(
        &mut self,
        call: &sql::Function,
        of: Option<SourceId>,
        place: Span,
    ) -> Result<Measure, Failure> {
        let mut call = call.clone();
        let filter = call.filter.take();
        let bare = of.or_else(|| self.only_source(&call));
        let mut inner = Resolver::new(self.checker, Scope::rows(&self.scope.package, bare), place);
        let resolved = inner.aggregate_arguments(call)?;
        let typed = inner.typed(resolved)?;
        let source = self.source_of(&typed.expression, of.or(bare), place)?;
        let apart = ordered::key_of(&self.checker.catalog, source);
        let aggregate = ordered::decided(typed.expression, &apart).map_err(|problem| problem.at(place))?;
        let mut filters = self.filters.clone();
        if let Some(filter) = filter {
            filters.push(self.condition(&filter, Some(source))?);
        }
        let Expr::AggregateFunction(function) = &aggregate.expr else {
            return Err(Diagnostic::new(codes::REFUSED_EXPRESSION, "this is not an aggregate").at(place).into());
        };
        let kind = kind_of(function);
        let empty = empty_value(function, &typed.data_type, kind);
        Ok(Measure {
            source,
            aggregate,
            filter: filters.into_iter().reduce(and),
            kind,
            data_type: typed.data_type,
            empty,
        })
    }

    /// The call with its arguments resolved, while the call itself stays.
    pub(super) fn aggregate_arguments(&mut self, mut call: sql::Function) -> Result<sql::Expr, Failure> {
        let walked = match call.args.visit(self) {
            ControlFlow::Continue(()) => call.within_group.visit(self),
            stopped => stopped,
        };
        match walked {
            ControlFlow::Break(failure) => Err(failure),
            ControlFlow::Continue(()) => Ok(sql::Expr::Function(call)),
        }
    }

    /// The only source that the aggregate names, else the only one that the definition names.
    fn only_source(&self, aggregate: &sql::Function) -> Option<SourceId> {
        match self.checker.named_sources(&self.scope.package, aggregate).as_slice() {
            [] => self.scope.bare,
            [only] => Some(*only),
            _ => None,
        }
    }

    /// The source whose rows an aggregate runs over, checked to reach every argument without multiplying rows.
    fn source_of(&self, aggregate: &Expression, hint: Option<SourceId>, place: Span) -> Result<SourceId, Failure> {
        let catalog = &self.checker.catalog;
        let of_rows = |input: &&Input| matches!(input, Input::Column(_) | Input::Event(_));
        let roots = roots_of_inputs(catalog, aggregate.inputs.iter().filter(of_rows));
        let reaches_all = |from: SourceId| roots.iter().all(|root| chains(catalog, from, *root).len() == 1);
        let source = match (hint, roots.as_slice()) {
            (Some(hint), _) => hint,
            (None, roots) => {
                match roots.iter().copied().filter(|root| reaches_all(*root)).collect::<Vec<_>>().as_slice() {
                    [only] => *only,
                    _ => return Err(self.unclear_source(roots, place)),
                }
            }
        };
        match flatten(catalog, Standpoint { source, axis: catalog.source(source).time.as_ref() }, aggregate) {
            Ok(flat) if flat.fans_out() => {
                Err(Diagnostic::new(codes::FAN_OUT, "this aggregate would count rows of a child source several times")
                    .at(place)
                    .help(
                        "aggregate the child source itself: `sum(child.column)` instead of `sum(parent.child.column)`",
                    )
                    .into())
            }
            Ok(_) => Ok(source),
            Err(problem) => Err(super::dimensions::unreachable(catalog, source, &problem).at(place).into()),
        }
    }

    fn unclear_source(&self, roots: &[SourceId], place: Span) -> Failure {
        let names: Vec<&str> = roots.iter().map(|id| self.checker.catalog.source(*id).item.name.as_str()).collect();
        let message = if names.is_empty() {
            "it is not clear which source's rows this aggregate runs over".to_string()
        } else {
            format!("this aggregate names {}, and none of them joins to all others", names.join(" and "))
        };
        Diagnostic::new(codes::AGGREGATE_SOURCE, message)
            .at(place)
            .help("name it after the aggregate: `count(*) of orders`")
            .into()
    }

    /// `7 days` as an interval.
    fn interval(&mut self, call: &sql::Function) -> Result<sql::Expr, Failure> {
        let args = arguments(call);
        let [amount, unit] = args.as_slice() else { return Err(Failure::Silent) };
        let text = format!("{amount} {}", unit.to_string().trim_matches('\''));
        Ok(sql::Expr::Interval(sql::Interval {
            value: Box::new(sql::Expr::Value(sql::Value::SingleQuotedString(text).into())),
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }))
    }

    /// A duration compared with a number takes the number's unit; other operations are left as they are.
    pub(crate) fn durations(
        &mut self,
        left: &sql::Expr,
        op: &sql::BinaryOperator,
        right: &sql::Expr,
    ) -> Result<Option<sql::Expr>, Failure> {
        use sql::BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        if !matches!(op, Eq | NotEq | Gt | GtEq | Lt | LtEq) {
            return Ok(None);
        }
        let (left, right) = match (seconds(left), seconds(right)) {
            (Some(amount), None) => (self.amount(amount, left, right)?, right.clone()),
            (None, Some(amount)) => (left.clone(), self.amount(amount, right, left)?),
            _ => return Ok(None),
        };
        Ok(Some(sql::Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) }))
    }

    /// The duration as a number of the other side's unit, if the other side is a number; else the duration itself.
    fn amount(&mut self, seconds: f64, duration: &sql::Expr, other: &sql::Expr) -> Result<sql::Expr, Failure> {
        let probe = ast::Expr { sql: other.clone(), span: self.span };
        let typed = Resolver::new(self.checker, self.scope.clone(), probe.span).resolve(probe.sql)?;
        if !typed.data_type.is_numeric() {
            return Ok(duration.clone());
        }
        let unit = match typed.expression.inputs.as_slice() {
            [Input::Indicator(id, _)] => self.checker.catalog.indicator(*id).unit.clone(),
            _ => None,
        };
        let Some(amount) = unit.and_then(|unit| unit.of_seconds(seconds)) else {
            return Err(Diagnostic::new(codes::DURATION, "a number without a time unit is compared with a duration")
                .at(self.place(duration))
                .help("write the plain number, in the unit that the column is in")
                .into());
        };
        Ok(sql::Expr::Value(sql::Value::Number(amount.to_string(), false).into()))
    }
}

/// The length of `bell_duration(7, 'days')` in seconds.
fn seconds(expr: &sql::Expr) -> Option<f64> {
    let sql::Expr::Function(call) = expr else { return None };
    if !is_call(call, "bell_duration") {
        return None;
    }
    let args = arguments(call);
    let [amount, unit] = args.as_slice() else { return None };
    let amount: f64 = amount.to_string().parse().ok()?;
    Some(amount * time_scale(unit.to_string().trim_matches('\''))?)
}

/// Both conditions.
pub(crate) fn and(left: Expression, right: Expression) -> Expression {
    let mut inputs = left.inputs;
    let right = append(&mut inputs, right);
    Expression { expr: left.expr.and(right), inputs }
}

pub(super) fn decimal_argument(checker: &Checker<'_>, arg: &Expr, aggregate: &Expression) -> bool {
    // `avg` coerces decimals to decimals and everything else to doubles, so its argument's own type tells.
    let schema = checker.input_schema(aggregate);
    datafusion::logical_expr::ExprSchemable::get_type(arg, &schema).is_ok_and(|t| t.is_decimal())
}

/// The kind of an aggregate, decided once by the function that DataFusion resolved.
pub(super) fn kind_of(function: &datafusion::logical_expr::expr::AggregateFunction) -> AggregateKind {
    match (function.func.name(), function.params.distinct) {
        ("sum", false) => AggregateKind::Sum,
        ("count", false) => AggregateKind::Count,
        ("count", true) => AggregateKind::CountDistinct,
        ("min", _) => AggregateKind::Min,
        ("max", _) => AggregateKind::Max,
        _ => AggregateKind::Other,
    }
}

/// What the aggregate gives for no rows.
pub(super) fn empty_value(
    function: &datafusion::logical_expr::expr::AggregateFunction,
    data_type: &DataType,
    kind: AggregateKind,
) -> ScalarValue {
    let declared = match kind {
        AggregateKind::Count | AggregateKind::CountDistinct => ScalarValue::new_zero(data_type),
        _ => function.func.default_value(data_type),
    };
    declared.unwrap_or(ScalarValue::Null)
}
