//! The one integration binary.

mod compare;
mod retail;
mod tpch;
