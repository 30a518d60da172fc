//! The one integration binary.

#[cfg(feature = "cli")]
mod cli;
mod compare;
mod differential;
mod manual;
mod retail;
mod scripts;
mod tidy;
mod tpch;
