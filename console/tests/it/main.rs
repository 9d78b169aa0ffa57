//! Every page with every sample, looked at as markup.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod assets;
mod colours;
mod html;
mod pages;
