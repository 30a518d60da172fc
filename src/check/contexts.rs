//! `at (…)`, `per`, and aggregates over `x per d`: formulas in other contexts.

use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast as sql;

use super::measures::{decimal_argument, empty_value, kind_of};
use super::resolve::{Named, Place, Resolver, Scope, Typed, arguments, is_call};
use super::{Checker, Failure, ordered};
use crate::catalog::calendar::{Grain, PeriodId, TimePart};
use crate::catalog::expr::{At, Expression, Fold, Input, Per};
use crate::catalog::modifier::{Among, Edge, End, Modifier, TimeSpan};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast;

/// The functions that stand for what SQL has not.
const AT: &str = "bell_at";
const PER: &str = "bell_per";

impl Checker<'_> {
    /// `month`, or `retail_445_week` of a calendar from a table.
    pub(crate) fn bare_grain(&self, name: &str) -> Option<TimePart> {
        let grain = Grain::named(&name.to_lowercase()).map(TimePart::Grain);
        let of_table = || match TimePart::named(name, &self.catalog.calendar) {
            part @ Some(TimePart::Period(_)) => part,
            _ => None,
        };
        grain.or_else(of_table)
    }

    /// Refuses `each day` where no calendar from a table has a row for each day, or two have.
    pub(crate) fn require_steps(&self, grain: Grain, place: Span) -> Result<(), Failure> {
        let tables = &self.catalog.calendar.tables;
        if !tables.iter().any(|table| table.grain <= grain) {
            let name = grain.name();
            return Err(Diagnostic::new(codes::BAD_VALUE, format!("no calendar tells which {name}s there are"))
                .at(place)
                .help(format!("declare one from a table: `calendar spine from days {{ {name} column }}`"))
                .into());
        }
        for (at, table) in tables.iter().enumerate() {
            let Some(other) = tables[..at].iter().find(|other| other.grain == table.grain) else { continue };
            let (one, two, step) = (&other.item.name, &table.item.name, table.grain.name());
            return Err(Diagnostic::new(
                codes::AMBIGUOUS_NAME,
                format!("the calendars `{one}` and `{two}` both have a row for each {step}"),
            )
            .at(place)
            .help("`each` needs to know which days there are: keep one of the two")
            .into());
        }
        Ok(())
    }
}

impl Resolver<'_, '_> {
    /// `bell_at(x, modifier, …)`: x, in another context.
    pub(super) fn at(&mut self, call: &sql::Function, place: Span) -> Result<sql::Expr, Failure> {
        if self.scope.place != Place::Formula {
            return Err(Diagnostic::new(codes::NOT_AN_INDICATOR, "`at` changes the context of an indicator, and a row has none")
                .at(place)
                .help("a value of a row cannot be asked elsewhere; compare indicators in an indicator's formula, or write `x per d`")
                .into());
        }
        let args = arguments(call);
        let Some((operand, modifiers)) = args.split_first() else { return Err(Failure::Silent) };
        let operand = self.formula((*operand).clone())?;
        if operand.expression.inputs.is_empty() {
            return Err(Diagnostic::new(codes::NOT_AN_INDICATOR, "`at` needs an indicator or an aggregate before it")
                .at(place)
                .help("write `gmv at (…)`, or `sum(orders.amount) at (…)`")
                .into());
        }
        let modifiers = modifiers.iter().map(|modifier| self.modifier(modifier)).collect::<Result<Vec<_>, _>>()?;
        let data_type = operand.data_type.clone();
        let at = At { operand: operand.expression, modifiers, data_type: data_type.clone() };
        Ok(self.input(Input::At(Box::new(at)), data_type))
    }

    /// A formula of its own inside this one, under the same filters.
    fn formula(&mut self, expr: sql::Expr) -> Result<Typed, Failure> {
        let scope = self.scope.clone().at(Place::Formula);
        let mut inner = Resolver::new(self.checker, scope, self.span);
        inner.filters = self.filters.clone();
        inner.resolve(expr)
    }

