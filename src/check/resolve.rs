//! Expressions: names to columns, dimensions and indicators, then DataFusion's own rules for types.
//!
//! A tree is walked once. Each name (and, in formulas, each aggregate) is replaced by a numbered column, and what is
//! left is planned by DataFusion over those columns; so every scalar expression that DataFusion accepts is accepted.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, TableReference};
use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::ast::{Spanned, VisitMut, VisitorMut};

use super::declare::METRIC_TIME;
use super::events::is_conversion;
use super::refused::expression_error;
use super::{Checker, Failure};
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::{Expression, INPUT_RELATION, Input};
use crate::catalog::path::{ColumnRef, JoinPath, Step};
use crate::catalog::{DimensionId, Member, SourceId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast;

/// What names mean in an expression.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) package: String,
    /// The source whose columns bare names are.
    pub(crate) bare: Option<SourceId>,
    /// Another name of the bare source: the role of a join.
    alias: Option<String>,
    /// What may stand here.
    pub(crate) place: Place,
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a source: columns of that source only.
    Source,
    /// The time axis: columns of the source and of those that it joins.
    Axis,
    /// A value of a row: columns and dimensions.
    Row,
    /// The condition of a policy: as a row's, and joins of the source by their own names.
    Seen,
    /// The value of a `set`: as a row's, and `current d`.
    Set,
    /// The definition of an indicator: aggregates and other indicators.
    Formula,
}

impl Scope {
    /// Columns of one source.
    pub(crate) fn own(package: &str, source: SourceId) -> Self {
        Scope { package: package.to_string(), bare: Some(source), alias: None, place: Place::Source }
    }

    /// Columns and dimensions.
    pub(crate) fn rows(package: &str, bare: Option<SourceId>) -> Self {
        Scope { package: package.to_string(), bare, alias: None, place: Place::Row }
    }

    /// Aggregates and indicators.
    pub(crate) fn formula(package: &str, bare: Option<SourceId>) -> Self {
        Scope { package: package.to_string(), bare, alias: None, place: Place::Formula }
    }

