//! The one integration binary.

#[cfg(feature = "cli")]
mod cli;
mod compare;
mod differential;
mod manual;
mod retail;
mod tpch;
mod tpch_pairs;
