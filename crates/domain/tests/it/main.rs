//! The price table, held against amounts worked out by hand from AWS's and Anthropic's published prices.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod prices;
