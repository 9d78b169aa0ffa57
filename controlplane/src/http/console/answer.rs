//! Pages and redirects with the headers that belong to them.

use super::cookies::Cookies;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use ccag_console::{Page, PageContext, SECURITY_POLICY, render};

/// A page.
pub(super) fn page(
    status: StatusCode,
    page: &dyn Page,
    context: &PageContext,
    cookies: Cookies,
    secure: bool,
) -> Response {
    let html = Html(render(page, context));
    guarded((status, cookies, html).into_response(), secure)
}

/// "See the page at this path": the answer to every form that was accepted.
pub(super) fn see_other(path: &str, cookies: Cookies, secure: bool) -> Response {
    // Our own paths are percent-encoded ASCII.
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static(ccag_console::path::HOME));
    let headers = [(header::LOCATION, location)];
    guarded(
        (StatusCode::SEE_OTHER, headers, cookies, ()).into_response(),
        secure,
    )
}

fn guarded(mut response: Response, secure: bool) -> Response {
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, SECURITY_POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: with it browsers hide the origin of our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if secure {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    response
}
