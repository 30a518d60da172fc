//! What parses, what does not, and what is said then.

use super::*;
use crate::source::SourceSet;

fn parsed(text: &str) -> (SourceSet, Parsed) {
    let mut sources = SourceSet::default();
    let id = sources.add("test.bell", text);
    let parsed = parse(sources.file(id));
    (sources, parsed)
}

#[test]
fn the_examples_of_the_language_parse() {
    for name in ["sources", "dimensions", "indicators", "goals", "lifecycle"] {
        let path = format!("{}/tests/scripts/syntax/{name}.bell", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let (sources, parsed) = parsed(&text);
        let shown: Vec<String> =
            parsed.diagnostics.iter().map(|d| crate::diagnostic::render::to_text(&sources, d, false)).collect();
        assert!(shown.is_empty(), "{name}:\n{}", shown.join("\n"));
    }
}

/// The first indicator's definition as SQL text.
fn definition(expression: &str) -> String {
    let (sources, parsed) = parsed(&format!("indicator x = {expression}"));
    match (&parsed.diagnostics[..], parsed.file.items.first()) {
        ([], Some(ast::Item { kind: ast::ItemKind::Indicator(indicator), .. })) => {
            let filters = indicator.conditions.iter().map(|c| format!(" WHERE {}", c.sql));
            indicator.definition.sql.to_string() + &filters.collect::<String>()
        }
        ([first, ..], _) => crate::diagnostic::render::to_text(&sources, first, false),
        _ => "nothing".to_string(),
    }
}

#[test]
fn expressions_become_sql() {
    let table = [
        ("1_200_000 + 3.5%", "1200000 + 0.035"),
        ("x * 3.5% - 12%", "x * 0.035 - 0.12"),
        ("a%2 + b % 2 + 7 %2 + 5%x + 5% (x)", "a % 2 + b % 2 + 7 % 2 + 5 % x + 5 % (x)"),
        ("now() - ordered_at < 7 days", "now() - ordered_at < bell_duration(7, 'days')"),
        ("d + interval '3 months' > date '2026-01-31'", "d + INTERVAL '3 months' > DATE '2026-01-31'"),
        ("d - interval 3 months", "d - INTERVAL 3 MONTHS"),
        ("count(*) of orders where paid", "bell_of(count(*), orders) WHERE paid"),
        ("count(*) of orders / 2", "bell_of(count(*), orders) / 2"),
        ("-gmv at (all)", "-bell_at(gmv, bell_all())"),
        (
            "gmv at (all region, channel, set day = current day - 1 visible)",
            "bell_at(gmv, bell_all(region, channel), bell_set(day, bell_current(day) - 1), bell_visible())",
        ),
        (
            "gmv at (all first, last, last day per (k, l), first m per k)",
            "bell_at(gmv, bell_all(first, last), bell_last(day, k, l), bell_first(m, k))",
        ),
        (
            "gmv at (shift -1 year 2 months)",
            "bell_at(gmv, bell_shift(bell_duration(-1, 'years'), bell_duration(-2, 'months')))",
        ),
        (
            "gmv at (shift 3 months, where region = 'x' and a) at (cumulative)",
            "bell_at(bell_at(gmv, bell_shift(bell_duration(3, 'months')), bell_where(region = 'x' AND a)), bell_cumulative())",
        ),
        ("gmv at (to date fiscal year)", "bell_at(gmv, bell_to_date('fiscal_year'))"),
        ("t at time zone 'UTC' at (previous year)", "bell_at(t AT TIME ZONE 'UTC', bell_previous('year'))"),
        ("a + b per (d, orders.e) > 3 and c", "bell_per(a + b, d, orders.e) > 3 AND c"),
        ("avg(gmv per day at (visible))", "avg(bell_at(bell_per(gmv, day), bell_visible()))"),
        ("(a / b) filter (where p) + sum(q) filter (where r)", "bell_filter((a / b), p) + sum(q) FILTER (WHERE r)"),
        ("gmv at (all) filter (where p)", "bell_filter(bell_at(gmv, bell_all()), p)"),
        (
            "case when a then case b when 1 then 2 end else x.end end",
            "CASE WHEN a THEN CASE b WHEN 1 THEN 2 END ELSE x.end END",
        ),
        (
            "a not in (1, 2) or b is not distinct from c or d is null or e not like 'x%' escape '!'",
            "a NOT IN (1, 2) OR b IS NOT DISTINCT FROM c OR d IS NULL OR e NOT LIKE 'x%' ESCAPE '!'",
        ),
        ("a between 1 and 2 and not b", "a BETWEEN 1 AND 2 AND NOT b"),
        ("x::decimal(10,2) / y :: double precision", "x::DECIMAL(10,2) / y::DOUBLE PRECISION"),
        ("first_value(x order by y) over (partition by z)", "first_value(x ORDER BY y) OVER (PARTITION BY z)"),
        ("array_agg(distinct x)[1] || [1, 2]", "array_agg(DISTINCT x)[1] || [1, 2]"),
        (
            "approx_percentile_cont(0.5) within group (order by x desc)",
            "approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY x DESC)",
        ),
        ("sum(x) // a comment's quote", "sum(x)"),
        ("sum(x -- a (comment\n  ) /* an ' other */ + 1", "sum(x) + 1"),
        (r#"sum("订单".金额) + 成交额"#, r#"sum("订单".金额) + 成交额"#),
        (
            "extract(month from d) + cast(x as varchar(3)) + try_cast(y as int)",
            "EXTRACT(MONTH FROM d) + CAST(x AS VARCHAR(3)) + TRY_CAST(y AS INT)",
        ),
        ("sum(x) where unit = 'kg' { where paid unit CNY owner \"x\" }", "sum(x) WHERE unit = 'kg' WHERE paid"),
        ("sum(x) where r > 3.5% { unit percent }", "sum(x) WHERE r > 0.035"),
        ("exists (select 1 from t where a)", "EXISTS (SELECT 1 FROM t WHERE a)"),
        ("(select max(a) from t)", "(SELECT max(a) FROM t)"),
        ("map {'a': 1}['a']", "MAP {'a': 1}['a']"),
        ("named_struct('a', 1)['a'] ~ '^x' and s.at = 'y'", "named_struct('a', 1)['a'] ~ '^x' AND s.at = 'y'"),
    ];
    for (bell, sql) in table {
        assert_eq!(definition(bell), sql, "{bell}");
    }
}

#[test]
fn five_broken_items_give_five_errors() {
    let text = "\
source orders { from parquet 'a' key id }
indicator a = sum(orders.amount
indicator b \"unclosed = 1
indicater c = 1
indicator ok = gmv / buyers
dimension d = orders.x {
  onwer \"me\"
}
indicator e = a + * b { unit CNY }
view v { indicators ok }";
    let (sources, parsed) = parsed(text);
    let lines: Vec<usize> = parsed
        .diagnostics
        .iter()
        .map(|d| sources.files()[0].line_column(d.primary.as_ref().unwrap().span.start).0)
        .collect();
    assert_eq!(lines, [2, 3, 4, 7, 9]);
    assert_eq!(parsed.file.items.len(), 3);
    let broken: Vec<&str> = parsed.file.broken.iter().map(|name| name.text.as_str()).collect();
    assert_eq!(broken, ["a", "b", "c", "d", "e"]);
}

/// `message | what the caret stands on | help`.
fn complaint(text: &str) -> String {
    let (sources, parsed) = parsed(text);
    let [diagnostic] = &parsed.diagnostics[..] else { return format!("{} errors", parsed.diagnostics.len()) };
    let span = diagnostic.primary.as_ref().unwrap().span;
    let notes = diagnostic.notes.join("; ");
    let help = diagnostic.help.clone().unwrap_or_default();
    format!("{} | {} | {notes} | {help}", diagnostic.message, sources.text(span))
}

#[test]
fn mistakes_are_named() {
    let table = [
        ("indicator a = (b + 1", ""),
        ("indicator a = b) + 1", ""),
        ("indicator a = f(b] + 1", ""),
        ("segment s = x = 'abc", ""),
        ("segment s = x /* abc", ""),
        ("metric a = 1", ""),
        ("soruce a { }", ""),
        ("}", ""),
        ("indicator a sum(x)", ""),
        ("indicator = 1", ""),
        ("indicator a = ", ""),
        ("indicator a = b +", ""),
        ("indicator a = b + { unit CNY }", ""),
        ("indicator a = b c", ""),
        ("indicator a = b { unti CNY }", ""),
        ("indicator a = b { unit }", ""),
        ("indicator a = b { unit CNY unit USD }", ""),
        ("indicator a = count(*) filter (p)", ""),
        ("indicator a = gmv at (al region)", ""),
        ("indicator a = sum(, b)", ""),
        ("indicator a = case when x then 1", ""),
        ("indicator a = b where", ""),
        ("source s { from parquet }", ""),
        ("source s { from parquet 'x' join a = b }", ""),
        ("source s { columns { a decmal(3) } }", ""),
        ("source s { join t = u on x valid between y }", ""),
        ("source s { from query ( selct 1 ) }", ""),
        ("hierarchy h = a < b", ""),
        ("package a\npackage b", ""),
        ("indicator a = b\n  /// text\n  owner 'x'", ""),
    ];
    for (text, said) in table {
        println!("        ({text:?}, {:?}),", complaint(text));
        let _ = said;
    }
}

#[test]
fn formatted_fixtures() {
    for name in ["sources", "dimensions", "indicators", "goals", "lifecycle"] {
        let path = format!("{}/tests/scripts/syntax/{name}.bell", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let once = format("a.bell", &text).unwrap();
        println!("{once}");
        assert_eq!(format("a.bell", &once).unwrap(), once);
        assert_eq!(show(&parsed(&once).1.file), show(&parsed(&text).1.file));
    }
}
