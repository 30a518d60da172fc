//! What our own entrance does to a statement before DataFusion plans it: bare indicators beside GROUP BY become
//! `MEASURE(…)`, and its arguments are qualified, so that an alias of the same name does not hide them.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, GroupByExpr, Ident,
    ObjectName, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut,
};

use crate::plan::Aspect;
use crate::source::SourceFile;

/// Which columns of a table are indicators.
pub trait Views {
    /// Whether a table is an indicator view.
    fn is_view(&self, table: &ObjectName) -> bool;
    /// Whether a column of that view is an indicator.
    fn is_indicator(&self, table: &ObjectName, column: &str) -> bool;
    /// What `*` means for the view of a funnel or a cohort.
    fn own_columns(&self, table: &ObjectName) -> Option<Vec<String>>;
    /// Whether a function is an aggregate, `MEASURE` included.
    fn is_aggregate(&self, function: &str) -> bool;
}

/// Rewrites a statement in place.
pub fn rewrite(file: &SourceFile, statement: &mut DfStatement, views: &dyn Views) {
    if let Some(statement) = inner(statement) {
        let mut pass = Pass { file, views, tables: vec![] };
        let _ = statement.visit(&mut pass);
    }
}

/// Drops `HAVING COUNT(1) > 0` over indicator views, by which BI tools ask for no row where there are none to count: so it
/// is with groups. Without any, all rows become one group.
pub fn drop_counts(statement: &mut DfStatement, views: &dyn Views) {
    struct Counts<'v>(&'v dyn Views);
    impl VisitorMut for Counts<'_> {
        type Break = ();

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
            let is_view =
                |factor: &TableFactor| matches!(factor, TableFactor::Table { name, .. } if self.0.is_view(name));
            let over_views = select.from.iter().all(|from| from.joins.is_empty() && is_view(&from.relation));
            if over_views && select.having.as_ref().is_some_and(counts_rows) {
                select.having = None;
                if matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty()) {
                    let all = Expr::Value(Value::SingleQuotedString("all".to_string()).with_empty_span());
                    select.group_by = GroupByExpr::Expressions(vec![all], vec![]);
                }
            }
            ControlFlow::Continue(())
        }
    }
    if let Some(statement) = inner(statement) {
        let _ = statement.visit(&mut Counts(views));
    }
}

/// `COUNT(1) > 0`, `(COUNT(*) > 0)`.
fn counts_rows(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(inner) => counts_rows(inner),
        Expr::BinaryOp { .. } => {
            ["COUNT(1) > 0", "COUNT(*) > 0"].contains(&condition.to_string().to_ascii_uppercase().as_str())
        }
        _ => false,
    }
}

/// Whether a statement selects `*` anywhere.
pub fn has_wildcard(file: &SourceFile, statement: &mut DfStatement) -> bool {
    struct Wildcards(bool);
    impl VisitorMut for Wildcards {
        type Break = ();

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            for_each_select(&mut query.body, &mut |select| {
                let wild =
                    |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
                self.0 |= select.projection.iter().any(wild);
            });
            ControlFlow::Continue(())
        }
    }
    let mut wildcards = Wildcards(false);
    match inner(statement) {
        // `DESCRIBE view` shows all columns.
        Some(Statement::ExplainTable { .. }) | None => true,
        Some(_) if !file.text.contains('*') => false,
        Some(statement) => {
            let _ = statement.visit(&mut wildcards);
            wildcards.0
        }
    }
}

/// sqlparser's statement inside DataFusion's.
pub fn inner(statement: &mut DfStatement) -> Option<&mut Statement> {
    match statement {
        DfStatement::Statement(statement) => Some(statement),
        DfStatement::Explain(explain) => inner(&mut explain.statement),
        _ => None,
    }
}

/// The indicators among the columns of a relation in FROM.
#[derive(Debug, Clone)]
enum Columns {
    /// Those of a view.
    View(ObjectName),
    /// Those that a subquery hands on, under its names.
    Named(HashSet<String>),
}

struct Pass<'v> {
    file: &'v SourceFile,
    views: &'v dyn Views,
    /// Common table expressions in scope, innermost last.
    tables: Vec<HashMap<String, Columns>>,
}

