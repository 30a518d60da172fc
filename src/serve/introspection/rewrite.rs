//! PostgreSQL's own ways that DataFusion has not, said in ways that it has. All of it is done on the parsed statement, so
//! that texts in quotes stay what they are.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, Expr, Function, FunctionArguments, GroupByExpr, Ident, LimitClause,
    ObjectName, ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor,
    TableWithJoins, Value, VisitMut, Visitor, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion_pg_catalog::sql::rules;
use datafusion_pg_catalog::sql::rules::SqlStatementRewriteRule;

/// The rules that lose nothing; in this order, as each may rely on those before it.
fn exact_rules() -> Vec<Arc<dyn SqlStatementRewriteRule>> {
    vec![
        Arc::new(rules::AliasDuplicatedProjectionRewrite),
        Arc::new(rules::ResolveUnqualifiedIdentifier),
        Arc::new(rules::RewriteArrayAnyAllOperation),
        Arc::new(rules::PrependUnqualifiedPgTableName),
        Arc::new(rules::StripCallableQualifier),
        Arc::new(rules::FixArrayLiteral),
        Arc::new(rules::CurrentUserVariableToSessionUserFunctionCall),
        Arc::new(rules::StripCollate),
        Arc::new(rules::RewritePgCatalogOperator),
        Arc::new(rules::RewriteRegCastToSubquery::new()),
        Arc::new(rules::FixVersionColumnName),
    ]
}

thread_local! {
    /// They hold parsed statements of their own.
    static RULES: Vec<Arc<dyn SqlStatementRewriteRule>> = exact_rules();
}

/// The statement in DataFusion's ways.
pub(super) fn rewritten(mut statement: Statement) -> Statement {
    before(&mut statement);
    let mut statement = RULES.with(|rules| rules.iter().fold(statement, |statement, rule| rule.rewrite(statement)));
    after(&mut statement);
    statement
}

/// What must be said before names lose their schemas.
pub(super) fn before(statement: &mut Statement) {
    let _ = statement.visit(&mut Before);
}

/// What is left when names are plain.
pub(super) fn after(statement: &mut Statement) {
    let _ = statement.visit(&mut After);
}

struct Before;

impl VisitorMut for Before {
    type Break = ();

    /// `information_schema` of DataFusion has its own names for types, and no keys: ours stands in `pg_catalog`.
    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, alias, .. } = factor
            && let [schema, table] = words(name).as_slice()
            && schema.eq_ignore_ascii_case("information_schema")
        {
            let table = table.to_ascii_lowercase();
            alias.get_or_insert_with(|| TableAlias {
                explicit: true,
                name: Ident::new(table.as_str()),
                columns: vec![],
                at: None,
            });
            let ours = [Ident::new("pg_catalog"), Ident::with_quote('"', format!("information_schema.{table}"))];
            *name = ObjectName(ours.map(ObjectNamePart::Identifier).to_vec());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_columns(&mut select.projection);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: name, data_type, .. } = expr {
            if let Some(plain) = known_name(name, data_type) {
                *expr = plain;
            }
        } else if let Expr::InSubquery { expr: schema, subquery, negated: false } = expr {
            if let Some(is_on_the_path) = is_on_the_path(schema, subquery) {
                *expr = is_on_the_path;
            }
        } else if let Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right } = expr {
            by_name(left, right);
            by_name(right, left);
            as_flag(left, right);
            as_flag(right, left);
        }
        ControlFlow::Continue(())
    }
}

/// Whether a schema is on the search path: there is one.
fn is_on_the_path(schema: &Expr, path: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = path.body.as_ref() else { return None };
    let asks = |from: &TableWithJoins| from.to_string().contains("string_to_array(current_setting('search_path'");
    if !select.from.iter().any(asks) {
        return None;
    }
    template("$1 = current_schema()", std::slice::from_ref(schema))
}

/// Names that a cast to a number of PostgreSQL's finds whatever the search path is.
fn known_name(name: &mut Expr, data_type: &DataType) -> Option<Expr> {
    let text = text_of(name)?.to_string();
    if is_type(data_type, "regclass") && text.starts_with("pg_") && !text.contains('.') {
        *name = text_literal(&format!("pg_catalog.{text}"));
    }
    // Functions of types are told by name here.
    let bare = text.strip_prefix("pg_catalog.").unwrap_or(&text);
    is_type(data_type, "regproc").then(|| text_literal(bare))
}

/// Columns of `pg_type` that tell a function by its name.
const FUNCTIONS: &[&str] = &["typinput", "typoutput", "typreceive", "typsend"];

