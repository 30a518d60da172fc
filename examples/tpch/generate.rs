//! Writes the TPC-H tables that `examples/tpch` is a model of.
//!
//! ```text
//! cargo run --release --example tpch_data -- --scale 1 [--out FOLDER]
//! ```
//!
//! Scale 1 is about 8.7 million rows. The default folder is `examples/tpch/data`, which git ignores.

mod tables;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let mut scale = 1.0;
    let mut folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tpch/data"));
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--scale" => scale = value.parse()?,
            "--out" => folder = PathBuf::from(value),
            _ => return Err(format!("unknown option {option}: there are --scale N and --out FOLDER").into()),
        }
    }
    tables::write_all(scale, &folder)?;
    println!("TPC-H at scale {scale}: {}", folder.display());
    Ok(())
}
