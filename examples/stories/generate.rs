//! Writes the data of `examples/fulfilment`, `examples/factory` and `examples/lending`, the same bytes on every run.
//!
//! ```text
//! cargo run --example stories_data [FOLDER]
//! ```
//!
//! The files are committed, so this is needed only after a change to one of the stories. Each has a cause hidden in its
//! rows, which the `WHY.md` of the example finds.

mod dice;
mod factory;
mod fulfilment;
mod lending;
mod table;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let default = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"));
    let folder = std::env::args_os().nth(1).map_or(default, PathBuf::from);
    let stories =
        [("fulfilment", fulfilment::tables()), ("factory", factory::tables()), ("lending", lending::tables())];
    for (story, tables) in stories {
        let data = folder.join(story).join("data");
        std::fs::create_dir_all(&data)?;
        for table in tables {
            table.write(&data)?;
        }
    }
    Ok(())
}