/// `pg_proc.oid = pg_type.typreceive`: the function's name is told, not its number.
fn by_name(number: &mut Expr, function: &Expr) {
    if let (Expr::CompoundIdentifier(number), Expr::CompoundIdentifier(function)) = (number, function)
        && function.last().is_some_and(|word| FUNCTIONS.contains(&word.value.as_str()))
        && let Some(last) = number.last_mut().filter(|word| word.value == "oid")
    {
        last.value = "proname".to_string();
    }
}

/// How the names of columns that are true or false begin.
const FLAGS: &[&str] =
    &["attis", "atthas", "attnotnull", "indis", "indimmediate", "relis", "relhas", "condef", "convalid"];

/// `indisprimary = 't'`: a text is read as what it is compared with.
fn as_flag(text: &mut Expr, column: &Expr) {
    let name = match column {
        Expr::CompoundIdentifier(words) => words.last(),
        Expr::Identifier(word) => Some(word),
        _ => None,
    };
    let is_flag = name.is_some_and(|name| FLAGS.iter().any(|flag| name.value.starts_with(flag)));
    let flag = match text_of(text) {
        Some("t" | "true") => true,
        Some("f" | "false") => false,
        _ => return,
    };
    if is_flag {
        *text = Expr::Value(Value::Boolean(flag).with_empty_span());
    }
}

/// Gives columns the names that PostgreSQL gives them; the same name twice is refused by DataFusion.
fn name_columns(projection: &mut [SelectItem]) {
    let mut taken: HashSet<String> = HashSet::new();
    for item in projection {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => _ = taken.insert(alias.value.clone()),
            SelectItem::UnnamedExpr(expr) => {
                let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                if is_column && taken.insert(expr.to_string()) {
                    continue;
                }
                let name = column_name(expr).unwrap_or_else(|| "?column?".to_string());
                let again = (1..).map(|count| format!("{name}_{count}"));
                let mut names = std::iter::once(name.clone()).chain(again);
                let name = names.find(|name| taken.insert(name.clone())).unwrap_or(name);
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
            }
            _ => {}
        }
    }
}

fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(word) => Some(word.value.clone()),
        Expr::CompoundIdentifier(words) => words.last().map(|word| word.value.clone()),
        Expr::Function(call) => words(&call.name).last().map(|name| name.to_ascii_lowercase()),
        Expr::Nested(inner) => column_name(inner),
        Expr::Cast { expr, data_type, .. } => {
            column_name(expr).or_else(|| Some(data_type.to_string().to_ascii_lowercase()))
        }
        Expr::Case { .. } => Some("case".to_string()),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last()? {
            AccessExpr::Dot(field) => column_name(field),
            AccessExpr::Subscript(_) => None,
        },
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(expr) => column_name(expr),
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

struct After;

impl VisitorMut for After {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(other) = other_way(expr) {
            *expr = other;
        }
        ControlFlow::Continue(())
    }
}

/// The same in DataFusion's way, if it is another.
fn other_way(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
            let escape = text_literal(&escape_char.take()?.value.into_string()?);
            **pattern = template("like_pattern($1, $2)", &[pattern.as_ref().clone(), escape])?;
            None
        }
        Expr::Function(call) => call_in_other_way(call),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.as_slice() {
            [AccessExpr::Dot(Expr::Identifier(field))] => {
                template("get_field($1, $2)", &[root.as_ref().clone(), text_literal(&field.value)])
            }
            _ => None,
        },
        Expr::Subquery(query) => one_value(query),
        Expr::Cast { expr: inner, data_type, .. } if is_type(data_type, "text") => match inner.as_ref() {
            Expr::Cast { expr: number, data_type, .. } if is_type(data_type, "regclass") => {
                template("relation_name($1)", &[number.as_ref().clone()])
            }
            _ => None,
        },
        // A name that is put together is looked up for every row.
        Expr::Cast { expr: name, data_type, .. } if is_type(data_type, "regclass") => match name.as_ref() {
            Expr::Function(_) | Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } => {
                template("to_regclass($1)", &[name.as_ref().clone()])
            }
            _ => None,
        },
        _ => None,
    }
}

