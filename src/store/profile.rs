//! What columns hold, found by queries: how many values, how many different ones, and where else these occur.

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Column, JoinType};
use datafusion::dataframe::DataFrame;
use datafusion::error::Result;
use datafusion::functions::unicode::expr_fn::character_length;
use datafusion::functions_aggregate::expr_fn::{approx_distinct, count, count_distinct, max, min};
use datafusion::logical_expr::Expr;

/// A table's columns as its values show them.
#[derive(Debug, Clone)]
pub struct TableProfile {
    /// How many rows.
    pub rows: u64,
    /// In the table's order, without nested ones.
    pub columns: Vec<ColumnProfile>,
}

/// One column.
#[derive(Debug, Clone)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Values that are not NULL.
    pub values: u64,
    /// Different values; exact in tables of up to 200,000 rows and wherever the column could be a key.
    pub distinct: u64,
}

/// Families of types whose values can be compared; nested types and such have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Whole numbers.
    Integer,
    /// Doubles and decimals.
    Number,
    /// Text.
    Text,
    /// Truth values.
    Boolean,
    /// Dates and timestamps.
    Time,
}

impl ColumnProfile {
    /// The family of its type.
    pub fn family(&self) -> Option<Family> {
        family(&self.data_type)
    }

    /// No NULL and no value twice.
    pub fn is_unique(&self, rows: u64) -> bool {
        rows > 0 && self.values == rows && self.distinct == rows
    }
}

/// The family of a type.
pub fn family(data_type: &DataType) -> Option<Family> {
    match data_type {
        DataType::Dictionary(_, values) => family(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Family::Text),
        DataType::Boolean => Some(Family::Boolean),
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Some(Family::Time),
        other if other.is_integer() => Some(Family::Integer),
        other if other.is_numeric() => Some(Family::Number),
        _ => None,
    }
}

/// Up to here counting exactly is quick enough to do it for every column.
const EXACT_ROWS: u64 = 200_000;

/// Profiles a table with one or two queries.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn profile(table: &DataFrame) -> Result<TableProfile> {
    let fields = table.schema().fields().clone();
    let fields: Vec<_> = fields.iter().filter(|field| family(field.data_type()).is_some()).collect();
    let rows = table.clone().count().await? as u64;
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let exact = rows <= EXACT_ROWS;
    let counts = fields.iter().flat_map(|field| {
        let distinct = if exact { count_distinct(column(field.name())) } else { approx_distinct(column(field.name())) };
        [count(column(field.name())), distinct]
    });
    let counts = numbers(table, counts.collect()).await?;
    let profiled = |(field, counts): (_, &[i64])| {
        let field: &&std::sync::Arc<datafusion::arrow::datatypes::Field> = field;
        ColumnProfile {
            name: field.name().clone(),
            data_type: field.data_type().clone(),
            values: counts[0] as u64,
            distinct: counts[1].min(counts[0]) as u64,
        }
    };
    let mut columns: Vec<ColumnProfile> = fields.iter().zip(counts.chunks_exact(2)).map(profiled).collect();
    if !exact {
        count_candidates(table, rows, &mut columns).await?;
    }
    Ok(TableProfile { rows, columns })
}

/// Counts exactly where the estimate, which errs by some per cent, leaves it open whether the column is a key.
async fn count_candidates(table: &DataFrame, rows: u64, columns: &mut [ColumnProfile]) -> Result<()> {
    for column in columns.iter_mut().filter(|c| c.values == rows && c.distinct * 100 >= rows * 95) {
        column.distinct = distinct_rows(table, &[column.name.as_str()]).await?;
    }
    Ok(())
}

/// How many different combinations of values the columns have.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn distinct_rows(table: &DataFrame, columns: &[&str]) -> Result<u64> {
    let columns = columns.iter().map(|name| Expr::Column(Column::new_unqualified(*name))).collect::<Vec<_>>();
    Ok(table.clone().select(columns)?.distinct()?.count().await? as u64)
}

/// How many of a column's different values another column has too.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn shared_values(from: &DataFrame, column: &str, to: &DataFrame, key: &str) -> Result<u64> {
    let one = |table: &DataFrame, name: &str, alias: &str| {
        let column = Expr::Column(Column::new_unqualified(name));
        table.clone().select(vec![column.alias(alias)])?.distinct()
    };
    let joined =
        one(from, column, "ours")?.join(one(to, key, "theirs")?, JoinType::LeftSemi, &["ours"], &["theirs"], None)?;
    Ok(joined.count().await? as u64)
}

/// The least and the greatest of a column of whole numbers.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn bounds(table: &DataFrame, column: &str) -> Result<Option<(i64, i64)>> {
    let column = Expr::Column(Column::new_unqualified(column));
    let found = numbers(table, vec![min(column.clone()), max(column)]).await?;
    Ok(match found.as_slice() {
        [least, greatest] => Some((*least, *greatest)),
        _ => None,
    })
}

/// How many characters the shortest value of a column of text has.
///
/// # Errors
/// What DataFusion says when the data cannot be read.
pub async fn shortest_text(table: &DataFrame, column: &str) -> Result<Option<i64>> {
    let length = character_length(Expr::Column(Column::new_unqualified(column)));
    Ok(numbers(table, vec![min(length)]).await?.first().copied())
}

async fn numbers(table: &DataFrame, aggregates: Vec<Expr>) -> Result<Vec<i64>> {
    if aggregates.is_empty() {
        return Ok(vec![]);
    }
    let aliased = aggregates.into_iter().enumerate().map(|(at, expr)| expr.alias(format!("a{at}"))).collect();
    let batches = table.clone().aggregate(vec![], aliased)?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else { return Ok(vec![]) };
    let value = |column: &ArrayRef| Ok(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().value(0));
    batch.columns().iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn counts_and_shares() {
        let ctx = SessionContext::new();
        let table = ctx.sql("select * from (values (1, 'x'), (2, 'x'), (3, null)) as t(id, \"Kind\")").await.unwrap();
        let found = profile(&table).await.unwrap();
        let counts: Vec<_> = found.columns.iter().map(|c| (c.name.as_str(), c.values, c.distinct)).collect();
        assert_eq!((found.rows, counts), (3, vec![("id", 3, 3), ("Kind", 2, 1)]));
        assert!(found.columns[0].is_unique(3) && !found.columns[1].is_unique(3));
        let keys = ctx.sql("select * from (values (1), (3), (9)) as t(k)").await.unwrap();
        assert_eq!(shared_values(&table, "id", &keys, "k").await.unwrap(), 2);
        assert_eq!(distinct_rows(&table, &["id", "Kind"]).await.unwrap(), 3);
        assert_eq!(shortest_text(&table, "Kind").await.unwrap(), Some(1));
    }
}
