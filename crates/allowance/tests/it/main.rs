//! Worlds in which data planes crash, connections break and messages are lost.
#![expect(clippy::unwrap_used, reason = "tests")]

mod world;
