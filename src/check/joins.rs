//! Joins: is each many to one, and does it meet on columns that exist?

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;

use super::resolve::{Place, Scope, Typed};
use super::sources::unknown_column;
use super::{Checker, Failure};
use crate::catalog::SourceId;
use crate::catalog::calendar::is_time;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::path::{ColumnRef, JoinPath};
use crate::catalog::source::{Bound, Join, Validity};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::syntax::ast::{self, JoinOn, Name, Path};

impl<'a> Checker<'a> {
    /// The joins of every source. A source's joins are known only after all sources' columns are.
    pub(crate) fn check_joins(&mut self) {
        for declared in self.declared.sources.clone() {
            let Some(id) = self.catalog.source_named(declared.package, &declared.tree.name.text) else { continue };
            for join in &declared.tree.joins {
                let result = self.join_of(declared.package, id, join);
                match self.keep(result) {
                    Some(join) => self.catalog.to_mut().sources[id.0 as usize].joins.push(join),
                    None => {
                        self.broken_joins.insert((id, join.name.text.clone()));
                    }
                }
            }
        }
    }

    fn join_of(&mut self, package: &str, from: SourceId, tree: &ast::Join) -> Result<Join, Failure> {
        let source = self.catalog.source(from);
        if let Some(first) = source.joins.iter().find(|join| join.name == tree.name.text) {
            return Err(Diagnostic::new(codes::DUPLICATE_NAME, format!("`{}` is joined twice", tree.name.text))
                .labelled(tree.name.span, "joined again here")
                .also(first.span, "first joined here")
                .help("give the second join its own name: `join other = …`")
                .into());
        }
        let to = self.joined_source(package, &tree.to)?;
        let on = match &tree.on {
            JoinOn::Columns(names) => self.join_columns(from, to, names)?,
            JoinOn::Equation(equation) => self.join_equation(package, from, to, tree, equation)?,
        };
        let valid = match &tree.valid {
            Some((from, to_bound)) => {
                let from = self.bound_of(package, to, tree, from)?;
                Some(Validity { from, to: self.bound_of(package, to, tree, to_bound)? })
            }
            // Where bounds tell the versions of a row apart, these are not needed to be unique.
            None => self.require_unique(tree, to, &on).map(|()| None)?,
        };
        Ok(Join { name: tree.name.text.clone(), to, on, valid, span: tree.name.span })
    }

    /// One bound of `valid between`: a date or timestamp over the joined source's columns.
    fn bound_of(&mut self, package: &str, to: SourceId, tree: &ast::Join, bound: &ast::Expr) -> Result<Bound, Failure> {
        let typed = self.resolve_rows(bound, Scope::own(package, to).also_named(&tree.name.text))?;
        if is_time(&typed.data_type) {
            return Ok(Bound { value: typed.expression, data_type: typed.data_type });
        }
        Err(Diagnostic::new(
            codes::TIME_TYPE,
            format!("a bound of `valid between` is a date or timestamp, this is {}", typed.data_type),
        )
        .at(bound.span)
        .help("give the column a type in the joined source's `columns { … }`, or compute one there")
        .into())
    }

    pub(crate) fn joined_source(&self, package: &str, path: &Path) -> Result<SourceId, Failure> {
        let (package, name) = match path.parts.as_slice() {
            [name] => (package, name),
            [package, name] => (package.text.as_str(), name),
            _ => return Err(self.unknown_source(package, path)),
        };
        let Some(at) = self.declared.source(package, &name.text) else {
            return Err(self.unknown_source(package, path));
        };
        let declared = self.declared.sources[at];
        self.catalog.source_named(declared.package, &declared.tree.name.text).ok_or(Failure::Silent)
    }

    pub(crate) fn unknown_source(&self, package: &str, path: &Path) -> Failure {
        let written: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
        if self.declared.is_broken(package, &written) {
            return Failure::Silent;
        }
        let diagnostic =
            Diagnostic::new(codes::UNKNOWN_SOURCE, format!("there is no source `{}`", written.join("."))).at(path.span);
        let last = written.last().copied().unwrap_or_default();
        match nearest(last, self.declared.source_names(package)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
            None => diagnostic.into(),
        }
    }

    /// `on c`: the joined source's single-column key, otherwise its column of that name; `on (a, b)` likewise.
    fn join_columns(
        &self,
        from: SourceId,
        to: SourceId,
        names: &[Name],
    ) -> Result<Vec<(Expression, Expression)>, Failure> {
        let (source, target) = (self.catalog.source(from), self.catalog.source(to));
        let keys: Vec<usize> =
            match target.keys.iter().find(|key| key.len() == names.len()) {
                Some(key) if names.len() == 1 => key.clone(),
                _ => names.iter().map(|name| self.column_of(target, name)).collect::<Result<_, _>>().or_else(
                    |failure| target.keys.first().filter(|key| key.len() == names.len()).cloned().ok_or(failure),
                )?,
            };
        let pairs = names.iter().zip(keys).map(|(name, key)| {
            let left = match source.column(&name.text) {
                Some(column) => column,
                None => return Err(unknown_column(&source.item.name, name, &source.columns).into()),
            };
            self.same_type(name, (from, left), (to, key))
        });
        pairs.collect()
    }

