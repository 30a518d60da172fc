//! Session options of Bellwether: `SET bell.bi_compat = true`.

use datafusion::common::config::ConfigExtension;
use datafusion::common::extensions_options;

extensions_options! {
    /// What a session can set under `bell.`.
    pub struct BellOptions {
        /// For BI tools that can only wrap columns in aggregates: any aggregate of an indicator is read as `MEASURE`,
        /// and ungrouped previews of a view show NULL.
        pub bi_compat: bool, default = false
    }
}

impl ConfigExtension for BellOptions {
    const PREFIX: &'static str = "bell";
}