impl VisitorMut for Pass<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.tables.push(HashMap::new());
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            if let Some(columns) = self.handed_on(&table.query)
                && let Some(scope) = self.tables.last_mut()
            {
                scope.insert(normal(&table.alias.name), columns);
            }
        }
        let order = match query.body.as_mut() {
            SetExpr::Select(select) => {
                let outputs = self.select(select);
                outputs.zip(query.order_by.as_mut())
            }
            body => {
                for_each_select(body, &mut |select| {
                    self.select(select);
                });
                None
            }
        };
        if let Some((scope, order)) = order
            && let OrderByKind::Expressions(exprs) = &mut order.kind
        {
            for expr in exprs {
                let named = matches!(&expr.expr, Expr::Identifier(name) if scope.outputs.contains(&normal(name)));
                if !named {
                    self.wrap(&mut expr.expr, &scope);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.tables.pop();
        ControlFlow::Continue(())
    }
}

/// What bare names mean in a select over one relation with indicators.
struct Scope {
    relation: Ident,
    columns: Columns,
    grouped: bool,
    outputs: HashSet<String>,
}

impl Pass<'_> {
    /// Rewrites one select; gives its scope for the query's ORDER BY.
    fn select(&self, select: &mut Select) -> Option<Scope> {
        let (relation, columns) = self.only_relation(select)?;
        let grouped = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(exprs, modifiers) => !exprs.is_empty() || !modifiers.is_empty(),
        };
        self.spell_out(&mut select.projection, &columns);
        let mut scope = Scope { relation, columns, grouped, outputs: output_names(&select.projection) };
        for item in &mut select.projection {
            self.item(item, &mut scope);
        }
        for clause in [&mut select.having, &mut select.qualify].into_iter().flatten() {
            self.wrap(clause, &scope);
        }
        Some(scope)
    }

    /// `*` of a funnel or a cohort is its own columns: all dimensions beside them would be a row for each combination.
    fn spell_out(&self, projection: &mut Vec<SelectItem>, columns: &Columns) {
        let Columns::View(table) = columns else { return };
        let Some(own) = self.views.own_columns(table) else { return };
        let named = |name: &String| SelectItem::UnnamedExpr(Expr::Identifier(Ident::with_quote('"', name)));
        let items = std::mem::take(projection).into_iter();
        projection.extend(items.flat_map(|item| match &item {
            SelectItem::Wildcard(_) => own.iter().map(named).collect(),
            _ => vec![item],
        }));
    }

    fn item(&self, item: &mut SelectItem, scope: &mut Scope) {
        match item {
            SelectItem::ExprWithAlias { expr, .. } => self.wrap(expr, scope),
            SelectItem::UnnamedExpr(expr) => {
                let name = self.plain_measure(expr, scope).or_else(|| self.plain_aspect(expr, scope));
                let spoken = super::contexts::spoken(self.file, expr);
                self.wrap(expr, scope);
                if let Some(spoken) = spoken {
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', spoken) };
                    return;
                }
                if let Some(alias) = name.filter(|name| {
                    scope.grouped || !matches!(expr, Expr::Identifier(_)) && !scope.outputs.contains(&normal(name))
                }) && !matches!(expr, Expr::Identifier(_))
                {
                    scope.outputs.insert(normal(&alias));
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                }
            }
            _ => {}
        }
    }

    /// The indicator's name, if an expression is just `gmv` or `MEASURE(gmv)`: the column is then called so.
    fn plain_measure(&self, expr: &Expr, scope: &Scope) -> Option<Ident> {
        let name = match expr {
            Expr::Identifier(name) => name,
            Expr::CompoundIdentifier(parts) => parts.last()?,
            Expr::Function(call) if call.filter.is_none() && call.over.is_none() && is_marker(call) => {
                match only_argument(call)? {
                    Expr::Identifier(name) => name,
                    Expr::CompoundIdentifier(parts) => parts.last()?,
                    _ => return None,
                }
            }
            _ => return None,
        };
        self.is_indicator(scope, &normal(name)).then(|| name.clone())
    }

    /// `gmv_target`, if an expression is just `TARGET(gmv)`; so with the other two.
    fn plain_aspect(&self, expr: &Expr, scope: &Scope) -> Option<Ident> {
        let Expr::Function(call) = expr else { return None };
        let aspect = aspect_of(call)?;
        let name = match only_argument(call)? {
            Expr::Identifier(name) => name,
            Expr::CompoundIdentifier(parts) => parts.last()?,
            _ => return None,
        };
        let plain = call.filter.is_none() && call.over.is_none() && self.is_indicator(scope, &normal(name));
        plain.then(|| Ident::with_quote('"', format!("{}_{}", normal(name), aspect.name())))
    }

    /// Wraps bare indicators in an expression and qualifies the arguments of markers.
    fn wrap(&self, expr: &mut Expr, scope: &Scope) {
        let mut wrapping = Wrapping { pass: self, scope, inside: 0 };
        let _ = expr.visit(&mut wrapping);
    }

    fn is_indicator(&self, scope: &Scope, name: &str) -> bool {
        match &scope.columns {
            Columns::View(table) => self.views.is_indicator(table, name),
            Columns::Named(names) => names.contains(name),
        }
    }

    fn only_relation(&self, select: &Select) -> Option<(Ident, Columns)> {
        let [from] = select.from.as_slice() else { return None };
        if !from.joins.is_empty() {
            return None;
        }
        self.columns_of(&from.relation)
    }

    fn columns_of(&self, factor: &TableFactor) -> Option<(Ident, Columns)> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let last = name.0.last()?.as_ident()?.clone();
                let relation = alias.as_ref().map_or(last.clone(), |alias| alias.name.clone());
                if name.0.len() == 1
                    && let Some(columns) = self.tables.iter().rev().find_map(|scope| scope.get(&normal(&last)))
                {
                    return Some((relation, columns.clone()));
                }
                self.views.is_view(name).then(|| (relation, Columns::View(name.clone())))
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                Some((alias.name.clone(), self.handed_on(subquery)?))
            }
            _ => None,
        }
    }

    /// The indicators that an ungrouped query over a view hands on.
    fn handed_on(&self, query: &Query) -> Option<Columns> {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let (_, columns) = self.only_relation(select)?;
        let is_indicator = |name: &str| match &columns {
            Columns::View(table) => self.views.is_indicator(table, name),
            Columns::Named(names) => names.contains(name),
        };
        if select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_))) {
            return Some(columns);
        }
        let mut handed = HashSet::new();
        for item in &select.projection {
            let (expr, output) = match item {
                SelectItem::UnnamedExpr(expr) => (expr, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias)),
                _ => continue,
            };
            let name = match expr {
                Expr::Identifier(name) => name,
                Expr::CompoundIdentifier(parts) => parts.last()?,
                _ => continue,
            };
            if is_indicator(&normal(name)) {
                handed.insert(normal(output.unwrap_or(name)));
            }
        }
        Some(Columns::Named(handed))
    }
}

