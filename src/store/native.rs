//! Decimals of Parquet files as they are stored.
//!
//! DataFusion reads every decimal into 128 bits. Files mostly store those of up to 18 digits as integers of 32 or 64 bits:
//! they are read as such, and where a plan takes their digits (see [`crate::plan::narrow`]), it gets these as they are.
//! Everything else sees the type of the table.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use datafusion::parquet::basic::Type;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_expr::ScalarFunctionExpr;
use datafusion::physical_expr::expressions::CastExpr;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};
use datafusion::physical_expr_common::physical_expr::PhysicalExpr;

use crate::plan::takes_digits;

/// The schema to read a file with, if some decimal of the table is stored as an integer.
pub(super) fn stored_schema(footer: &Arc<ParquetMetaData>, table: &Schema) -> Option<SchemaRef> {
    let read = ArrowReaderMetadata::try_new(Arc::clone(footer), ArrowReaderOptions::default()).ok()?;
    let columns = footer.file_metadata().schema_descr();
    let is_narrow = |name: &str| {
        let column = columns.columns().iter().find(|column| is_top(column, name));
        column.is_some_and(|column| match column.physical_type() {
            Type::INT32 | Type::INT64 => true,
            // So Arrow for Python and Spark write them.
            Type::FIXED_LEN_BYTE_ARRAY => column.type_length() <= 8,
            _ => false,
        })
    };
    let stored = |field: &FieldRef| match field.data_type() {
        DataType::Decimal128(precision, scale)
            if is_narrow(field.name())
                && table.field_with_name(field.name()).is_ok_and(|own| own.data_type() == field.data_type()) =>
        {
            let narrow = DataType::Decimal64(*precision, *scale);
            Arc::new(Field::clone(field).with_data_type(narrow))
        }
        _ => Arc::clone(field),
    };
    let fields: Vec<FieldRef> = read.schema().fields().iter().map(stored).collect();
    let changed = fields.iter().zip(read.schema().fields()).any(|(new, old)| new.data_type() != old.data_type());
    changed.then(|| Arc::new(Schema::new_with_metadata(fields, read.schema().metadata().clone())))
}

fn is_top(column: &datafusion::parquet::schema::types::ColumnDescriptor, name: &str) -> bool {
    matches!(column.path().parts(), [only] if only == name)
}

/// Expressions over the table's columns as expressions over the file's.
#[derive(Debug)]
pub(super) struct StoredDecimals;

impl PhysicalExprAdapterFactory for StoredDecimals {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let inner = DefaultPhysicalExprAdapterFactory.create(table, Arc::clone(&file))?;
        Ok(Arc::new(Adapter { inner, file }))
    }
}

#[derive(Debug)]
struct Adapter {
    inner: Arc<dyn PhysicalExprAdapter>,
    file: SchemaRef,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let expr = self.inner.rewrite(expr)?;
        expr.transform_up(|expr| {
            Ok(match self.stored_digits(&expr)? {
                Some(stored) => Transformed::yes(stored),
                None => Transformed::no(expr),
            })
        })
        .data()
    }
}