fn call_in_other_way(call: &mut Function) -> Option<Expr> {
    let name = words(&call.name).last()?.to_ascii_lowercase();
    let argument = |at: usize| arguments(call).get(at).cloned();
    match name.as_str() {
        "generate_subscripts" => {
            template("unnest(generate_series(CAST(1 AS BIGINT), CAST(cardinality($1) AS BIGINT)))", &[argument(0)?])
        }
        "_pg_expandarray" => template("unnest(pg_expand_array($1))", &[argument(0)?]),
        // Options of relations there are none.
        "array_to_string" if mentions(&argument(0)?, "reloptions") => Some(text_literal("")),
        "array" => match &mut call.args {
            FunctionArguments::Subquery(query) if is_empty(query) => template("CAST(make_array() AS TEXT[])", &[]),
            FunctionArguments::Subquery(query) => aggregated(query, "array_agg").then(|| Expr::Subquery(query.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn arguments(call: &Function) -> Vec<Expr> {
    use datafusion::sql::sqlparser::ast::{FunctionArg, FunctionArgExpr};
    let FunctionArguments::List(list) = &call.args else { return vec![] };
    let one = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().filter_map(one).collect()
}

/// Tables without a row here: there are no defaults, sequences and the like.
const EMPTY: &[&str] =
    &["pg_attrdef", "pg_auth_members", "pg_enum", "pg_inherits", "pg_policy", "pg_sequence", "pg_trigger"];

/// Whether a query selects from such a table.
fn is_empty(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let first = select.from.first().map(|from| &from.relation);
    let empty = |name: &ObjectName| words(name).last().is_some_and(|name| EMPTY.contains(&name.as_str()));
    !is_aggregated(select) && matches!(first, Some(TableFactor::Table { name, .. }) if empty(name))
}

/// A subquery that stands for a value gives one row. DataFusion must know that it does: it is the first value of it.
fn one_value(query: &mut Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    if is_aggregated(select) || select.from.is_empty() {
        return None;
    }
    if is_empty(query) {
        return Some(Expr::Value(Value::Null.with_empty_span()));
    }
    aggregated(query, "first_value");
    None
}

/// Puts the one column of a query into an aggregate, in the order of its rows; `false` if that would be something else.
fn aggregated(query: &mut Query, aggregate: &str) -> bool {
    let one = |limit: &LimitClause| match limit {
        LimitClause::LimitOffset { limit, offset: None, limit_by } if limit_by.is_empty() => {
            limit.as_ref().is_none_or(|limit| limit.to_string() == "1")
        }
        _ => false,
    };
    if query.with.is_some() || query.fetch.is_some() || !query.limit_clause.as_ref().is_none_or(one) {
        return false;
    }
    let SetExpr::Select(select) = query.body.as_mut() else { return false };
    if is_aggregated(select) || select.distinct.is_some() {
        return false;
    }
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return false;
    };
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        None => String::new(),
        // A position or an alias means the value itself.
        Some(OrderByKind::Expressions(all)) if all.iter().all(|it| !matches!(it.expr, Expr::Value(_))) => {
            format!(" ORDER BY {}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
        Some(OrderByKind::Expressions(all)) if all.len() == 1 => " ORDER BY $1".to_string(),
        Some(_) => return false,
    };
    let Some(within) = template(&format!("{aggregate}($1{order})"), std::slice::from_ref(value)) else { return false };
    *value = within;
    (query.order_by, query.limit_clause) = (None, None);
    true
}

/// Functions that make one row of many.
const AGGREGATES: &[&str] =
    &["array_agg", "avg", "bool_and", "bool_or", "count", "first_value", "max", "min", "string_agg", "sum"];

fn is_aggregated(select: &Select) -> bool {
    let grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(all, _) => !all.is_empty(),
    };
    grouped || datafusion::sql::sqlparser::ast::Visit::visit(&select.projection, &mut Aggregates(0)).is_break()
}

/// Stops at an aggregate that is not one of a query within, of which it is told how deep it is in them.
struct Aggregates(usize);

impl Visitor for Aggregates {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.0 -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let Expr::Function(call) = expr else { return ControlFlow::Continue(()) };
        found(self.0 == 0 && words(&call.name).last().is_some_and(|name| AGGREGATES.contains(&name.as_str())))
    }
}

fn mentions(expr: &Expr, name: &str) -> bool {
    struct Mentions<'n>(&'n str);
    impl Visitor for Mentions<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            found(match expr {
                Expr::Identifier(word) => word.value == self.0,
                Expr::CompoundIdentifier(words) => words.last().is_some_and(|word| word.value == self.0),
                _ => false,
            })
        }
    }
    datafusion::sql::sqlparser::ast::Visit::visit(expr, &mut Mentions(name)).is_break()
}

fn found(it_is: bool) -> ControlFlow<()> {
    if it_is { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// An expression written as a text, with others in the place of `$1`, `$2` …
fn template(text: &str, values: &[Expr]) -> Option<Expr> {
    struct Fill<'v>(&'v [Expr]);
    impl VisitorMut for Fill<'_> {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Value(value) = expr
                && let Value::Placeholder(place) = &value.value
                && let Some(value) = place[1..].parse::<usize>().ok().and_then(|at| self.0.get(at - 1))
            {
                *expr = value.clone();
            }
            ControlFlow::Continue(())
        }
    }
    let mut expr = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?.parse_expr().ok()?;
    let _ = expr.visit(&mut Fill(values));
    Some(expr)
}