    /// A value of a row inside a formula.
    fn row(&mut self, expr: &sql::Expr, place: Place) -> Result<Typed, Failure> {
        let span = self.place(expr);
        let scope = Scope::rows(&self.scope.package, self.scope.bare).at(place);
        Resolver::new(self.checker, scope, span).resolve(expr.clone())
    }

    fn modifier(&mut self, modifier: &sql::Expr) -> Result<Modifier, Failure> {
        let sql::Expr::Function(call) = modifier else { return Err(Failure::Silent) };
        let place = self.place(modifier);
        let args = arguments(call);
        let name = call.name.to_string();
        Ok(match (name.as_str(), args.as_slice()) {
            ("bell_all", []) => Modifier::Everything,
            ("bell_all", dropped) => {
                Modifier::All(dropped.iter().map(|d| self.target(d).map(whole)).collect::<Result<Vec<_>, _>>()?)
            }
            ("bell_set", [target, value]) => self.set(target, value)?,
            ("bell_where", [condition]) => {
                let condition = ast::Expr { sql: (*condition).clone(), span: self.place(*condition) };
                let scope = Scope::rows(&self.scope.package, self.scope.bare);
                Modifier::Where(self.checker.resolve_condition(&condition, scope)?)
            }
            ("bell_visible", _) => Modifier::Visible,
            ("bell_each", [grain]) => Modifier::Each(self.calendar_step(grain)?),
            ("bell_start_of", [grain]) => Modifier::StartOf(self.grain(grain)?),
            ("bell_shift", [one]) if let Some((count, id)) = self.periods_of(one) => Modifier::ShiftPeriods(count, id),
            ("bell_shift", spans) => Modifier::Shift(self.span_of(spans, place)?),
            ("bell_previous", [grain]) if is_text(grain, "period") => Modifier::PreviousPeriod,
            ("bell_previous", [grain]) => Modifier::Shift(self.grain(grain)?.span()),
            ("bell_trailing", spans) => {
                let span = self.span_of(spans, place)?;
                if !span.is_positive() {
                    return Err(Diagnostic::new(codes::BAD_VALUE, "a trailing window has a positive length")
                        .at(place)
                        .help("write `trailing 28 days`; `shift` looks back, or ahead with a negative length")
                        .into());
                }
                Modifier::Trailing(span)
            }
            ("bell_to_date", [grain]) => match self.checker.bare_grain(&text_of(grain)) {
                Some(TimePart::Period(id)) => Modifier::ToDateOf(id),
                _ => Modifier::ToDate(self.grain(grain)?),
            },
            ("bell_cumulative", _) => Modifier::Cumulative,
            ("bell_first", [by, per @ ..]) => Modifier::Edge(self.edge(End::First, by, per)?),
            ("bell_last", [by, per @ ..]) => Modifier::Edge(self.edge(End::Last, by, per)?),
            _ => return Err(Failure::Silent),
        })
    }

    fn edge(&mut self, end: End, by: &sql::Expr, per: &[&sql::Expr]) -> Result<Edge, Failure> {
        let by = self.grain_or_row(by)?;
        let (per, among) = match per.split_last() {
            Some((last, rest)) if is_overall(last) => (rest, Among::Period),
            _ => (per, Among::Group),
        };
        Ok(Edge { end, by, per: per.iter().map(|key| self.grain_or_row(key)).collect::<Result<Vec<_>, _>>()?, among })
    }

    /// The grain of `each day`: some calendar from a table must have such steps, or finer ones.
    fn calendar_step(&mut self, expr: &sql::Expr) -> Result<Grain, Failure> {
        let (grain, place) = (self.grain(expr)?, self.place(expr));
        self.checker.require_steps(grain, place)?;
        Ok(grain)
    }

    /// `1 retail_445_week` of a calendar from a table.
    fn periods_of(&self, part: &sql::Expr) -> Option<(i32, PeriodId)> {
        let sql::Expr::Function(call) = part else { return None };
        let args = arguments(call);
        let [amount, unit] = args.as_slice() else { return None };
        match self.checker.bare_grain(&text_of(unit))? {
            TimePart::Period(id) => Some((amount.to_string().replace(['_', ' '], "").parse().ok()?, id)),
            _ => None,
        }
    }

