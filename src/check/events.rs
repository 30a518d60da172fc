//! Conversions: the two sources, what their rows share, and the aggregates that they come to.

use datafusion::arrow::datatypes::DataType;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;
use datafusion::logical_expr::{Expr, lit, when};
use datafusion::sql::sqlparser::ast as sql;

use super::joins::family;
use super::resolve::{Named, Resolver, arguments, is_call};
use super::{Checker, Failure};
use crate::catalog::SourceId;
use crate::catalog::calendar::is_time;
use crate::catalog::event::{Bound, Conversion, Counted, Event, EventColumn, EventValue, Reach, SharedKey};
use crate::catalog::expr::{Expression, Input, input_column};
use crate::catalog::indicator::{AggregateKind, Measure};
use crate::catalog::modifier::TimeSpan;
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::reach::{Standpoint, Unreachable, flatten};
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast;

const RATE: &str = "bell_conversion";
const NUMBER: &str = "bell_conversions";

/// Whether a call is `conversion from …` or `conversions from …`.
pub(super) fn is_conversion(call: &sql::Function) -> bool {
    is_call(call, RATE) || is_call(call, NUMBER)
}

impl Resolver<'_, '_> {
    /// The base rows that convert, for `conversion` divided by all base rows.
    pub(super) fn conversion(&mut self, call: &sql::Function) -> Result<sql::Expr, Failure> {
        let span = self.span;
        let args = arguments(call);
        let [from, to, by, within, counting, matching @ ..] = args.as_slice() else { return Err(Failure::Silent) };
        let ((from, base_time), (to, found_time)) = (self.source_by_time(from)?, self.source_by_time(to)?);
        let within = self.reach(within)?;
        let counts = self.counted(counting, from, to)?;
        let mut keys = Vec::new();
        for key in std::iter::once(by).chain(matching) {
            keys.push(self.shared_key(key, from, to)?);
        }
        let event = Event::Conversion(Conversion { from, to, keys, within, times: [base_time, found_time], counts });
        let all = self.measure(&count_of_rows(), Some(from), span)?;
        let column = |column| vec![Input::Event(Box::new(EventValue { event, column }))];
        let converted = match counts {
            Counted::Base => {
                // A value rather than a filter: both counts read the same rows, also where only some are read (`last day`).
                let value = when(Expr::Column(input_column(0)), lit(1_i64)).end().map_err(|_| Failure::Silent)?;
                let aggregate = Expression { expr: count(value), inputs: column(EventColumn::Converted) };
                Measure { aggregate, ..all.clone() }
            }
            Counted::Credited => {
                let credits = sum(Expr::Column(input_column(0)));
                let aggregate = Expression { expr: credits, inputs: column(EventColumn::Credits) };
                Measure { aggregate, kind: AggregateKind::Sum, ..all.clone() }
            }
        };
        let converted = self.measure_input(converted);
        if is_call(call, NUMBER) {
            return Ok(converted);
        }
        let left = Box::new(converted);
        let right = Box::new(self.measure_input(all));
        Ok(sql::Expr::Nested(Box::new(sql::Expr::BinaryOp { left, op: sql::BinaryOperator::Divide, right })))
    }

    /// A source whose rows have a time.
    pub(super) fn dated_source(&self, written: &sql::Expr) -> Result<SourceId, Failure> {
        let id = self.source_written(written)?;
        self.checker.with_time(id, self.place(written))?;
        Ok(id)
    }

    /// A source with its time, or with another one: `orders.paid_at`.
    fn source_by_time(&mut self, written: &sql::Expr) -> Result<(SourceId, Option<Expression>), Failure> {
        let sql::Expr::CompoundIdentifier(parts) = written else { return Ok((self.dated_source(written)?, None)) };
        let Some((column, source)) = parts.split_last().filter(|_| self.source_written(written).is_err()) else {
            return Ok((self.dated_source(written)?, None));
        };
        let source = match source {
            [one] => sql::Expr::Identifier(one.clone()),
            several => sql::Expr::CompoundIdentifier(several.to_vec()),
        };
        let id = self.source_written(&source)?;
        let place = self.place(written);
        let declared = self.checker.catalog.source(id);
        let Some(at) = declared.column(&column.value) else {
            let name = ast::Name { text: column.value.clone(), span: place };
            return Err(super::sources::unknown_column(&declared.item.name, &name, &declared.columns).into());
        };
        let data_type = &declared.columns[at].data_type;
        if !is_time(data_type) {
            return Err(Diagnostic::new(
                codes::TIME_TYPE,
                format!("`{}` is {data_type}, and conversions go by dates or timestamps", column.value),
            )
            .at(place)
            .help("name a date or timestamp, or the source alone for its own time")
            .into());
        }
        let input = Input::Column(ColumnRef { path: JoinPath::root(id), column: at });
        Ok((id, Some(Expression::input(input))))
    }

