//! Which rules a conversation is translated by.
//!
//! Newer models sign their thinking over the exact history, so two turns of a conversation must be rewritten alike: a
//! conversation keeps the version of the rules that it began under, and what is learnt from refusals counts for those that
//! begin later. See `docs/adr/0007-conversations-keep-their-rules.md`.

mod books;
mod learning;
mod pins;
mod rules;

pub(crate) use books::Books;
pub(crate) use learning::{Learning, Lessons};
pub(crate) use pins::{Pin, Pins};
pub(crate) use rules::Rules;

/// The surface that every endpoint has.
pub(crate) const INVOKE_MODEL: &str = "invoke-model";
