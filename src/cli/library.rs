//! Where the commands meet library functions that other branches bring.

use bellwether::diagnostic::Diagnostic;
use bellwether::{Engine, Error, Result};

pub async fn check_data(_engine: &Engine) -> Result<Vec<Diagnostic>> {
    Err(Error::Data("not wired yet".to_string()))
}