    /// What `counting` names: one of the two sources.
    fn counted(&self, counting: &sql::Expr, from: SourceId, to: SourceId) -> Result<Counted, Failure> {
        if matches!(counting, sql::Expr::Value(_)) {
            return Ok(Counted::Base);
        }
        match self.source_written(counting)? {
            id if id == from => Ok(Counted::Base),
            id if id == to => Ok(Counted::Credited),
            _ => {
                let name = |id| &self.checker.catalog.source(id).item.name;
                let (base, other) = (name(from), name(to));
                Err(Diagnostic::new(codes::BAD_VALUE, "a conversion counts rows of one of its two sources")
                    .at(self.place(counting))
                    .help(format!(
                        "`counting {base}`: those that lead to some row; `counting {other}`: those that are credited"
                    ))
                    .into())
            }
        }
    }

    /// How long after the base row, if that matters.
    fn reach(&mut self, within: &sql::Expr) -> Result<Option<Reach>, Failure> {
        let sql::Expr::Function(call) = within else { return Ok(None) };
        let (length, end) = match arguments(call).as_slice() {
            [length] if is_call(call, "bell_less_than") => (*length, Bound::Excluded),
            _ => (within, Bound::Included),
        };
        let place = self.place(within);
        Ok(self.window(length, place)?.map(|span| Reach { span, end }))
    }

    /// The length of a window, if there is one.
    pub(super) fn window(&mut self, within: &sql::Expr, place: Span) -> Result<Option<TimeSpan>, Failure> {
        if !matches!(within, sql::Expr::Function(_)) {
            return Ok(None);
        }
        let span = self.span_of(&[within], place)?;
        if span.is_positive() {
            return Ok(Some(span));
        }
        Err(Diagnostic::new(codes::BAD_VALUE, "a length of time is above 0 here")
            .at(place)
            .help("write it such as `7 days`")
            .into())
    }

    /// What rows of both sources have under that name.
    fn shared_key(&mut self, key: &sql::Expr, from: SourceId, to: SourceId) -> Result<SharedKey, Failure> {
        let place = self.place(key);
        let package = self.scope.package.clone();
        let [mine, theirs] =
            self.checker.keys_of(&package, key, &[from, to], place)?.try_into().map_err(|_| Failure::Silent)?;
        let data_type = common_type(&[&mine, &theirs], place)?;
        Ok(SharedKey { name: key.to_string(), from: mine.0, to: theirs.0, data_type })
    }
}

/// A value of a source's rows, over columns that begin there, and its type.
pub(super) type Key = (Expression, DataType);

/// The type in which values are compared, if they are of one kind.
pub(super) fn common_type(keys: &[&Key], place: Span) -> Result<DataType, Failure> {
    let types: Vec<DataType> = keys.iter().map(|(_, data_type)| data_type.clone()).collect();
    let alike = types.windows(2).all(|pair| family(&pair[0]) == family(&pair[1]));
    match type_union_resolution(&types).filter(|_| alike) {
        Some(common) => Ok(common),
        None => {
            let listed: Vec<String> = types.iter().map(ToString::to_string).collect();
            Err(Diagnostic::new(
                codes::JOIN_TYPES,
                format!("the sources have different types for it: {}", listed.join(", ")),
            )
            .at(place)
            .help("fix the type of one of them in its source's `columns { … }`")
            .into())
        }
    }
}

