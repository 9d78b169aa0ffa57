//! Which requests are let in at all, before anything of them is read.
//!
//! Every route has a row in a table, and the row says what it takes to be let in. What is let in is then looked at more closely
//! by whoever does it: a team manager may change keys, but not this one.

use crate::{Permission, Reach};

/// What it takes to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing: it is meant for everybody.
    Public,
    /// To be signed in, in whichever role.
    SignedIn,
    /// To be signed in, in a role that has this permission for something.
    May(Permission),
    /// Something else than a session, which the handler asks for; this is its name.
    Other(&'static str),
}

impl Gate {
    /// Whether somebody who is signed in gets past, by how far they go.
    #[must_use]
    pub fn lets(self, reach: impl FnOnce(Permission) -> Reach) -> bool {
        match self {
            Self::Public | Self::SignedIn | Self::Other(_) => true,
            Self::May(permission) => reach(permission) != Reach::Nothing,
        }
    }
}

/// A route and what it takes to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// What it takes.
    pub gate: Gate,
}

impl Route {
    /// A row.
    #[must_use]
    pub const fn new(method: &'static str, path: &'static str, gate: Gate) -> Self {
        Self { method, path, gate }
    }

    /// Whether a path is one of this route's. A parameter is one segment; the last may be the rest.
    #[must_use]
    pub fn fits(&self, path: &str) -> bool {
        let mut asked = path.split('/');
        for part in self.path.split('/') {
            if part.starts_with("{*") {
                return asked.next().is_some();
            }
            match asked.next() {
                Some(segment) if part == segment => {}
                Some(segment) if part.starts_with('{') && !segment.is_empty() => {}
                _ => return false,
            }
        }
        asked.next().is_none()
    }

    /// Whether nothing in the path is a parameter.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.path.contains('{')
    }
}

/// The row for a request, if there is one: an exact path goes before one with parameters, and that before one that takes all the
/// rest.
#[must_use]
pub fn row<'t>(routes: &'t [Route], method: &str, path: &str) -> Option<&'t Route> {
    let fitting = || {
        routes
            .iter()
            .filter(|route| route.method == method && route.fits(path))
    };
    fitting()
        .find(|route| route.is_exact())
        .or_else(|| fitting().find(|route| !route.path.contains("{*")))
        .or_else(|| fitting().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_a_request_is_the_one_that_names_it_best() {
        let rows = [
            Route::new("GET", "/{*rest}", Gate::Other("x")),
            Route::new("GET", "/keys/{id}", Gate::SignedIn),
            Route::new("GET", "/keys/new", Gate::Public),
        ];
        let gate = |method, path| row(&rows, method, path).map(|route| route.gate);
        assert_eq!(gate("GET", "/keys/new"), Some(Gate::Public));
        assert_eq!(gate("GET", "/keys/key_1"), Some(Gate::SignedIn));
        assert_eq!(gate("GET", "/keys/key_1/more"), Some(Gate::Other("x")));
        assert_eq!(gate("POST", "/keys/key_1"), None);
        assert!(!rows[1].fits("/keys/") && !rows[1].fits("/keys"));
    }
}
