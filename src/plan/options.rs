//! Session options of Bellwether: `SET bell.bi_compat = true`.

use datafusion::common::config::{ConfigExtension, ConfigOptions};
use datafusion::common::extensions_options;

extensions_options! {
    /// What a session can set under `bell.`.
    pub struct BellOptions {
        /// For BI tools that can only wrap columns in aggregates: any aggregate of an indicator is read as `MEASURE`,
        /// and ungrouped previews of a view show NULL.
        pub bi_compat: bool, default = false
        /// Whether rows are added up by just the columns that a question looks at before joins, time grains and filters
        /// act on them, where these are far fewer. It changes no answer.
        pub reduce_rows: bool, default = true
        /// How many times fewer they must be; 0 does it also where nobody knows.
        pub reduce_factor: usize, default = 4
        /// Whether a value, its windows in time and what is looked up beside it read their rows once. It changes no answer.
        pub share_rows: bool, default = true
        /// Whether aggregates whose filters need joins are computed apart from those that need none, where these are dear.
        /// It changes no answer.
        pub split_filters: bool, default = true
        /// Whether joins are made in the order that promises the fewest rows. It changes no answer.
        pub order_joins: bool, default = true
        /// Whether stored rollups answer what can be put together from them. It changes no answer, but those that a rollup
        /// declares approximate.
        pub use_rollups: bool, default = true
        /// Whether products and sums of decimals are computed in 64 bits where the statistics of files tell that these hold them.
        /// It changes no answer.
        pub narrow_decimals: bool, default = true
    }
}

/// Which ways to make plans cheaper are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewrites {
    /// As [`BellOptions::reduce_rows`].
    pub reduce_rows: bool,
    /// As [`BellOptions::reduce_factor`].
    pub reduce_factor: usize,
    /// As [`BellOptions::share_rows`].
    pub share_rows: bool,
    /// As [`BellOptions::split_filters`].
    pub split_filters: bool,
    /// As [`BellOptions::order_joins`].
    pub order_joins: bool,
    /// As [`BellOptions::use_rollups`].
    pub use_rollups: bool,
}

impl Default for Rewrites {
    fn default() -> Self {
        BellOptions::default().rewrites()
    }
}

impl BellOptions {
    /// A session's options with rollups left out.
    pub fn without_rollups(session: &ConfigOptions) -> ConfigOptions {
        let mut options = session.clone();
        let bell = options.extensions.get::<BellOptions>().cloned().unwrap_or_default();
        options.extensions.insert(BellOptions { use_rollups: false, ..bell });
        options
    }

    /// Which rewrites the session uses.
    pub fn rewrites(&self) -> Rewrites {
        let BellOptions { reduce_rows, reduce_factor, share_rows, split_filters, order_joins, use_rollups, .. } = *self;
        Rewrites { reduce_rows, reduce_factor, share_rows, split_filters, order_joins, use_rollups }
    }
}

impl ConfigExtension for BellOptions {
    const PREFIX: &'static str = "bell";
}
