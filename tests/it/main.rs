//! The one integration binary.

#![allow(clippy::unwrap_used)]

#[cfg(feature = "cli")]
mod advise;
#[cfg(all(feature = "cli", feature = "webhooks"))]
mod alerts;
mod analysis;
mod averages;
#[cfg(feature = "cli")]
mod cli;
mod compare;
mod differential;
mod event_views;
mod events;
#[cfg(feature = "cli")]
mod expectations;
mod import;
mod large_joins;
mod late_look_up;
mod localise;
mod manual;
mod metricflow;
mod percentiles;
mod policies;
mod processes;
mod restated;
mod retail;
mod retail_contexts;
mod rollups;
#[cfg(feature = "cli")]
mod run_changes;
#[cfg(feature = "cli")]
mod run_kills;
mod run_random;
#[cfg(feature = "cli")]
mod run_unattended;
#[cfg(feature = "cli")]
mod runs;
mod runs_shared;
mod same_names;
mod scripts;
mod series;
#[cfg(all(feature = "cli", feature = "serve"))]
mod serve;
#[cfg(all(feature = "cli", feature = "serve"))]
mod serve_clients;
#[cfg(all(feature = "cli", feature = "cloud", feature = "flight"))]
mod serve_flight;
#[cfg(all(feature = "cli", feature = "cloud", feature = "flight", feature = "mcp"))]
mod serve_gone;
#[cfg(all(feature = "cli", feature = "flight", feature = "mcp"))]
mod serve_http;
#[cfg(all(feature = "cli", feature = "flight"))]
mod serve_kept;
#[cfg(all(feature = "cli", feature = "flight", feature = "mcp"))]
mod serve_logins;
#[cfg(all(feature = "cli", feature = "serve"))]
mod serve_page;
#[cfg(all(feature = "cli", feature = "serve"))]
mod serve_transactions;
#[cfg(all(feature = "cli", feature = "cloud"))]
mod stores;
mod streams;
mod targets;
mod tidy;
mod tpch;
mod tpch_pairs;
