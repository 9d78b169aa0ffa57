//! The console's pages: page model in, HTML out.
//!
//! A page model is a plain value that the control plane fills ([`page`]); [`render`] turns it and the [`PageContext`]
//! (who looks at it, when, in which theme) into a whole document. Nothing here reads a database, a socket or a clock, so
//! that a page can be made, tested and looked at from [`sample`] values alone.
//!
//! Pages work without scripts: every change is a form with a POST to a fixed path, and the one script that is shipped only
//! adds comfort. The [`SECURITY_POLICY`] that goes with every page forbids inline code and styles.

pub mod access;
mod assets;
mod context;
pub mod form;
pub mod format;
mod layout;
pub mod page;
mod part;
pub mod path;
pub mod sample;

pub use assets::{Asset, asset, script_path, stylesheet_path};
pub use context::{Flash, PageContext, Theme, Tone, Viewer};
pub use page::Page;

use leptos::prelude::{Owner, RenderHtml as _};

/// The `Content-Security-Policy` of every page: our own stylesheet, script and pictures, forms to ourselves, nothing else.
pub const SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Makes the whole HTML document of a page.
#[must_use]
pub fn render(page: &dyn Page, context: &PageContext) -> String {
    let owner = Owner::new();
    let body = owner.with(|| layout::document(page, context).to_html());
    owner.cleanup();
    format!("<!DOCTYPE html>\n{body}\n")
}
