//! What `bell check --data` proves: keys unique and never NULL, join columns with a match, validity periods apart, every
//! value readable.
//!
//! All checks take data frames, so that a source's `where` and computed columns are part of what is checked, and run as
//! DataFusion queries; only an example comes back.

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::common::{Column, JoinType};
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::functions_window::expr_fn::{lag, row_number};
use datafusion::logical_expr::utils::{conjunction, disjunction};
use datafusion::logical_expr::{Expr, ExprFunctionExt, lit};
use futures::StreamExt;

use crate::diagnostic::{Code, Diagnostic, codes};

/// One thing that the data does not keep. The caller adds the place of the declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which promise is broken.
    pub code: Code,
    /// What was declared: `orders.key (sku, day)`, `orders.join customer`.
    pub subject: String,
    /// How many rows break it.
    pub rows: u64,
    /// The values of one of them, as text.
    pub example: String,
}

impl Finding {
    /// The finding as a sentence with its code.
    pub fn into_diagnostic(self) -> Diagnostic {
        let (one, many) = match self.code {
            codes::KEY_NOT_UNIQUE => ("shares a key with another row", "share a key with another row"),
            codes::KEY_NULL => ("has no key", "have no key"),
            codes::JOIN_ORPHANS => ("finds no match", "find no match"),
            _ => (
                "begins before the validity of another row has ended",
                "begin before the validity of another row has ended",
            ),
        };
        let what = if self.rows == 1 { format!("1 row {one}") } else { format!("{} rows {many}", self.rows) };
        let diagnostic = Diagnostic::new(self.code, format!("{}: {what}", self.subject));
        if self.example.is_empty() { diagnostic } else { diagnostic.note(format!("for example {}", self.example)) }
    }
}

/// Proves that a key is unique and nowhere NULL.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn verify_key(table: DataFrame, subject: &str, key: &[Expr]) -> Result<Vec<Finding>> {
    let (rows, names) = keyed(table, key)?;
    let mut findings = Vec::new();
    let absent = disjunction(names.iter().map(|name| named(name).is_null()));
    let without_key = match absent {
        Some(absent) => rows.clone().filter(absent)?.count().await?,
        None => 0,
    };
    if without_key > 0 {
        let (subject, rows) = (subject.to_string(), without_key as u64);
        findings.push(Finding { code: codes::KEY_NULL, subject, rows, example: String::new() });
    }
    let repeated = counted(present(rows, &names)?, &names)?.filter(named(ROWS).gt(lit(1)))?;
    findings.extend(finding(codes::KEY_NOT_UNIQUE, subject, repeated, &names).await?);
    Ok(findings)
}

/// Counts the rows whose join columns are not NULL and match no row of the joined source. `on` pairs an expression over
/// `table` with one over `joined`.
///
/// # Errors
/// What DataFusion says when the data cannot be read or the types cannot be compared.
pub async fn verify_join(
    table: DataFrame,
    joined: DataFrame,
    subject: &str,
    on: &[(Expr, Expr)],
) -> Result<Option<Finding>> {
    let (ours, theirs): (Vec<Expr>, Vec<Expr>) = on.iter().cloned().unzip();
    let (rows, names) = keyed(table, &ours)?;
    let columns: Vec<Expr> = theirs.into_iter().enumerate().map(|(at, e)| e.alias(format!("their_{at}"))).collect();
    let joined = joined.select(columns)?.distinct()?;
    let pairs = names.iter().enumerate().map(|(at, name)| named(name).eq(named(&format!("their_{at}"))));
    let orphans = counted(present(rows, &names)?, &names)?.join_on(joined, JoinType::LeftAnti, pairs)?;
    finding(codes::JOIN_ORPHANS, subject, orphans, &names).await
}

/// Proves that no two rows of a key are valid at the same time; NULL bounds are open, and periods that end before they
/// begin are never valid.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn verify_validity(
    table: DataFrame,
    subject: &str,
    key: &[Expr],
    bounds: (Expr, Expr),
) -> Result<Option<Finding>> {
    let names: Vec<String> = (0..key.len()).map(|at| format!("key_{at}")).collect();
    let mut columns: Vec<Expr> = key.iter().zip(&names).map(|(expr, name)| expr.clone().alias(name)).collect();
    columns.extend([bounds.0.alias("begins"), bounds.1.alias("ends")]);
    let (begins, ends, before) = (named("begins"), named("ends"), named("ends_before"));
    let possible = ends.clone().is_null().or(begins.clone().is_null()).or(begins.clone().lt(ends.clone()));
    let rows = present(table.select(columns)?.filter(possible)?, &names)?;
    // In order of their beginnings, the first overlap is always between neighbours.
    let by_key: Vec<Expr> = names.iter().map(|name| named(name)).collect();
    let order = vec![begins.clone().sort(true, true)];
    let ends_before = lag(ends, Some(1), None).partition_by(by_key.clone()).order_by(order.clone()).build()?;
    let position = row_number().partition_by(by_key).order_by(order).build()?;
    let rows = rows.window(vec![ends_before.alias("ends_before"), position.alias("position")])?;
    let overlaps = before.clone().is_null().or(begins.clone().is_null()).or(begins.lt(before));
    let rows = rows.filter(named("position").gt(lit(1)).and(overlaps))?;
    finding(codes::VALIDITY_OVERLAPS, subject, counted(rows, &names)?, &names).await
}

