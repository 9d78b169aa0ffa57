//! Every page with every sample, looked at as markup.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod assets;
mod colours;
mod html;
mod pages;
