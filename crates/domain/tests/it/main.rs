//! The price table, held against amounts worked out by hand from AWS's and Anthropic's published prices.

#![expect(clippy::unwrap_used, reason = "tests")]

mod prices;
