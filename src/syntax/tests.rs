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
    for name in FIXTURES {
        let (sources, parsed) = parsed(&fixture(name));
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
        (
            "indicator a = (b + 1",
            "`(` is not closed | ( |  | close it with `)`; an item ends before the next line that begins with a word in column one",
        ),
        ("indicator a = b) + 1", "`)` closes nothing | ) |  | "),
        ("indicator a = f(b] + 1", "`(` is closed by `]` | ] |  | "),
        (
            "segment s = x = 'abc",
            "the text is not closed by `'` on its line | 'abc |  | end it with `'`; inside a text the quote is written twice",
        ),
        ("segment s = x /* abc", "the comment is not closed | /* abc |  | end it with `*/`"),
        ("metric a = 1", "no item begins with `metric` | metric |  | did you mean `indicator`?"),
        ("soruce a { }", "no item begins with `soruce` | soruce |  | did you mean `source`?"),
        ("}", "`}` closes nothing | } |  | "),
        ("indicator a sum(x)", "`sum` does not fit here | sum | expected `=`, `label` or a text | "),
        ("indicator = 1", "`=` does not fit here | = | expected a name | "),
        ("indicator a = ", "the item ends too early |  | expected an expression | "),
        ("indicator a = b +", "an operand is missing next to `+` | + |  | "),
        ("indicator a = b + { unit CNY }", "an operand is missing next to `+` | + |  | "),
        ("indicator a = b c", "`c` does not fit here | c | expected `where`, `{` or the end of the item | "),
        ("indicator a = b { unit }", "`}` does not fit here | } | expected a unit | "),
        ("indicator a = b { unit CNY unit USD }", "`unit` is given twice | unit USD |  | keep one of them"),
        ("indicator a = count(*) filter (p)", "`p` stands where an operator, or the end is due | p |  | "),
        ("indicator a = sum(, b)", "`,` stands where an expression is due | , |  | "),
        ("indicator a = case when x then 1", "the `case` has no `end` | case |  | "),
        ("indicator a = b where", "the item ends too early |  | expected an expression | "),
        ("source s { from parquet }", "`}` does not fit here | } | expected a text | "),
        ("source s { from parquet 'x' join a = b }", "`}` does not fit here | } | expected `on` | "),
        (
            "source s { columns { a decmal(3) } }",
            "there is no type `decmal(3)` | decmal(3) |  | did you mean `decimal`?",
        ),
        (
            "source s { join t = u on x valid between y }",
            "`valid between` takes two bounds | y |  | write `valid between tier.valid_from and tier.valid_to`",
        ),
        (
            "source s { from query ( selct 1 ) }",
            "`selct` stands where SELECT, VALUES, or a subquery in the query body is due | selct |  | did you mean `select`?",
        ),
        ("package a\npackage b", "a second package, `b`, in one file | b |  | move its items to a file of their own"),
    ];
    for (text, said) in table {
        assert_eq!(complaint(text), said, "{text}");
    }
    assert!(complaint("indicator a = b { unti CNY }").ends_with("did you mean `unit`?"));
    assert!(complaint("indicator a = gmv at (al region)").ends_with("| al |  | did you mean `all`?"));
    let deep = format!("indicator a = {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert!(complaint(&deep).starts_with("brackets nest more than 60 deep"));
}

const FIXTURES: [&str; 5] = ["sources", "dimensions", "indicators", "goals", "lifecycle"];