    fn set(&mut self, target: &sql::Expr, value: &sql::Expr) -> Result<Modifier, Failure> {
        let dimension = self.target(target)?;
        // The equation as a whole tells whether the types fit.
        let equation = sql::Expr::BinaryOp {
            left: Box::new(target.clone()),
            op: sql::BinaryOperator::Eq,
            right: Box::new(value.clone()),
        };
        if !matches!(dimension, Input::MetricTime(TimePart::Grain(_))) {
            self.row(&equation, Place::Set)?;
        }
        let value = self.row(value, Place::Set)?;
        let mixed = value.expression.inputs.iter().any(|input| !matches!(input, Input::Current(_)));
        if mixed && value.expression.inputs.iter().any(|input| matches!(input, Input::Current(_))) {
            return Err(Diagnostic::new(
                codes::BAD_VALUE,
                "the value of a `set` mixes `current` with columns of the rows",
            )
            .at(self.span)
            .help("the value is one for the whole group: made of constants and `current d`")
            .into());
        }
        Ok(Modifier::Set(dimension, value.expression))
    }

    /// `current d` in the value of a `set`.
    pub(super) fn current(&mut self, call: &sql::Function, place: Span) -> Result<sql::Expr, Failure> {
        let args = arguments(call);
        let [dimension] = args.as_slice() else { return Err(Failure::Silent) };
        if self.scope.place != Place::Set {
            return Err(Diagnostic::new(codes::BAD_VALUE, "`current` stands only in the value of a `set`")
                .at(place)
                .into());
        }
        let input = self.target(dimension)?;
        let data_type = self.checker.catalog.input_type(&input);
        Ok(self.input(Input::Current(Box::new(input)), data_type))
    }

    /// What `all`, `set` and `current` are about: a grain of the time axis, a dimension, a column.
    fn target(&mut self, expr: &sql::Expr) -> Result<Input, Failure> {
        let expression = self.grain_or_row(expr)?;
        match expression.as_input() {
            Some(input @ (Input::Dimension(..) | Input::MetricTime(_) | Input::Column(_))) => Ok(input.clone()),
            _ => Err(Diagnostic::new(codes::BAD_VALUE, "a dimension or a column is due here")
                .at(self.place(expr))
                .into()),
        }
    }

    /// A bare grain is one of the time axis; anything else has a value for a row.
    fn grain_or_row(&mut self, expr: &sql::Expr) -> Result<Expression, Failure> {
        if let sql::Expr::Identifier(name) = expr
            && let Some(part) = self.checker.bare_grain(&name.value)
        {
            return Ok(Expression::input(Input::MetricTime(part)));
        }
        if let sql::Expr::Identifier(name) = expr
            && let Some(column) = self.shadowing_column(name)?
        {
            return Ok(column);
        }
        Ok(self.row(expr, Place::Row)?.expression)
    }

    /// Here a dimension goes before a column of the same name, so that `all region` is about the dimension.
    fn shadowing_column(&mut self, name: &sql::Ident) -> Result<Option<Expression>, Failure> {
        let package = self.scope.package.clone();
        Ok(match self.checker.member_named(&package, &name.value)? {
            Some(Named::Dimension(id, part)) => Some(Expression::input(Input::Dimension(id, part))),
            Some(Named::MetricTime(part)) => Some(Expression::input(Input::MetricTime(part))),
            _ => None,
        })
    }

