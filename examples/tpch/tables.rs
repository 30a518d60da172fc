//! The eight TPC-H tables at any scale, as Arrow batches and as Parquet files.
//!
//! Identifiers are 64-bit integers, money is `decimal(15, 2)`, dates are dates, no column is ever NULL.
//! The same scale gives the same rows everywhere, so tests and benches include this file too.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use datafusion::arrow::record_batch::RecordBatchReader;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

/// The eight tables.
pub const TABLES: [&str; 8] = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"];

/// Rows in a row group: large enough to compress well, small enough for a core to take its share at scale 1.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// The rows of a table, batch by batch; `None` if TPC-H has no such table.
pub fn rows(table: &str, scale: f64) -> Option<Box<dyn RecordBatchReader>> {
    Some(match table {
        "region" => Box::new(RegionArrow::new(RegionGenerator::new(scale, 1, 1))),
        "nation" => Box::new(NationArrow::new(NationGenerator::new(scale, 1, 1))),
        "supplier" => Box::new(SupplierArrow::new(SupplierGenerator::new(scale, 1, 1))),
        "customer" => Box::new(CustomerArrow::new(CustomerGenerator::new(scale, 1, 1))),
        "part" => Box::new(PartArrow::new(PartGenerator::new(scale, 1, 1))),
        "partsupp" => Box::new(PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1))),
        "orders" => Box::new(OrderArrow::new(OrderGenerator::new(scale, 1, 1))),
        "lineitem" => Box::new(LineItemArrow::new(LineItemGenerator::new(scale, 1, 1))),
        _ => return None,
    })
}

/// Writes one file a table into a folder, holding no more than a row group in memory.
pub fn write_all(scale: f64, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for table in TABLES {
        write(table, scale, &folder.join(format!("{table}.parquet")))?;
    }
    Ok(())
}

fn write(table: &str, scale: f64, path: &Path) -> Result<(), Box<dyn Error>> {
    let batches = rows(table, scale).ok_or_else(|| format!("TPC-H has no table {table}"))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, batches.schema(), Some(properties))?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}