/// Reads every value of a table, so that damage in a file's pages and values that do not fit show now; gives the number
/// of rows. Explain an error with [`super::explain_read_error`].
///
/// # Errors
/// The first error of reading.
pub async fn verify_readable(table: DataFrame) -> Result<u64> {
    let mut rows = 0;
    let mut stream = table.execute_stream().await?;
    while let Some(batch) = stream.next().await {
        rows += batch?.num_rows() as u64;
    }
    Ok(rows)
}

/// The name of the column that counts rows.
const ROWS: &str = "rows";

fn named(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn keyed(table: DataFrame, key: &[Expr]) -> Result<(DataFrame, Vec<String>)> {
    let names: Vec<String> = (0..key.len()).map(|at| format!("key_{at}")).collect();
    let columns: Vec<Expr> = key.iter().zip(&names).map(|(expr, name)| expr.clone().alias(name)).collect();
    Ok((table.select(columns)?, names))
}

fn present(rows: DataFrame, names: &[String]) -> Result<DataFrame> {
    match conjunction(names.iter().map(|name| named(name).is_not_null())) {
        Some(present) => rows.filter(present),
        None => Ok(rows),
    }
}

fn counted(rows: DataFrame, names: &[String]) -> Result<DataFrame> {
    rows.aggregate(names.iter().map(|name| named(name)).collect(), vec![count(lit(1)).alias(ROWS)])
}

/// The total of `groups` and one example, the same one whenever the data is the same.
async fn finding(code: Code, subject: &str, groups: DataFrame, names: &[String]) -> Result<Option<Finding>> {
    let total = groups.clone().aggregate(vec![], vec![sum(named(ROWS)).alias(ROWS)])?.collect().await?;
    let rows = total.first().map(|batch| batch.column(0).as_primitive::<Int64Type>());
    let Some(rows) = rows.filter(|rows| rows.is_valid(0)).map(|rows| rows.value(0) as u64) else { return Ok(None) };
    let mut order = vec![named(ROWS).sort(false, false)];
    order.extend(names.iter().map(|name| named(name).sort(true, false)));
    let example = groups.sort(order)?.limit(0, Some(1))?.collect().await?;
    let example = example.iter().find(|batch| batch.num_rows() > 0).map(|batch| text_of(batch, names.len()));
    Ok(Some(Finding { code, subject: subject.to_string(), rows, example: example.transpose()?.unwrap_or_default() }))
}

fn text_of(batch: &RecordBatch, columns: usize) -> Result<String> {
    let values: Result<Vec<String>, _> = (0..columns).map(|at| array_value_to_string(batch.column(at), 0)).collect();
    let values = values?;
    Ok(if values.len() == 1 { values[0].clone() } else { format!("({})", values.join(", ")) })
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn frame(values: &str) -> DataFrame {
        SessionContext::new().sql(&format!("select * from (values {values}) as t(a, b, c)")).await.unwrap()
    }

    fn cols(names: &[&str]) -> Vec<Expr> {
        names.iter().map(|name| named(name)).collect()
    }

    #[tokio::test]
    async fn keys() {
        let table = frame("(1, 'x', 1), (1, 'y', 2), (2, 'x', 3), (1, 'y', 4), (null, 'z', 5)").await;
        let found = verify_key(table.clone(), "t.key a", &cols(&["a"])).await.unwrap();
        let seen: Vec<(Code, u64, &str)> = found.iter().map(|f| (f.code, f.rows, f.example.as_str())).collect();
        assert_eq!(seen, [(codes::KEY_NULL, 1, ""), (codes::KEY_NOT_UNIQUE, 3, "1")]);
        let found = verify_key(table.clone(), "t.key (a, b)", &cols(&["a", "b"])).await.unwrap();
        assert_eq!(found[1].example, "(1, y)");
        assert_eq!(verify_key(table, "t.key c", &cols(&["c"])).await.unwrap(), []);
        let text = found[1].clone().into_diagnostic().to_string();
        assert_eq!(text, "B0380: t.key (a, b): 2 rows share a key with another row; for example (1, y)");
    }

    #[tokio::test]
    async fn joins() {
        let table = frame("(1, 'x', 1), (7, 'y', 2), (7, 'x', 3), (null, 'y', 4)").await;
        let other = frame("(1, 'x', 1), (2, 'y', 2)").await;
        let on = |left: &str, right: &str| vec![(named(left), named(right))];
        let found = verify_join(table.clone(), other.clone(), "t.join o", &on("a", "a")).await.unwrap().unwrap();
        assert_eq!((found.rows, found.example.as_str()), (2, "7"));
        assert_eq!(verify_join(table, other, "t.join o", &on("b", "b")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn validity() {
        let bounds = || (named("b"), named("c"));
        let apart = frame("('k', 1, 5), ('k', 5, null), ('l', null, 3), ('k', 9, 9)").await;
        assert_eq!(verify_validity(apart, "t", &cols(&["a"]), bounds()).await.unwrap(), None);
        for values in ["('k', 1, 5), ('k', 4, 6)", "('k', 1, null), ('k', 7, 9)", "('k', null, 3), ('k', null, 2)"] {
            let found = verify_validity(frame(values).await, "t", &cols(&["a"]), bounds()).await.unwrap();
            assert_eq!(found.map(|f| (f.rows, f.example)), Some((1, "k".to_string())), "{values}");
        }
    }

    #[tokio::test]
    async fn reading() {
        assert_eq!(verify_readable(frame("(1, 2, 3)").await).await.unwrap(), 1);
    }
}