    pub(crate) fn also_named(mut self, alias: &str) -> Self {
        self.alias = Some(alias.to_string());
        self
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

/// A resolved expression and its type.
#[derive(Debug, Clone)]
pub(crate) struct Typed {
    pub(crate) expression: Expression,
    pub(crate) data_type: DataType,
}

impl Checker<'_> {
    /// Resolves an expression that has a value for each row.
    pub(crate) fn resolve_rows(&mut self, expr: &ast::Expr, scope: Scope) -> Result<Typed, Failure> {
        Resolver::new(self, scope, expr.span).resolve(expr.sql.clone())
    }

    /// Resolves a condition.
    pub(crate) fn resolve_condition(&mut self, expr: &ast::Expr, scope: Scope) -> Result<Expression, Failure> {
        let typed = self.resolve_rows(expr, scope)?;
        if matches!(typed.data_type, DataType::Boolean | DataType::Null) {
            return Ok(typed.expression);
        }
        Err(Diagnostic::new(codes::NOT_BOOLEAN, format!("a condition is true or false, this is {}", typed.data_type))
            .at(expr.span)
            .help("compare it with something")
            .into())
    }

    /// The sources that an expression names by `source.column` or `of source`, each once, in order.
    pub(crate) fn named_sources(&self, package: &str, expr: &impl sql::Visit) -> Vec<SourceId> {
        let mut found = Vec::new();
        let _ = sql::visit_expressions(expr, |expr| {
            if let Some(id) = self.source_named_by(package, expr)
                && !found.contains(&id)
            {
                found.push(id);
            }
            ControlFlow::<()>::Continue(())
        });
        found
    }

    fn source_named_by(&self, package: &str, expr: &sql::Expr) -> Option<SourceId> {
        match expr {
            sql::Expr::CompoundIdentifier(parts) => self.source_at_head(package, parts).map(|(id, _)| id),
            sql::Expr::Function(call) if is_call(call, "bell_of") || is_conversion(call) => {
                match source_argument(call)? {
                    sql::Expr::Identifier(name) => self.source_id(package, &name.value),
                    sql::Expr::CompoundIdentifier(parts) => self.source_id(&parts[0].value, &parts.get(1)?.value),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    pub(crate) fn source_id(&self, package: &str, name: &str) -> Option<SourceId> {
        match self.declared.source(package, name) {
            Some(at) => {
                let declared = self.declared.sources[at];
                self.catalog.source_named(declared.package, &declared.tree.name.text)
            }
            // Nothing is declared where a checked catalog is asked.
            None => self.catalog.source_named(package, name),
        }
    }

    /// The source that a path begins with (`orders.…` or `retail.orders.…`) and how many parts it took.
    fn source_at_head(&self, package: &str, parts: &[sql::Ident]) -> Option<(SourceId, usize)> {
        let name = &parts[0].value;
        if let Some(id) = self.source_id(package, name).or_else(|| self.source_of_process(package, name)) {
            return Some((id, 1));
        }
        let second = parts.get(1).filter(|_| parts.len() > 2)?;
        Some((self.source_id(&parts[0].value, &second.value)?, 2))
    }
}

/// One walk through one expression.
pub(crate) struct Resolver<'c, 'a> {
    pub(crate) checker: &'c mut Checker<'a>,
    pub(crate) scope: Scope,
    /// The whole expression, for what has no place of its own.
    pub(crate) span: Span,
    /// Conditions of the `filter`s around the present point of a formula.
    pub(crate) filters: Vec<Expression>,
    inputs: Vec<Input>,
    types: Vec<DataType>,
}

impl<'c, 'a> Resolver<'c, 'a> {
    pub(crate) fn new(checker: &'c mut Checker<'a>, scope: Scope, span: Span) -> Self {
        Resolver { checker, scope, span, filters: vec![], inputs: vec![], types: vec![] }
    }

    pub(crate) fn resolve(mut self, mut expr: sql::Expr) -> Result<Typed, Failure> {
        if let ControlFlow::Break(failure) = expr.visit(&mut self) {
            return Err(failure);
        }
        self.typed(expr)
    }

    /// Types an expression whose names are all resolved.
    pub(crate) fn typed(self, expr: sql::Expr) -> Result<Typed, Failure> {
        let Checker { planned, functions, .. } = self.checker;
        let planned = planned.plan(functions, expr, self.types);
        let (planned, data_type) = planned.map_err(|error| expression_error(&error, self.span))?;
        // DataFusion's planner puts an alias around `count(*)`.
        Ok(Typed { expression: Expression { expr: planned.unalias(), inputs: self.inputs }, data_type })
    }

    /// The numbered column for an input.
    pub(crate) fn input(&mut self, input: Input, data_type: DataType) -> sql::Expr {
        let at = self.inputs.iter().position(|known| *known == input).unwrap_or_else(|| {
            self.inputs.push(input);
            self.types.push(data_type);
            self.inputs.len() - 1
        });
        let quoted = |text: &str| sql::Ident::with_quote('"', text);
        sql::Expr::CompoundIdentifier(vec![quoted(INPUT_RELATION), quoted(&at.to_string())])
    }

    /// The place of a part of the expression.
    pub(crate) fn place(&self, expr: &impl Spanned) -> Span {
        place_of(self.checker, self.span, expr.span())
    }

    /// The place of a name.
    pub(crate) fn name_place(&self, name: &sql::Ident) -> Span {
        place_of(self.checker, self.span, name.span)
    }

    fn bare_name(&mut self, name: &sql::Ident) -> Result<sql::Expr, Failure> {
        let column = self.bare_column(name);
        let member = self.bare_member(name)?;
        match (column, member) {
            (Some(column), None) => Ok(self.column(column)),
            (None, Some(member)) => self.member(member, name),
            (Some(column), Some(member)) => self.either(column, member, name),
            (None, None) => Err(self.unknown(std::slice::from_ref(name))),
        }
    }

    fn bare_column(&self, name: &sql::Ident) -> Option<ColumnRef> {
        let source = self.scope.bare.filter(|_| self.scope.place != Place::Formula)?;
        let column = self.checker.catalog.source(source).column(&name.value)?;
        Some(ColumnRef { path: JoinPath::root(source), column })
    }

    /// The dimension (with its part), segment or indicator of that name.
    fn bare_member(&mut self, name: &sql::Ident) -> Result<Option<Named>, Failure> {
        if matches!(self.scope.place, Place::Source | Place::Axis) {
            return Ok(None);
        }
        let package = self.scope.package.clone();
        self.checker.member_named(&package, &name.value)
    }

    /// A name that fits a column and a member: allowed if the member is that column.
    fn either(&mut self, column: ColumnRef, member: Named, name: &sql::Ident) -> Result<sql::Expr, Failure> {
        let catalog = &self.checker.catalog;
        if let Named::Dimension(id, TimePart::Whole) = member {
            let same = catalog.dimension(id).definitions.iter().any(|d| d.as_column() == Some(&column));
            if same {
                return Ok(self.column(column));
            }
        }
        let declared = match member {
            Named::Dimension(id, _) => Some(catalog.dimension(id).item.span),
            Named::Indicator(id) => Some(catalog.indicator(id).item.span),
            Named::MetricTime(_) => None,
        };
        let written = column.display(catalog);
        let mut diagnostic =
            Diagnostic::new(codes::AMBIGUOUS_NAME, format!("`{}` is a column and something else", name.value))
                .labelled(self.name_place(name), format!("the column {written}?"))
                .help(format!("write `{written}` for the column, or rename one of them"));
        if let Some(span) = declared {
            diagnostic = diagnostic.also(span, "or this?");
        }
        Err(diagnostic.into())
    }

    fn column(&mut self, column: ColumnRef) -> sql::Expr {
        let source = self.checker.catalog.source(column.path.target(&self.checker.catalog));
        let data_type = source.columns[column.column].data_type.clone();
        self.input(Input::Column(column), data_type)
    }

    fn member(&mut self, member: Named, name: &sql::Ident) -> Result<sql::Expr, Failure> {
        let formula = self.scope.place == Place::Formula;
        match member {
            Named::Indicator(id) if formula => {
                let data_type = self.checker.catalog.indicator(id).data_type.clone();
                let filters = self.filters.clone();
                Ok(self.input(Input::Indicator(id, filters), data_type))
            }
            Named::Indicator(_) => Err(Diagnostic::new(
                codes::NESTED_AGGREGATE,
                format!("`{}` is an indicator: it has no value for a single row", name.value),
            )
            .at(self.name_place(name))
            .help(format!(
                "ask for its value at the row's own value of something: `{} per orders.customer_id`",
                name.value
            ))
            .into()),
            Named::Dimension(..) | Named::MetricTime(_) if formula => {
                Err(not_aggregated(&name.value, self.name_place(name)).into())
            }
            Named::Dimension(id, part) => {
                let input = Input::Dimension(id, part);
                let data_type = self.checker.catalog.input_type(&input);
                Ok(self.input(input, data_type))
            }
            Named::MetricTime(part) => {
                let input = Input::MetricTime(part);
                let data_type = self.checker.catalog.input_type(&input);
                Ok(self.input(input, data_type))
            }
        }
    }

    /// `orders.amount`, `orders.store.region`, `retail.orders.amount`, `finance.cost`.
    fn compound(&mut self, parts: &[sql::Ident]) -> Result<sql::Expr, Failure> {
        if !matches!(self.scope.place, Place::Source | Place::Axis)
            && let Some(column) = self.column_of_process(parts)?
        {
            return match self.scope.place {
                Place::Formula => Err(not_aggregated(&written(parts), self.place_of_all(parts)).into()),
                _ => Ok(column),
            };
        }
        if let Some((root, used)) = self.head(parts)? {
            if self.scope.place == Place::Formula {
                return Err(not_aggregated(&written(parts), self.place_of_all(parts)).into());
            }
            let path = self.walk(root, &parts[used..parts.len() - 1])?;
            let column = self.last_column(&path, parts)?;
            return Ok(self.column(ColumnRef { path, column }));
        }
        if let [package, name] = parts
            && let Some(member) = self.checker.member_named(&package.value, &name.value)?
        {
            return self.member(member, name);
        }
        Err(self.unknown(parts))
    }

    /// The path that the first parts stand for, and how many they are.
    fn head(&self, parts: &[sql::Ident]) -> Result<Option<(JoinPath, usize)>, Failure> {
        let first = &parts[0].value;
        let checker = &self.checker;
        if let (Some(source), Place::Source | Place::Axis) = (self.scope.bare, self.scope.place) {
            let own = checker.catalog.source(source);
            if self.scope.alias.as_ref() == Some(first) || own.item.name == *first {
                return Ok(Some((JoinPath::root(source), 1)));
            }
            if self.scope.place == Place::Axis
                && let Some(join) = own.joins.iter().position(|join| join.name == *first)
            {
                return Ok(Some((JoinPath::root(source).then(Step::Join(join)), 1)));
            }
            return Ok(None);
        }
        if let (Some(source), Place::Seen) = (self.scope.bare, self.scope.place)
            && let Some(join) = checker.catalog.source(source).joins.iter().position(|join| join.name == *first)
        {
            return Ok(Some((JoinPath::root(source).then(Step::Join(join)), 1)));
        }
        if checker.declared.source(&self.scope.package, first).is_some()
            && checker.source_id(&self.scope.package, first).is_none()
        {
            return Err(Failure::Silent);
        }
        Ok(checker.source_at_head(&self.scope.package, parts).map(|(id, used)| (JoinPath::root(id), used)))
    }

    fn walk(&self, mut path: JoinPath, names: &[sql::Ident]) -> Result<JoinPath, Failure> {
        for name in names {
            path = self.step(&path, name)?;
        }
        Ok(path)
    }

    /// One step of a path: a join of the source reached so far, or a source that joins to it.
    fn step(&self, path: &JoinPath, name: &sql::Ident) -> Result<JoinPath, Failure> {
        let catalog = &self.checker.catalog;
        let here = path.target(catalog);
        let source = catalog.source(here);
        if let Some(join) = source.joins.iter().position(|join| join.name == name.value) {
            return Ok(path.then(Step::Join(join)));
        }
        if self.checker.broken_joins.contains(&(here, name.value.clone())) {
            return Err(Failure::Silent);
        }
        let child = self.checker.source_id(&source.item.package, &name.value);
        let child = child.or_else(|| self.checker.source_id(&self.scope.package, &name.value));
        let ways: Vec<Step> = child
            .iter()
            .flat_map(|child| {
                let joins = catalog.source(*child).joins.iter().enumerate();
                joins
                    .filter(|(_, join)| join.to == here && join.is_own())
                    .map(|(join, _)| Step::Child { source: *child, join })
            })
            .collect();
        match ways.as_slice() {
            [way] => Ok(path.then(*way)),
            [] => Err(self.no_such_step(here, name, child)),
            _ => Err(Diagnostic::new(
                codes::AMBIGUOUS_PATH,
                format!("`{}` joins to `{}` in several ways", name.value, source.item.name),
            )
            .at(self.name_place(name))
            .help("give the child source one join for this path, or define the dimension on the child source itself")
            .into()),
        }
    }

    fn no_such_step(&self, here: SourceId, name: &sql::Ident, child: Option<SourceId>) -> Failure {
        let source = self.checker.catalog.source(here);
        let joins = source.joins.iter().map(|join| join.name.as_str());
        let diagnostic =
            Diagnostic::new(codes::UNKNOWN_JOIN, format!("`{}` has no join `{}`", source.item.name, name.value))
                .at(self.name_place(name))
                .also(source.item.span, "the source is declared here");
        match (child, nearest(&name.value, joins.clone())) {
            (Some(child), _) => {
                let child = &self.checker.catalog.source(child).item.name;
                diagnostic.help(format!("source `{child}` exists, but neither joins the other: declare the join"))
            }
            (None, Some(near)) => diagnostic.help(format!("did you mean `{near}`?")),
            (None, None) => diagnostic.help(format!("its joins are: {}", joins.collect::<Vec<_>>().join(", "))),
        }
        .into()
    }

    fn last_column(&self, path: &JoinPath, parts: &[sql::Ident]) -> Result<usize, Failure> {
        let source = self.checker.catalog.source(path.target(&self.checker.catalog));
        let Some(name) = parts.last() else { return Err(Failure::Silent) };
        match source.column(&name.value) {
            Some(column) => Ok(column),
            None => {
                let name = ast::Name { text: name.value.clone(), span: self.name_place(name) };
                Err(super::sources::unknown_column(&source.item.name, &name, &source.columns).into())
            }
        }
    }

    fn place_of_all(&self, parts: &[sql::Ident]) -> Span {
        let first = self.name_place(&parts[0]);
        parts.last().map_or(first, |last| first.to(self.name_place(last)))
    }

    fn unknown(&self, parts: &[sql::Ident]) -> Failure {
        let text = written(parts);
        let package = &self.scope.package;
        let path: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        if self.checker.declared.is_broken(package, &path) {
            return Failure::Silent;
        }
        let mut known: Vec<&str> = Vec::new();
        if let Some(source) = self.scope.bare {
            known.extend(self.checker.catalog.source(source).columns.iter().map(|column| column.name.as_str()));
        }
        if self.scope.place == Place::Row || self.scope.place == Place::Formula {
            known.extend(self.checker.declared.member_names(package));
            known.extend(self.checker.catalog.member_names(package));
        }
        if parts.len() > 1 {
            known = self.checker.declared.source_names(package);
        }
        let diagnostic =
            Diagnostic::new(codes::UNKNOWN_NAME, format!("`{text}` is not known here")).at(self.place_of_all(parts));
        match nearest(&parts[0].value, known) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
            None if parts.len() == 1 && self.scope.bare.is_none() => {
                diagnostic.help("write a column as `source.column`").into()
            }
            None => diagnostic.into(),
        }
    }
}

/// What a bare name among the members of a package means.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named {
    Dimension(DimensionId, TimePart),
    MetricTime(TimePart),
    Indicator(crate::catalog::IndicatorId),
}

impl Checker<'_> {
    /// The member of that name, perhaps with a grain or part (`ordered_at__month`); resolves it first if need be.
    pub(crate) fn member_named(&mut self, package: &str, name: &str) -> Result<Option<Named>, Failure> {
        if name == METRIC_TIME {
            return Ok(Some(Named::MetricTime(TimePart::Whole)));
        }
        if let Some(member) = self.member(package, name)? {
            return Ok(Some(match member {
                Member::Dimension(id) => Named::Dimension(id, TimePart::Whole),
                Member::Indicator(id) => Named::Indicator(id),
            }));
        }
        let Some((base, part)) = TimePart::split(name, &self.catalog.calendar) else { return Ok(None) };
        if base == METRIC_TIME {
            return Ok(Some(Named::MetricTime(part)));
        }
        match self.member(package, base)? {
            Some(Member::Dimension(id)) if self.catalog.dimension(id).is_time() => Ok(Some(Named::Dimension(id, part))),
            _ => Ok(None),
        }
    }
}

impl VisitorMut for Resolver<'_, '_> {
    type Break = Failure;

    fn pre_visit_expr(&mut self, expr: &mut sql::Expr) -> ControlFlow<Failure> {
        let replaced = match &*expr {
            sql::Expr::Identifier(name) => self.bare_name(name),
            sql::Expr::CompoundIdentifier(parts) if parts[0].value == INPUT_RELATION => {
                return ControlFlow::Continue(());
            }
            sql::Expr::CompoundIdentifier(parts) => self.compound(parts),
            sql::Expr::BinaryOp { left, op, right } => match self.durations(left, op, right) {
                Ok(Some(replaced)) => Ok(replaced),
                Ok(None) => return ControlFlow::Continue(()),
                Err(failure) => Err(failure),
            },
            sql::Expr::Function(call) => match self.function(call) {
                Ok(Some(replaced)) => Ok(replaced),
                Ok(None) => return ControlFlow::Continue(()),
                Err(failure) => Err(failure),
            },
            sql::Expr::Subquery(_) | sql::Expr::InSubquery { .. } | sql::Expr::Exists { .. } => {
                let place = self.place(&*expr);
                Err(Diagnostic::new(codes::SUBQUERY, "a subquery cannot stand in a Bell expression")
                    .at(place)
                    .help("declare a source for it and join it, or use `from query ( … )`")
                    .into())
            }
            _ => return ControlFlow::Continue(()),
        };
        match replaced {
            Ok(replaced) => {
                *expr = replaced;
                ControlFlow::Continue(())
            }
            Err(failure) => ControlFlow::Break(failure),
        }
    }
}

/// The schema of numbered columns of these types.
pub(crate) fn schema_of(types: Vec<DataType>) -> DFSchema {
    let relation = Some(TableReference::bare(INPUT_RELATION));
    let fields = types.into_iter().enumerate();
    let fields = fields.map(|(at, t)| (relation.clone(), Arc::new(Field::new(at.to_string(), t, true)))).collect();
    // Numbered columns of one relation cannot collide.
    DFSchema::new_with_metadata(fields, HashMap::new()).unwrap_or_else(|_| DFSchema::empty())
}

/// The place of a part of an expression; `whole` if the tree does not know it.
pub(crate) fn place_of(checker: &Checker<'_>, whole: Span, part: datafusion::sql::sqlparser::tokenizer::Span) -> Span {
    crate::syntax::span_of(checker.files.file(whole.file), part).unwrap_or(whole)
}

/// The arguments of a call that are expressions.
pub(crate) fn arguments(call: &sql::Function) -> Vec<&sql::Expr> {
    let sql::FunctionArguments::List(list) = &call.args else { return vec![] };
    list.args
        .iter()
        .filter_map(|arg| match arg {
            sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

/// Whether a call is of that function.
pub(crate) fn is_call(call: &sql::Function, name: &str) -> bool {
    call.name.0.last().and_then(|part| part.as_ident()).is_some_and(|ident| ident.value.eq_ignore_ascii_case(name))
}

/// The source whose rows a call counts: the last argument of `of`, the first of a conversion.
fn source_argument(call: &sql::Function) -> Option<&sql::Expr> {
    let args = arguments(call);
    if is_conversion(call) { args.first().copied() } else { args.last().copied() }
}

fn written(parts: &[sql::Ident]) -> String {
    parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".")
}

fn not_aggregated(name: &str, place: Span) -> Diagnostic {
    Diagnostic::new(codes::NOT_AGGREGATED, format!("`{name}` stands outside of an aggregate"))
        .at(place)
        .help(format!("an indicator is one number for a group: write `sum({name})`, `count(distinct {name})`, …"))
}
