//! Text to tree; knows nothing of meaning.

pub mod ast;
