//! What every page needs to know besides its own model.

use ccag_domain::{Role, UnixMs};

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
    /// What they may see.
    pub role: Role,
}

impl Viewer {
    /// Whether they see everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
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
    pub(crate) fn is_admin(&self) -> bool {
        self.viewer.as_ref().is_some_and(Viewer::is_admin)
    }
}