    fn grain(&mut self, expr: &sql::Expr) -> Result<Grain, Failure> {
        let text = text_of(expr);
        if let Some(TimePart::Period(_)) = self.checker.bare_grain(&text) {
            return Err(Diagnostic::new(
                codes::NOT_YET_EXPRESSION,
                format!("`previous` is not yet supported with `{text}`, which is of a calendar from a table"),
            )
            .at(self.place(expr))
            .help("group by it: `metric_time__…`, or fold over it with `per`")
            .into());
        }
        Grain::named(&text.to_lowercase()).ok_or_else(|| {
            let known = Grain::ALL.iter().map(|grain| grain.name()).chain(["period"]);
            let diagnostic = Diagnostic::new(codes::BAD_VALUE, format!("`{text}` is not a grain of time"));
            let diagnostic = diagnostic.at(self.place(expr));
            match nearest(&text, known) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
                None => diagnostic.help("grains are day, week, month, quarter, year, …").into(),
            }
        })
    }

    /// The sum of `bell_duration(3, 'months')`, ….
    pub(super) fn span_of(&mut self, parts: &[&sql::Expr], place: Span) -> Result<TimeSpan, Failure> {
        let mut total = TimeSpan::default();
        for part in parts {
            let sql::Expr::Function(call) = part else { return Err(Failure::Silent) };
            let args = arguments(call);
            let [amount, unit] = args.as_slice() else { return Err(Failure::Silent) };
            let count = amount.to_string().replace(['_', ' '], "").parse::<i32>().ok();
            let span = count.and_then(|count| TimeSpan::of(count, &text_of(unit)));
            total = span.and_then(|span| total.plus(span)).ok_or_else(|| {
                Failure::from(
                    Diagnostic::new(codes::BAD_VALUE, format!("`{amount} {}` is not a length of time", text_of(unit)))
                        .at(place)
                        .help("write a whole number and a unit: `3 months`, `28 days`"),
                )
            })?;
        }
        Ok(total)
    }

    /// `bell_per(x, d, …)` outside of an aggregate: in a value of a row, x for the row's own d.
    pub(super) fn per_row(&mut self, call: &sql::Function, place: Span) -> Result<sql::Expr, Failure> {
        match self.scope.place {
            Place::Row | Place::Seen => {}
            Place::Formula => {
                return Err(Diagnostic::new(
                    codes::NOT_AGGREGATED,
                    "`x per d` has a value for each d, and an indicator is one number",
                )
                .at(place)
                .help("fold the values with an aggregate around it: `avg(gmv per day)`")
                .into());
            }
            Place::Source | Place::Axis | Place::Set => {
                return Err(Diagnostic::new(codes::NESTED_AGGREGATE, "`per` cannot stand here")
                    .at(place)
                    .help("declare a dimension for it")
                    .into());
            }
        }
        let args = arguments(call);
        let Some((value, by)) = args.split_first() else { return Err(Failure::Silent) };
        let by = by.iter().map(|d| self.grain_or_row(d)).collect::<Result<Vec<_>, _>>()?;
        let value = self.formula((*value).clone())?;
        let data_type = value.data_type.clone();
        let per = Per { value: value.expression, of_row: by.clone(), by, data_type: data_type.clone() };
        Ok(self.input(Input::Per(Box::new(per)), data_type))
    }

    /// An aggregate around `x per d`, if the call is one; `avg` of decimals as `sum / count`, which is exact.
    pub(super) fn fold(&mut self, call: &sql::Function, place: Span) -> Result<Option<sql::Expr>, Failure> {
        let mut inner = call.clone();
        let keys = strip_per(&mut inner);
        let Some(by) = keys.first().cloned() else { return Ok(None) };
        if keys.iter().any(|other| *other != by) {
            return Err(Diagnostic::new(
                codes::BAD_VALUE,
                "the arguments of one aggregate have different values after `per`",
            )
            .at(place)
            .help("values can only be paired for the same thing: `corr(gmv per day, visitors per day)`")
            .into());
        }
        let by = by.iter().map(|d| self.grain_or_row(d)).collect::<Result<Vec<_>, _>>()?;
        let filter = inner.filter.take();
        let before = self.filters.len();
        if let Some(filter) = filter {
            let condition = self.condition(&filter, self.scope.bare)?;
            self.filters.push(condition);
        }
        let folded = self.fold_of(&inner, &by, place);
        self.filters.truncate(before);
        folded.map(Some)
    }

    fn fold_of(&mut self, call: &sql::Function, by: &[Expression], place: Span) -> Result<sql::Expr, Failure> {
        let fold = self.one_fold(call, by, place)?;
        if !(is_call(call, "avg") && averages_decimals(self.checker, &fold)) {
            return Ok(self.fold_input(fold));
        }
        let mut renamed = |name: &str| {
            let mut call = call.clone();
            call.name = sql::ObjectName::from(vec![sql::Ident::new(name)]);
            let fold = self.one_fold(&call, by, place)?;
            Ok::<_, Failure>(Box::new(self.fold_input(fold)))
        };
        let (left, right) = (renamed("sum")?, renamed("count")?);
        Ok(sql::Expr::Nested(Box::new(sql::Expr::BinaryOp { left, op: sql::BinaryOperator::Divide, right })))
    }

    fn one_fold(&mut self, call: &sql::Function, by: &[Expression], place: Span) -> Result<Fold, Failure> {
        let scope = self.scope.clone().at(Place::Formula);
        let mut inner = Resolver::new(self.checker, scope, place);
        inner.filters = self.filters.clone();
        let resolved = inner.aggregate_arguments(call.clone())?;
        let typed = inner.typed(resolved)?;
        let aggregate = ordered::decided(typed.expression, by).map_err(|problem| problem.at(place))?;
        let Expr::AggregateFunction(function) = &aggregate.expr else {
            return Err(Diagnostic::new(codes::REFUSED_EXPRESSION, "this is not an aggregate").at(place).into());
        };
        let empty = empty_value(function, &typed.data_type, kind_of(function));
        Ok(Fold { by: by.to_vec(), data_type: typed.data_type, empty, aggregate })
    }

    fn fold_input(&mut self, fold: Fold) -> sql::Expr {
        let data_type = fold.data_type.clone();
        self.input(Input::Fold(Box::new(fold)), data_type)
    }
}

