//! The one integration binary.

mod compare;
mod manual;
mod retail;
mod tpch;
