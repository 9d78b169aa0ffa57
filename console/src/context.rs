//! What every page needs to know besides its own model.

use crate::access;
use ccag_domain::gate::Gate;
use ccag_domain::{Permission, Reach, Role, UnixMs};

/// The colours a viewer has chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the browser prefers.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// Every choice, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The value in the cookie and in the form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads a value; anything unknown is the browser's own preference.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|t| t.as_str() == text)
            .unwrap_or_default()
    }

    /// The attribute for the document, if the viewer has overruled the browser.
    pub(crate) const fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light | Self::Dark => Some(self.as_str()),
        }
    }
}

/// Whether a message is good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Good,
    /// Worth knowing.
    Note,
    /// It did not work.
    Bad,
}

impl Tone {
    /// The name used in cookies and class names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Good, Self::Note, Self::Bad]
            .into_iter()
            .find(|t| t.as_str() == text)
    }
}

/// A message about what the last form did, shown once at the top of the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    /// Good news or bad.
    pub tone: Tone,
    /// One sentence, as plain text.
    pub message: String,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The name to show.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they belong to a team, which is the one that a manager manages.
    pub has_team: bool,
}

impl Viewer {
    /// How far they go.
    #[must_use]
    pub fn reach(&self, permission: Permission) -> Reach {
        self.role.reach_in(self.has_team, permission)
    }

    /// Whether they may open a page.
    pub(crate) fn opens(&self, address: &str) -> bool {
        self.passes(access::gate("GET", address))
    }

    fn passes(&self, gate: Option<Gate>) -> bool {
        gate.is_some_and(|gate| gate.lets(|permission| self.reach(permission)))
    }
}

/// What every page needs to know besides its own model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageContext {
    /// The time the page speaks of as "now".
    pub now_ms: UnixMs,
    /// The colours to use.
    pub theme: Theme,
    /// The token that every form must carry.
    pub csrf: String,
    /// Who is signed in; `None` before log-in.
    pub viewer: Option<Viewer>,
    /// What the last form did.
    pub flash: Vec<Flash>,
    /// Path and query of this page, for coming back to it.
    pub here: String,
    /// The gateway's version, shown small.
    pub version: String,
}

impl PageContext {
    /// How far the viewer goes.
    pub(crate) fn reach(&self, permission: Permission) -> Reach {
        self.viewer
            .as_ref()
            .map_or(Reach::Nothing, |viewer| viewer.reach(permission))
    }

    /// Whether the viewer may open a page; links to others are not shown.
    pub(crate) fn opens(&self, address: &str) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.opens(address))
    }

    /// Whether the viewer may send a form there; forms to elsewhere are not shown, or cannot be filled in.
    pub(crate) fn posts(&self, address: &str) -> bool {
        self.viewer
            .as_ref()
            .is_some_and(|viewer| viewer.passes(access::gate("POST", address)))
    }
}