    /// Both sides of one equation, cast to a common type if they need it.
    fn same_type(
        &self,
        name: &Name,
        left: (SourceId, usize),
        right: (SourceId, usize),
    ) -> Result<(Expression, Expression), Failure> {
        let column = |(source, column): (SourceId, usize)| {
            Expression::input(Input::Column(ColumnRef { path: JoinPath::root(source), column }))
        };
        let data_type = |(source, column): (SourceId, usize)| &self.catalog.source(source).columns[column].data_type;
        let (left_type, right_type) = (data_type(left), data_type(right));
        if family(left_type) != family(right_type) {
            return Err(Diagnostic::new(
                codes::JOIN_TYPES,
                format!("the joined columns have different types: {left_type} and {right_type}"),
            )
            .at(name.span)
            .help("fix the type of one of them in the source's `columns { … }`")
            .into());
        }
        Ok((column(left), column(right)))
    }

    /// `on store_id = stores.id and …`: equations between this source and the joined one.
    fn join_equation(
        &mut self,
        package: &str,
        from: SourceId,
        to: SourceId,
        tree: &ast::Join,
        equation: &ast::Expr,
    ) -> Result<Vec<(Expression, Expression)>, Failure> {
        let mut pairs = Vec::new();
        for part in conjuncts(&equation.sql) {
            let sql::Expr::BinaryOp { left, op: sql::BinaryOperator::Eq, right } = part else {
                return Err(not_an_equation(equation).into());
            };
            let far = [&tree.name.text, &self.catalog.source(to).item.name].map(String::clone);
            let (near, far) = match (mentions(left, &far), mentions(right, &far)) {
                (false, true) => (left, right),
                (true, false) => (right, left),
                _ => return Err(not_an_equation(equation).into()),
            };
            let side = |sql: &sql::Expr| ast::Expr { sql: sql.clone(), span: equation.span };
            // It may go on from a join that is declared before it.
            let near = self.resolve_rows(&side(near), Scope::own(package, from).at(Place::Axis))?;
            let far = self.resolve_rows(&side(far), Scope::own(package, to).also_named(&tree.name.text))?;
            pairs.push(same_family(near, far, equation)?);
        }
        Ok(pairs)
    }

    /// A join is many to one if the joined columns hold a declared key of the joined source.
    fn require_unique(&self, tree: &ast::Join, to: SourceId, on: &[(Expression, Expression)]) -> Result<(), Failure> {
        let target = self.catalog.source(to);
        let joined: Vec<usize> = on.iter().filter_map(|(_, far)| far.as_column().map(|c| c.column)).collect();
        if target.keys.iter().any(|key| key.iter().all(|column| joined.contains(column))) {
            return Ok(());
        }
        let name = &target.item.name;
        let mut diagnostic = Diagnostic::new(
            codes::JOIN_NOT_UNIQUE,
            format!("`{name}` is not known to have one row for each value of the joined columns"),
        )
        .labelled(tree.span, "this join could multiply rows")
        .also(
            target.item.span,
            if target.keys.is_empty() { "declared here without a `key`" } else { "its key is another" },
        );
        let columns: Vec<&str> = joined.iter().map(|at| target.columns[*at].name.as_str()).collect();
        let key = if columns.len() == 1 { columns[0].to_string() } else { format!("({})", columns.join(", ")) };
        diagnostic = diagnostic.help(format!(
            "if they are unique there, declare `key {key}` in `{name}`; if `{name}` has many rows for one of these, \
             declare the join the other way round, in `{name}`"
        ));
        Err(diagnostic.into())
    }
}

/// The two sides of an equation, if their types equate without loss.
fn same_family(near: Typed, far: Typed, equation: &ast::Expr) -> Result<(Expression, Expression), Failure> {
    if family(&near.data_type) == family(&far.data_type) {
        return Ok((near.expression, far.expression));
    }
    Err(Diagnostic::new(
        codes::JOIN_TYPES,
        format!("the two sides have different types: {} and {}", near.data_type, far.data_type),
    )
    .at(equation.span)
    .help("fix the type of one of them in its source's `columns { … }`")
    .into())
}

/// Whether an expression names a column as `name.column` of one of these names: that side is the joined source's.
fn mentions(expr: &sql::Expr, names: &[String]) -> bool {
    let found = sql::visit_expressions(expr, |expr| match expr {
        sql::Expr::CompoundIdentifier(parts) if names.contains(&parts[0].value) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn not_an_equation(equation: &ast::Expr) -> Diagnostic {
    Diagnostic::new(codes::JOIN_EQUATION, "a join's condition must equate columns of the two sources")
        .at(equation.span)
        .help("write `on column = other.column`, with `and` between several")
}

fn conjuncts(expr: &sql::Expr) -> Vec<&sql::Expr> {
    match expr {
        sql::Expr::BinaryOp { left, op: sql::BinaryOperator::And, right } => {
            let mut parts = conjuncts(left);
            parts.extend(conjuncts(right));
            parts
        }
        sql::Expr::Nested(inner) => conjuncts(inner),
        other => vec![other],
    }
}

/// Types that equate without loss.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Family {
    Integer,
    Text,
    Other(DataType),
}

pub(super) fn family(data_type: &DataType) -> Family {
    match data_type {
        t if t.is_integer() => Family::Integer,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Family::Text,
        DataType::Dictionary(_, value) => family(value),
        DataType::Timestamp(_, zone) => {
            Family::Other(DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Nanosecond, zone.clone()))
        }
        other => Family::Other(other.clone()),
    }
}
