//! Where the commands meet library functions that other branches bring.

use std::path::Path;

use bellwether::diagnostic::Diagnostic;
use bellwether::{Engine, Error, Result};
use datafusion::prelude::SessionContext;

pub async fn init(dir: &Path, from: &[String], ctx: &SessionContext) -> Result<String> {
    Ok(bellwether::init::init(dir, from, ctx).await?.to_string())
}

pub fn format(_text: &str) -> Result<String> {
    Err(Error::Data("not wired yet".to_string()))
}

pub async fn check_data(_engine: &Engine) -> Result<Vec<Diagnostic>> {
    Err(Error::Data("not wired yet".to_string()))
}
