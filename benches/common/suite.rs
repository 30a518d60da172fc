//! The TPC-H project that benches ask.

use std::error::Error;
use std::path::{Path, PathBuf};

use crate::tables;

/// The scale, and the example's model beside tables of that scale. They are written once into `target`, or the folder in
/// `BELL_TPCH`, where a folder that has them already is used as it is.
pub fn project() -> Result<(f64, PathBuf), Box<dyn Error>> {
    let scale: f64 = std::env::var("BELL_SF").map_or(Ok(1.0), |text| text.parse())?;
    let folder = match std::env::var_os("BELL_TPCH") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tpch-{scale}")),
    };
    let complete = folder.join("complete");
    if !complete.exists() {
        eprintln!("writing TPC-H at scale {scale} to {}", folder.display());
        tables::write_all(scale, &folder.join("data"))?;
        std::fs::write(complete, "")?;
    }
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tpch/tpch.bell"), folder.join("tpch.bell"))?;
    Ok((scale, folder))
}
