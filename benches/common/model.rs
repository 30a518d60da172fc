//! A generated project of any size: 90 facts and 10 tables that they join, one package, a realistic mix of indicators.

use std::fmt::Write as _;
use std::sync::Arc;

use bellwether::source::SourceSet;
use datafusion::arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;

/// Sources with indicators.
pub const FACTS: usize = 90;

/// The tables that facts join, each joined by every tenth fact or by all (`customers`, `stores`).
const JOINED: [&str; 10] = [
    "customers",
    "stores",
    "regions",
    "products",
    "categories",
    "suppliers",
    "channels",
    "campaigns",
    "employees",
    "carriers",
];

/// The texts of a project with that many indicators over 100 sources: one file of shared tables, one file a fact.
pub fn texts(indicators: usize) -> SourceSet {
    let mut sources = SourceSet::default();
    sources.add("shared.bell", &shared());
    for fact in 0..FACTS {
        let own = (fact..indicators).step_by(FACTS).collect::<Vec<_>>();
        sources.add(&format!("fact_{fact}.bell"), &fact_file(fact, &own));
    }
    sources
}

/// A session with the tables of the project, a few rows in each.
///
/// # Errors
/// What DataFusion says.
pub fn session() -> Result<SessionContext> {
    let ctx = SessionContext::new();
    for table in JOINED {
        ctx.register_table(format!("{table}_rows"), Arc::new(rows(&["id", "name", "kind", "region_id"])?))?;
    }
    for fact in 0..FACTS {
        let columns = ["id", "customer_id", "store_id", "other_id", "day", "amount", "cost", "quantity", "status"];
        ctx.register_table(format!("fact_{fact}_rows"), Arc::new(rows(&columns)?))?;
    }
    Ok(ctx)
}

fn rows(names: &[&str]) -> Result<MemTable> {
    let columns: Vec<ArrayRef> = names.iter().map(|name| column(name)).collect::<Result<_>>()?;
    let fields = names.iter().zip(&columns).map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    MemTable::try_new(Arc::clone(&schema), vec![vec![RecordBatch::try_new(schema, columns)?]])
}

fn column(name: &str) -> Result<ArrayRef> {
    Ok(match data_type(name) {
        DataType::Date32 => Arc::new(Date32Array::from(vec![20_000, 20_001, 20_031])),
        DataType::Utf8 => Arc::new(StringArray::from(vec!["a", "b", "paid"])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![1, 2, 3])),
        _ => Arc::new(Decimal128Array::from(vec![1_00, 2_50, 3_75]).with_precision_and_scale(18, 2)?),
    })
}

fn data_type(name: &str) -> DataType {
    match name {
        "day" => DataType::Date32,
        "amount" | "cost" => DataType::Decimal128(18, 2),
        "name" | "kind" | "status" => DataType::Utf8,
        _ => DataType::Int64,
    }
}

fn shared() -> String {
    let mut text = String::from("package shop \"商城\"\n\n");
    for table in JOINED {
        let region =
            if matches!(table, "customers" | "stores") { "  join region = regions on region_id\n" } else { "" };
        let _ = writeln!(text, "source {table} \"{table}\" {{\n  from table {table}_rows\n  key id\n{region}}}\n");
    }
    text.push_str("dimension customer_region \"客户区域\" = customers.region.name\n");
    text.push_str("dimension store_region \"门店区域\" = stores.region.name\n");
    text.push_str("dimension store = stores.name\ndimension customer_kind = customers.kind\n");
    text.push_str("hierarchy geography = store_region > store\n");
    let all: Vec<String> = (0..FACTS).map(|fact| format!("fact_{fact}.status")).collect();
    let _ = writeln!(text, "dimension status \"状态\" = {}", all.join(", "));
    text
}

fn fact_file(fact: usize, indicators: &[usize]) -> String {
    let joined = JOINED[2 + fact % 8];
    let mut text = format!(
        "package shop\n\n/// One row a thing that happened.\nsource fact_{fact} \"Fact {fact}\" {{\n  from table fact_{fact}_rows\n  key id\n  \
         time day\n  join customer = customers on customer_id\n  join store = stores on store_id\n  \
         join other = {joined} on other_id = other.id\n  columns {{ net \"Net\" = amount - cost }}\n}}\n\n\
         segment paid_{fact} \"已付\" = fact_{fact}.status = 'paid'\n\
         dimension size_{fact} = case when fact_{fact}.amount >= 500 then 'large' else 'small' end\n\
         dimension other_{fact} = fact_{fact}.other.name\n\n"
    );
    for (at, number) in indicators.iter().enumerate() {
        indicator(&mut text, fact, at, *number, indicators);
    }
    text
}

/// Ten kinds of definitions in turn; the two composites use the two indicators before them.
fn indicator(text: &mut String, fact: usize, at: usize, number: usize, own: &[usize]) {
    let f = format!("fact_{fact}");
    let before = |steps: usize| format!("i{}", own[at - steps]);
    let _ = match at % 10 {
        0 => writeln!(
            text,
            "/// What came in.\nindicator i{number} \"指标 {number}\" = sum({f}.amount) {{ unit CNY  good up }}"
        ),
        1 => writeln!(text, "indicator i{number} = count(*) of {f}"),
        2 => writeln!(text, "indicator i{number} \"Ratio {number}\" = {} / {} {{ good up }}", before(2), before(1)),
        3 => writeln!(
            text,
            "indicator i{number} = sum({f}.net) {{\n  where paid_{fact}\n  unit CNY\n  owner 'a@example.com'\n}}"
        ),
        4 => writeln!(text, "indicator i{number} = count(distinct {f}.customer_id) where {f}.status <> 'open'"),
        5 => writeln!(text, "indicator i{number} = {} / nullif({}, 0) * 100 {{ format '0.00' }}", before(2), before(1)),
        6 => writeln!(text, "indicator i{number} = avg({f}.quantity) filter (where store_region = 'North')"),
        7 => writeln!(
            text,
            "indicator i{number} = sum(case when {f}.amount > {} then {f}.quantity else 0 end)",
            number % 500
        ),
        8 => writeln!(
            text,
            "indicator i{number} = max({f}.store.region_id - {f}.quantity) where customer_kind = 'a' {{ good down }}"
        ),
        _ => writeln!(
            text,
            "indicator i{number} \"Items\" = sum({f}.quantity * 2) {{ grain day by status  owner \"b@example.com\" }}"
        ),
    };
}