fn words(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(|part| part.as_ident()).map(|word| word.value.clone()).collect()
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn text_literal(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_string()).with_empty_span())
}

fn is_type(data_type: &DataType, name: &str) -> bool {
    let said = data_type.to_string().to_ascii_lowercase();
    said.strip_prefix("pg_catalog.").unwrap_or(&said) == name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_all(sql: &str) -> String {
        let mut all = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        rewritten(all.remove(0)).to_string()
    }

    #[test]
    fn texts_in_quotes_stay_what_they_are() {
        let table = [
            ("SELECT 'a LIKE b ESCAPE ''/''' AS a", "SELECT 'a LIKE b ESCAPE ''/''' AS a"),
            (
                "SELECT a FROM t WHERE a NOT LIKE 'pg/_%' ESCAPE '/'",
                "SELECT a FROM t WHERE a NOT LIKE like_pattern('pg/_%', '/')",
            ),
        ];
        for (asked, wanted) in table {
            assert_eq!(after_all(asked), wanted);
        }
    }

    #[test]
    fn a_subquery_for_a_value_gives_one() {
        let table = [
            (
                "SELECT (SELECT n.nspname FROM pg_namespace n WHERE n.oid = c.relnamespace) AS a FROM pg_class c",
                "SELECT (SELECT first_value(n.nspname) FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace) AS a \
                 FROM pg_catalog.pg_class c",
            ),
            (
                "SELECT (SELECT a FROM t ORDER BY b LIMIT 1) AS a",
                "SELECT (SELECT first_value(a ORDER BY b) FROM t) AS a",
            ),
            ("SELECT ARRAY(SELECT a FROM t ORDER BY 1) AS a", "SELECT (SELECT array_agg(a ORDER BY a) FROM t) AS a"),
            ("SELECT (SELECT max(a) AS a FROM t) AS a", "SELECT (SELECT max(a) AS a FROM t) AS a"),
            (
                "SELECT ARRAY(SELECT (SELECT max(a) AS a FROM t) FROM pg_policy) AS a",
                "SELECT CAST(make_array() AS TEXT[]) AS a",
            ),
            ("SELECT (SELECT adbin FROM pg_attrdef d WHERE d.oid = c.oid) AS a FROM c", "SELECT NULL AS a FROM c"),
        ];
        for (asked, wanted) in table {
            assert_eq!(after_all(asked), wanted);
        }
    }

    #[test]
    fn columns_have_the_names_that_postgresql_gives_them() {
        let table = [
            (
                "SELECT current_user, current_user",
                "SELECT session_user AS \"current_user\", session_user AS \"current_user_1\"",
            ),
            (
                "SELECT 1, a.b, a.b, (SELECT c FROM d)",
                "SELECT 1 AS \"?column?\", a.b, a.b AS \"b\", (SELECT first_value(c) FROM d) AS \"c\"",
            ),
            ("SELECT lower(a)::text", "SELECT lower(a)::TEXT AS \"lower\""),
        ];
        for (asked, wanted) in table {
            assert_eq!(after_all(asked), wanted);
        }
    }

    #[test]
    fn numbers_of_functions_are_names() {
        let table = [
            (
                "SELECT a FROM pg_type t WHERE t.typinput = 'pg_catalog.array_in'::regproc",
                "SELECT a FROM pg_catalog.pg_type t WHERE t.typinput = 'array_in'",
            ),
            (
                "SELECT a FROM pg_type t JOIN pg_proc p ON p.oid = t.typreceive",
                "SELECT a FROM pg_catalog.pg_type t JOIN pg_catalog.pg_proc p ON p.proname = t.typreceive",
            ),
            (
                "SELECT a FROM pg_index WHERE indisprimary = 't'",
                "SELECT a FROM pg_catalog.pg_index WHERE indisprimary = true",
            ),
            ("SELECT format('%I', a)::regclass AS a", "SELECT to_regclass(format('%I', a)) AS a"),
        ];
        for (asked, wanted) in table {
            assert_eq!(after_all(asked), wanted);
        }
    }

    #[test]
    fn arrays_are_spread() {
        assert_eq!(
            after_all("SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_index i"),
            "SELECT get_field((unnest(pg_expand_array(i.indkey))), 'n') AS \"n\" FROM pg_catalog.pg_index i"
        );
        assert!(after_all("SELECT generate_subscripts(a, 1)").starts_with("SELECT unnest(generate_series("));
    }

    #[test]
    fn the_information_schema_is_ours() {
        assert_eq!(
            after_all("SELECT columns.a FROM information_schema.columns"),
            "SELECT columns.a FROM pg_catalog.\"information_schema.columns\" AS columns"
        );
    }
}
