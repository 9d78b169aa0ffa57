//! Worlds in which data planes crash, connections break and messages are lost.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod world;
