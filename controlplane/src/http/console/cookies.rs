//! The cookies besides the session's own.

use crate::http::{HttpState, SESSION_COOKIE};
use crate::master_key::OpenKeys;
use axum::http::HeaderMap;
use axum::response::{IntoResponseParts, ResponseParts};
use axum_extra::extract::cookie::{Cookie, CookieJar, Key, PrivateCookieJar, SameSite};
use ccag_console::{Flash, Theme, Tone, path};
use ccag_domain::UnixMs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};
use std::convert::Infallible;

/// Which colours to use; no secret.
const THEME: &str = "ccag_theme";

/// What the last form did; encrypted, shown once.
const FLASH: &str = "ccag_flash";

/// A new key's secret on its way to the page that shows it; encrypted, shown once.
const NEW_KEY: &str = "ccag_new_key";

/// What only this browser shows while it is at an identity provider; encrypted.
const BROWSER: &str = "ccag_sign_on";

/// The token of the form for signing in; encrypted, so that nobody else can make one.
const LOGIN: &str = "ccag_login";

const ROOT: &str = "/";
const SIGN_ON: &str = "/auth/oidc";
const MINUTE_S: i64 = 60;
const YEAR_S: i64 = 365 * 24 * 3_600;

/// How long a new key's secret can be fetched, in milliseconds.
const NEW_KEY_LIFE_MS: i64 = 5 * 60_000;

/// A new key on its way to the page that shows its secret.
#[derive(Serialize, Deserialize)]
pub(super) struct NewKey {
    /// The session that made it; no other may see it.
    pub(super) session: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) secret: String,
    /// After that it is not shown any more, whatever the browser kept.
    pub(super) until_ms: UnixMs,
}

impl NewKey {
    pub(super) const fn expiry(now_ms: UnixMs) -> UnixMs {
        now_ms + NEW_KEY_LIFE_MS
    }
}

/// The visitor's cookies, and the changes that go out with the answer.
pub(super) struct Cookies {
    plain: CookieJar,
    private: PrivateCookieJar,
    /// The same cookies, opened with other keys.
    others: Vec<PrivateCookieJar>,
    secure: bool,
}

/// The keys that cookies are encrypted with: the same on every control plane with the same master keys.
pub(crate) struct CookieKeys {
    current: Key,
    /// What cookies are read with besides.
    others: Vec<Key>,
}

impl CookieKeys {
    pub(crate) fn new(keys: &OpenKeys) -> Self {
        let mut all = keys.each().map(|master_key| {
            let mut hash = Sha512::new();
            hash.update(b"ccag console cookies, version 1\0");
            hash.update(master_key.as_bytes());
            Key::from(&hash.finalize())
        });
        Self {
            // There is always a first one.
            current: all.next().unwrap_or_else(Key::generate),
            others: all.collect(),
        }
    }
}

impl Cookies {
    /// Reads a request's cookies. `secure` says whether browsers reach us over TLS.
    pub(super) fn read(headers: &HeaderMap, state: &HttpState, secure: bool) -> Self {
        Self {
            plain: CookieJar::from_headers(headers),
            private: PrivateCookieJar::from_headers(headers, state.cookie_keys.current.clone()),
            others: (state.cookie_keys.others.iter())
                .map(|key| PrivateCookieJar::from_headers(headers, key.clone()))
                .collect(),
            secure,
        }
    }

