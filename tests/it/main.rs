//! The integration tests, one binary.

mod differential;