fn fixture(name: &str) -> String {
    let path = format!("{}/tests/scripts/syntax/{name}.bell", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Formatting keeps the tree, and a second time changes nothing.
fn check_format(text: &str) -> String {
    let once = format("a.bell", text).unwrap();
    assert_eq!(
        format("a.bell", &once).unwrap_or_else(|_| panic!("breaks:\n{text}\ninto:\n{once}")),
        once,
        "not idempotent on:\n{text}"
    );
    assert_eq!(show(&parsed(&once).1.file), show(&parsed(text).1.file), "changed:\n{text}\nto:\n{once}");
    once
}

#[test]
fn formatting_lays_out_and_keeps_everything() {
    FIXTURES.iter().for_each(|name| drop(check_format(&fixture(name))));
    let table = [
        ("indicator   a=sum( x )-1/2", "indicator a = sum(x) - 1 / 2\n"),
        ("indicator a = -1- -x*3.5%- 12%", "indicator a = -1 - -x * 3.5% - 12%\n"),
        ("indicator a = b%2 + c::int + .5 + t.x", "indicator a = b%2 + c::int + .5 + t.x\n"),
        ("segment s = a>=1 and not b<>'it''s'||c", "segment s = a >= 1 and not b <> 'it''s' || c\n"),
        ("indicator a = b {unit CNY,good up}", "indicator a = b { unit CNY, good up }\n"),
        ("indicator a = b {unit CNY good up}", "indicator a = b { unit CNY  good up }\n"),
        ("indicator a = b { unit CNY\n good up }", "indicator a = b {\n  unit CNY\n  good up\n}\n"),
        ("indicator a = b +\n   c where\n d", "indicator a = b +\n  c where\n  d\n"),
        (
            "indicator a = b\n{\n-- why\n unit CNY -- so\n\n\n// then\n}\n\n\n\nsegment s = x -- end",
            "indicator a = b {\n  -- why\n  unit CNY  -- so\n\n  // then\n}\n\nsegment s = x  -- end\n",
        ),
        (
            "/// doc\n/* c */\nsource s { from csv 'a' { header true\n null '' } key a }",
            "/// doc\n/* c */\nsource s {\n  from csv 'a' {\n    header true\n    null ''\n  }\n  key a\n}\n",
        ),
        (
            "source s { from query ( select a -- x\n from t -- y\n ) key a }",
            "source s {\n  from query (select a -- x\n from t -- y\n    )\n  key a\n}\n",
        ),
        (
            "target t { every month from 2026-01 to 2026-Q4 at least -5 CNY }",
            "target t { every month from 2026-01 to 2026-Q4  at least -5 CNY }\n",
        ),
        ("", ""),
        ("-- only\n", "-- only\n"),
    ];
    for (text, laid_out) in table {
        assert_eq!(check_format(text), laid_out, "{text}");
    }
    assert_eq!(format("a.bell", "indicator a =").unwrap_err().len(), 1);
}

#[test]
fn random_tokens_never_panic() {
    use rand::{Rng, SeedableRng, seq::IndexedRandom};
    let mut rng = rand::rngs::SmallRng::seed_from_u64(7);
    let texts: Vec<String> = FIXTURES.iter().map(|name| fixture(name)).collect();
    let words: Vec<&str> = texts.iter().flat_map(|text| scan::pieces(text)).map(|piece| piece.text).collect();
    let odd = [
        "'",
        "\"",
        "/*",
        "*/",
        "(",
        ")",
        "{",
        "}",
        "%",
        "\n",
        "\nindicator a = ",
        "𝒳",
        "é",
        "½",
        "case",
        "\r\n",
        "\u{feff}",
    ];
    for _ in 0..1500 {
        let soup: String =
            (0..rng.random_range(1..60))
                .map(|_| {
                    if rng.random_bool(0.1) { *odd.choose(&mut rng).unwrap() } else { *words.choose(&mut rng).unwrap() }
                })
                .collect();
        check_whatever(&soup);
    }
    for _ in 0..300 {
        let text = texts.choose(&mut rng).unwrap();
        let mut pieces: Vec<&str> = scan::pieces(text).map(|piece| piece.text).collect();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..pieces.len());
            pieces[at] = words.choose(&mut rng).unwrap();
        }
        check_whatever(&pieces.concat());
    }
}

fn check_whatever(text: &str) {
    let (sources, parsed) = parsed(text);
    for diagnostic in &parsed.diagnostics {
        crate::diagnostic::render::to_text(&sources, diagnostic, false);
    }
    if parsed.diagnostics.is_empty() {
        check_format(text);
    }
    let _ =
        (parse_expression(&sources.files()[0]), parse_question(&sources.files()[0]), parse_paths(&sources.files()[0]));
}

#[test]
fn places_and_docs_are_exact() {
    let text =
        "/// 第一行\n/// second\nindicator 成交额 \"销售\" = sum(订单.金额) + é\n  where 订单.\"已付 款\"  -- end\n";
    let (sources, parsed) = parsed(text);
    let item = &parsed.file.items[0];
    assert_eq!(item.doc.as_deref(), Some("第一行\nsecond"));
    assert!(sources.text(item.span).ends_with("\"已付 款\""));
    let ast::ItemKind::Indicator(indicator) = &item.kind else { panic!() };
    assert_eq!(sources.text(indicator.definition.span), "sum(订单.金额) + é");
    let sql = &indicator.conditions[0].sql;
    let span = datafusion::sql::sqlparser::ast::Spanned::span(sql);
    assert_eq!(sources.text(span_of(&sources.files()[0], span).unwrap()), "订单.\"已付 款\"");
}

#[test]
fn questions_and_paths() {
    let mut sources = SourceSet::default();
    let id =
        sources.add("<question>", "gmv, aov at (all region)\nby region, metric_time__month\nwhere channel = 'online'");
    let question = parse_question(sources.file(id)).unwrap();
    assert_eq!((question.indicators.len(), question.by.len(), question.conditions.len()), (2, 2, 1));
    let id = sources.add("--by", "region,\"a b\".c");
    let paths = parse_paths(sources.file(id)).unwrap();
    assert_eq!(paths[1].parts[0].text, "a b");
    let id = sources.add("--where", "channel = 'online'\nand now() - t < 7 days");
    let condition = parse_expression(sources.file(id)).unwrap();
    assert_eq!(condition.sql.to_string(), "channel = 'online' AND now() - t < bell_duration(7, 'days')");
    let id = sources.add("--where", "channel = ");
    assert_eq!(
        parse_expression(sources.file(id)).unwrap_err().message,
        "the expression ends where an expression is due"
    );
}

#[test]
fn statements_keep_their_sql() {
    use dialect::{BellDialect, Text};
    let statements = [
        "SELECT 7 days, x of, y per FROM t",
        "SELECT MEASURE(gmv) FILTER (WHERE a) AS at FROM t ORDER BY t AT TIME ZONE 'UTC'",
        "SELECT 5 % 2",
    ];
    for sql in statements {
        let parse = |dialect: &dyn datafusion::sql::sqlparser::dialect::Dialect| {
            datafusion::sql::parser::DFParser::parse_sql_with_dialect(sql, dialect).unwrap()[0].to_string()
        };
        let generic = parse(&datafusion::sql::sqlparser::dialect::GenericDialect);
        assert_eq!(parse(&BellDialect::new(Text::Statement)), generic);
    }
}