struct Wrapping<'p> {
    pass: &'p Pass<'p>,
    scope: &'p Scope,
    /// How many aggregate calls we are inside of.
    inside: usize,
}

impl Wrapping<'_> {
    fn qualified(&self, name: &Ident) -> Expr {
        let mut relation = self.scope.relation.clone();
        relation.span = name.span;
        Expr::CompoundIdentifier(vec![relation, name.clone()])
    }

    /// Whether a name that stands here is outside of aggregates, in a query whose bare indicators are meant as measures.
    fn is_bare(&self) -> bool {
        self.inside == 0 && self.scope.grouped
    }

    fn is_aggregate(&self, call: &Function) -> bool {
        call.over.is_none() && last_name(&call.name).is_some_and(|name| self.pass.views.is_aggregate(&name))
    }
}

impl VisitorMut for Wrapping<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(call) = expr
            && self.is_aggregate(call)
        {
            self.inside += 1;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(call) if self.is_aggregate(call) => {
                self.inside -= 1;
                if (is_marker(call) || aspect_of(call).is_some())
                    && let Some(Expr::Identifier(name)) = only_argument(call)
                {
                    let argument = self.qualified(&name.clone());
                    set_only_argument(call, argument);
                }
            }
            Expr::Identifier(name) if self.is_bare() && self.pass.is_indicator(self.scope, &normal(name)) => {
                *expr = measure_of(self.qualified(&name.clone()));
            }
            Expr::CompoundIdentifier(parts) if self.is_bare() && parts.len() == 2 => {
                let own = normal(&parts[0]) == normal(&self.scope.relation);
                if own && self.pass.is_indicator(self.scope, &normal(&parts[1])) {
                    *expr = measure_of(expr.clone());
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn measure_of(argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("measure")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// Whether a call is the marker.
pub fn is_marker(call: &Function) -> bool {
    last_name(&call.name).is_some_and(|name| matches!(name.as_str(), "measure" | "agg" | "aggregate"))
}

/// What a call asks for besides a value: `TARGET(gmv)` and the like.
fn aspect_of(call: &Function) -> Option<Aspect> {
    let function = last_name(&call.name)?;
    Aspect::ALL.into_iter().find(|aspect| aspect.name() == function)
}

fn last_name(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.to_lowercase())
}

fn only_argument(call: &Function) -> Option<&Expr> {
    let FunctionArguments::List(list) = &call.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => Some(argument),
        _ => None,
    }
}

fn set_only_argument(call: &mut Function, argument: Expr) {
    if let FunctionArguments::List(list) = &mut call.args {
        list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))];
    }
}

fn output_names(items: &[SelectItem]) -> HashSet<String> {
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(normal(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(normal(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(normal),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// A name as SQL sees it: folded to lower case unless it is quoted.
pub fn normal(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn for_each_select(body: &mut SetExpr, act: &mut impl FnMut(&mut Select)) {
    match body {
        SetExpr::Select(select) => act(select),
        SetExpr::SetOperation { left, right, .. } => {
            for_each_select(left, act);
            for_each_select(right, act);
        }
        _ => {}
    }
}