impl Adapter {
    /// Digits of what is only cast to the table's type are those that are stored.
    fn stored_digits(&self, expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>().filter(|call| takes_digits(call.fun())) else {
            return Ok(None);
        };
        let Some((cast, rest)) = call.args().split_first() else { return Ok(None) };
        let Some(cast) = cast.downcast_ref::<CastExpr>() else { return Ok(None) };
        let stored = cast.expr().data_type(&self.file)?;
        let same = matches!((&stored, cast.cast_type()),
            (DataType::Decimal64(_, stored), DataType::Decimal128(_, scale)) if stored == scale);
        if !same {
            return Ok(None);
        }
        let arguments = [cast.expr()].into_iter().chain(rest).cloned().collect();
        Ok(Some(Arc::clone(expr).with_new_children(arguments)?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use datafusion::arrow::array::{ArrayRef, Decimal128Array, RecordBatch};
    use datafusion::arrow::util::pretty::pretty_format_batches;
    use datafusion::parquet::arrow::ArrowWriter;
    use datafusion::parquet::file::properties::WriterProperties;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::plan::{digit_functions, digit_sum};
    use crate::store::{Format, SourceSpec, open};

    /// Columns stored as 32 bits, 64 bits and bytes, in groups of two rows.
    fn write(path: &Path) {
        let digits = [Some(100), None, Some(-250), Some(3), Some(99_999), Some(100_000)];
        let column = |precision: u8| {
            let values: Decimal128Array =
                digits.into_iter().map(|value| value.map(i128::from)).collect::<Vec<Option<i128>>>().into();
            Arc::new(values.with_precision_and_scale(precision, 2).unwrap()) as ArrayRef
        };
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("a", column(9), true),
            ("b", column(18), true),
            ("c", column(30), true),
        ]);
        let batch = batch.unwrap();
        let groups = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
        let mut writer =
            ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), Some(groups)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    async fn session(folder: &Path) -> SessionContext {
        write(&folder.join("d.parquet"));
        let ctx = SessionContext::new();
        let location = folder.join("d.parquet").to_string_lossy().into_owned();
        let spec = SourceSpec {
            name: "t".into(),
            format: Format::Parquet,
            locations: vec![location],
            partitions: vec![],
            types: vec![],
        };
        ctx.register_table("t", open(&spec, &ctx).await.unwrap()).unwrap();
        digit_functions().into_iter().for_each(|function| ctx.register_udf(function.as_ref().clone()));
        ctx.register_udaf(digit_sum().as_ref().clone());
        ctx
    }

    async fn rows(ctx: &SessionContext, sql: &str) -> String {
        let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
        pretty_format_batches(&batches).unwrap().to_string()
    }

    #[tokio::test]
    async fn the_table_has_its_types_and_values() {
        let folder = tempfile::tempdir().unwrap();
        let ctx = session(folder.path()).await;
        let shown =
            rows(&ctx, "SELECT a, b, c, arrow_typeof(a), arrow_typeof(b) FROM t WHERE b < 999.99 ORDER BY a").await;
        assert_eq!(
            shown.lines().skip(3).map(|line| line.replace(' ', "")).collect::<Vec<_>>()[..3],
            [
                "|-2.50|-2.50|-2.50|Decimal128(9,2)|Decimal128(18,2)|",
                "|0.03|0.03|0.03|Decimal128(9,2)|Decimal128(18,2)|",
                "|1.00|1.00|1.00|Decimal128(9,2)|Decimal128(18,2)|"
            ]
        );
        let sums = rows(
            &ctx,
            "SELECT sum(a) = sum(c) AND sum(b) = sum(c) AND max(a) = max(c) AND avg(b) = avg(c) AS same FROM t",
        )
        .await;
        assert!(sums.contains("true"), "{sums}");
    }

    #[tokio::test]
    async fn digits_are_read_and_groups_of_rows_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let ctx = session(folder.path()).await;
        let digits = "SELECT bell_digits(a, -250, 100000) AS d, bell_digits(b, -250, 100000) * 2 AS e FROM t WHERE b >= 0.03 AND b < 1000";
        assert_eq!(
            rows(&ctx, &format!("SELECT count(d), bell_sum(d), bell_sum(e) FROM ({digits})")).await.lines().nth(3),
            Some("| 3        | 100102      | 200204      |")
        );
        let analyzed = rows(&ctx, &format!("EXPLAIN ANALYZE {digits}")).await;
        let skipped = analyzed.split("row_groups_pruned_statistics=").nth(1).unwrap_or_default();
        assert!(skipped.starts_with("3 total → 3 matched"), "{analyzed}");
        let last = rows(&ctx, "EXPLAIN ANALYZE SELECT a FROM t WHERE b >= 1000").await;
        let skipped = last.split("row_groups_pruned_statistics=").nth(1).unwrap_or_default();
        assert!(skipped.starts_with("3 total → 1 matched"), "{last}");
        let wrong = ctx.sql("SELECT bell_digits(a, 0, 100000) FROM t").await.unwrap().collect().await.unwrap_err();
        assert!(wrong.to_string().contains("the file has changed"), "{wrong}");
    }
}