    /// A cookie of ours, with whichever key it was encrypted.
    fn sealed(&self, name: &str) -> Option<Cookie<'static>> {
        let jars = std::iter::once(&self.private).chain(&self.others);
        jars.into_iter().find_map(|jar| jar.get(name))
    }

    fn make(&self, name: &'static str, value: String, path: &'static str, life_s: i64) -> Cookie<'static> {
        Cookie::build((name, value))
            .path(path)
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .max_age(time::Duration::seconds(life_s))
            .build()
    }

    fn gone(name: &'static str, path: &'static str) -> Cookie<'static> {
        Cookie::build(name).path(path).build()
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.plain.get(SESSION_COOKIE).map(Cookie::value)
    }

    pub(super) fn set_session(mut self, token: &str, life_ms: i64) -> Self {
        let cookie = self.make(SESSION_COOKIE, token.to_owned(), ROOT, life_ms / 1_000);
        self.plain = self.plain.add(cookie);
        self
    }

    pub(super) fn end_session(mut self) -> Self {
        self.plain = self.plain.remove(Self::gone(SESSION_COOKIE, ROOT));
        self
    }

    pub(super) fn theme(&self) -> Theme {
        self.plain
            .get(THEME)
            .map(|cookie| Theme::parse(cookie.value()))
            .unwrap_or_default()
    }

    pub(super) fn set_theme(mut self, theme: Theme) -> Self {
        let cookie = self.make(THEME, theme.as_str().to_owned(), path::HOME, YEAR_S);
        self.plain = self.plain.add(cookie);
        self
    }

    /// The token of the form for signing in, made by `fresh` if the browser has none.
    pub(super) fn login_token(mut self, fresh: impl FnOnce() -> String) -> (Self, String) {
        let token = self
            .sealed(LOGIN)
            .map_or_else(fresh, |cookie| cookie.value().to_owned());
        let cookie = self.make(LOGIN, token.clone(), path::LOGIN, 12 * 60 * MINUTE_S);
        self.private = self.private.add(cookie);
        (self, token)
    }

    /// The token that a sign-in form has to show, if the browser has one.
    pub(super) fn expected_login_token(&self) -> Option<String> {
        self.sealed(LOGIN).map(|cookie| cookie.value().to_owned())
    }

    pub(super) fn end_login(mut self) -> Self {
        self.private = self.private.remove(Self::gone(LOGIN, path::LOGIN));
        self
    }

    /// What only this browser shows, made by `fresh` if it has nothing yet.
    pub(super) fn browser(mut self, fresh: impl FnOnce() -> String) -> (Self, String) {
        let known = self.known_browser().unwrap_or_else(fresh);
        let cookie = self.make(BROWSER, known.clone(), SIGN_ON, 15 * MINUTE_S);
        self.private = self.private.add(cookie);
        (self, known)
    }

    /// The same, if it has something.
    pub(super) fn known_browser(&self) -> Option<String> {
        self.sealed(BROWSER).map(|cookie| cookie.value().to_owned())
    }

    /// Takes the message that waits, if one does.
    pub(super) fn take_flash(mut self) -> (Self, Vec<Flash>) {
        let Some(cookie) = self.sealed(FLASH) else {
            return (self, Vec::new());
        };
        self.private = self.private.remove(Self::gone(FLASH, path::HOME));
        let flash = cookie.value().split_once('\n').and_then(|(tone, message)| {
            Some(Flash {
                tone: Tone::parse(tone)?,
                message: message.to_owned(),
            })
        });
        (self, flash.into_iter().collect())
    }

    pub(super) fn set_flash(mut self, tone: Tone, message: &str) -> Self {
        let short: String = message.chars().take(600).collect();
        let value = format!("{}\n{short}", tone.as_str());
        let cookie = self.make(FLASH, value, path::HOME, MINUTE_S);
        self.private = self.private.add(cookie);
        self
    }

    /// Takes the new key that waits to be shown.
    pub(super) fn take_new_key(mut self) -> (Self, Option<NewKey>) {
        let Some(cookie) = self.sealed(NEW_KEY) else {
            return (self, None);
        };
        self.private = self.private.remove(Self::gone(NEW_KEY, path::KEY_CREATED));
        (self, serde_json::from_str(cookie.value()).ok())
    }

    pub(super) fn set_new_key(mut self, key: &NewKey) -> Self {
        if let Ok(value) = serde_json::to_string(key) {
            let cookie = self.make(NEW_KEY, value, path::KEY_CREATED, NEW_KEY_LIFE_MS / 1_000);
            self.private = self.private.add(cookie);
        }
        self
    }
}

impl IntoResponseParts for Cookies {
    type Error = Infallible;

    fn into_response_parts(self, parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let parts = self.plain.into_response_parts(parts)?;
        self.private.into_response_parts(parts)
    }
}