impl Checker<'_> {
    /// Refuses a source whose rows have no time.
    pub(super) fn with_time(&self, id: SourceId, place: Span) -> Result<(), Failure> {
        let source = self.catalog.source(id);
        if source.time.is_some() {
            return Ok(());
        }
        let name = &source.item.name;
        Err(Diagnostic::new(
            codes::NO_TIME_AXIS,
            format!("rows of `{name}` have no time, so nothing follows from them"),
        )
        .at(place)
        .help(format!("declare `time column` in source `{name}`"))
        .into())
    }

    /// What each of several sources has under a name: a dimension that all of them reach, else a column of each.
    pub(super) fn keys_of(
        &mut self,
        package: &str,
        key: &sql::Expr,
        sources: &[SourceId],
        place: Span,
    ) -> Result<Vec<Key>, Failure> {
        let sql::Expr::Identifier(name) = key else { return self.paths_of(package, key, sources, place) };
        let columns: Vec<Option<Key>> = sources.iter().map(|source| self.own_key(*source, &name.value)).collect();
        let dimension = match self.member_named(package, &name.value)? {
            Some(Named::Dimension(id, part)) => Some(Input::Dimension(id, part)),
            _ => None,
        };
        let reached = match &dimension {
            Some(input) => self.reached(input, sources),
            None => Err((sources[0], Unreachable::Aggregate)),
        };
        match (reached, columns.iter().cloned().collect::<Option<Vec<_>>>()) {
            (Ok(keys), Some(columns)) if !same(&keys, &columns) => Err(self.two_meanings(&name.value, place)),
            (Ok(keys), _) => single_valued(keys, &name.value, place),
            (Err(_), Some(columns)) => Ok(columns),
            (Err((source, problem)), None) if dimension.is_some() => {
                Err(super::dimensions::unreachable(&self.catalog, source, &problem).at(place).into())
            }
            (Err(_), None) => {
                if self.declared.is_broken(package, &[&name.value]) {
                    return Err(Failure::Silent);
                }
                let at = columns.iter().position(Option::is_none).unwrap_or_default();
                let source = self.catalog.source(sources[at]);
                let written = ast::Name { text: name.value.clone(), span: place };
                Err(super::sources::unknown_column(&source.item.name, &written, &source.columns)
                    .note("it is a column that all of the sources have, or a dimension that all of them reach")
                    .into())
            }
        }
    }

    /// The same for a path: each source must reach it.
    fn paths_of(
        &mut self,
        package: &str,
        key: &sql::Expr,
        sources: &[SourceId],
        place: Span,
    ) -> Result<Vec<Key>, Failure> {
        let tree = ast::Expr { sql: key.clone(), span: place };
        let typed = self.resolve_rows(&tree, super::resolve::Scope::rows(package, None))?;
        let mut keys = Vec::new();
        for source in sources {
            let flat = flatten(&self.catalog, Standpoint { source: *source, axis: None }, &typed.expression)
                .map_err(|problem| super::dimensions::unreachable(&self.catalog, *source, &problem).at(place))?;
            keys.push((flat, typed.data_type.clone()));
        }
        single_valued(keys, &key.to_string(), place)
    }

    fn own_key(&self, source: SourceId, name: &str) -> Option<Key> {
        let declared = self.catalog.source(source);
        let column = declared.column(name)?;
        let input = Input::Column(ColumnRef { path: JoinPath::root(source), column });
        Some((Expression::input(input), declared.columns[column].data_type.clone()))
    }

    fn reached(&self, input: &Input, sources: &[SourceId]) -> Result<Vec<Key>, (SourceId, Unreachable)> {
        let expression = Expression::input(input.clone());
        let data_type = self.catalog.input_type(input);
        let reach = |source: &SourceId| {
            let flat = flatten(&self.catalog, Standpoint { source: *source, axis: None }, &expression);
            flat.map(|flat| (flat, data_type.clone())).map_err(|problem| (*source, problem))
        };
        sources.iter().map(reach).collect()
    }

    fn two_meanings(&self, name: &str, place: Span) -> Failure {
        Diagnostic::new(codes::AMBIGUOUS_NAME, format!("`{name}` is a column of the sources and another dimension"))
            .at(place)
            .help("rename the dimension, or the column by a computed one in the sources' `columns { … }`")
            .into()
    }
}

/// Whether a dimension is just the columns of its name.
fn same(dimension: &[Key], columns: &[Key]) -> bool {
    let bare = |expression: &Expression| match &expression.expr {
        datafusion::logical_expr::Expr::Cast(cast) => {
            Expression { expr: cast.expr.as_ref().clone(), inputs: expression.inputs.clone() }
        }
        _ => expression.clone(),
    };
    dimension.iter().zip(columns).all(|(dimension, column)| bare(&dimension.0) == column.0)
}

/// Refuses what a row may have several values of.
fn single_valued(keys: Vec<Key>, name: &str, place: Span) -> Result<Vec<Key>, Failure> {
    if keys.iter().any(|(key, _)| key.fans_out()) {
        return Err(Diagnostic::new(codes::FAN_OUT, format!("a row may have several values of `{name}`"))
            .at(place)
            .help("name something of which each row has one value: a column, or one behind many-to-one joins")
            .into());
    }
    Ok(keys)
}

/// `count(*)`.
fn count_of_rows() -> sql::Function {
    let mut call = sql::Function {
        name: sql::ObjectName::from(vec![sql::Ident::new("count")]),
        uses_odbc_syntax: false,
        parameters: sql::FunctionArguments::None,
        args: sql::FunctionArguments::None,
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    };
    call.args = sql::FunctionArguments::List(sql::FunctionArgumentList {
        duplicate_treatment: None,
        args: vec![sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Wildcard)],
        clauses: vec![],
    });
    call
}
