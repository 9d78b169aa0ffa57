//! Clients of web search services.
//!
//! [`Searcher::search`] asks one service once: within a time, with a bound on what is read, without following redirects,
//! and through a [guard](guard) that keeps addresses which users have given out of the networks that this process can see
//! and they cannot. Used by data planes for searches and by the control plane to test what somebody has configured.

mod client;
mod failure;
pub mod guard;
mod html;
mod provider;

pub use client::{Query, Searcher};
pub use failure::Failure;
