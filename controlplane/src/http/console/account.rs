//! Signing out, and how the console looks.

use super::form::Posted;
use crate::app::sessions;
use axum::response::Response;
use ccag_console::{Theme, path};

pub(super) async fn logout(Posted { visitor, .. }: Posted) -> Response {
    match sessions::logout(&visitor.state().app, &visitor.session).await {
        Ok(()) => visitor
            .map_cookies(super::cookies::Cookies::end_session)
            .go(path::LOGIN),
        Err(problem) => visitor.refuse(problem),
    }
}

pub(super) async fn theme(Posted { visitor, form }: Posted) -> Response {
    let theme = Theme::parse(form.raw("theme"));
    let next = path::safe_return(form.raw("next")).to_owned();
    visitor.map_cookies(|cookies| cookies.set_theme(theme)).go(&next)
}