fn averages_decimals(checker: &Checker<'_>, fold: &Fold) -> bool {
    matches!(&fold.aggregate.expr, Expr::AggregateFunction(f)
        if f.params.args.first().is_some_and(|arg| decimal_argument(checker, arg, &fold.aggregate)))
}

/// Takes `x` for each `x per d` among the arguments, and gives the `d`s.
fn strip_per(call: &mut sql::Function) -> Vec<Vec<sql::Expr>> {
    let mut keys = Vec::new();
    let mut strip = |expr: &mut sql::Expr| {
        if let Some((value, by)) = as_per(expr) {
            keys.push(by);
            *expr = value;
        }
    };
    if let sql::FunctionArguments::List(list) = &mut call.args {
        for argument in &mut list.args {
            if let sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr)) = argument {
                strip(expr);
            }
        }
    }
    call.within_group.iter_mut().for_each(|order| strip(&mut order.expr));
    keys
}

fn as_per(expr: &sql::Expr) -> Option<(sql::Expr, Vec<sql::Expr>)> {
    match expr {
        sql::Expr::Nested(inner) => as_per(inner),
        sql::Expr::Function(call) if is_call(call, PER) => {
            let args: Vec<sql::Expr> = arguments(call).into_iter().cloned().collect();
            let (value, by) = args.split_first()?;
            Some((sql::Expr::Nested(Box::new(value.clone())), by.to_vec()))
        }
        _ => None,
    }
}

/// Whether a call is `at` or `per`.
pub(super) fn is_at(call: &sql::Function) -> bool {
    is_call(call, AT)
}

/// Whether a call is `x per d`.
pub(super) fn is_per(call: &sql::Function) -> bool {
    is_call(call, PER)
}

/// A dimension with every grain of it.
pub(crate) fn whole(input: Input) -> Input {
    match input {
        Input::Dimension(id, _) => Input::Dimension(id, TimePart::Whole),
        Input::MetricTime(_) => Input::MetricTime(TimePart::Whole),
        other => other,
    }
}

fn is_overall(expr: &sql::Expr) -> bool {
    matches!(expr, sql::Expr::Function(call) if is_call(call, "bell_overall"))
}

fn text_of(expr: &sql::Expr) -> String {
    match expr {
        sql::Expr::Value(value) => match &value.value {
            sql::Value::SingleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

fn is_text(expr: &sql::Expr, expected: &str) -> bool {
    text_of(expr).eq_ignore_ascii_case(expected)
}
