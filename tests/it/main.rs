//! The one integration binary.

mod compare;
mod differential;
mod manual;
mod retail;
mod tpch;
