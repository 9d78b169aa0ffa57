//! Stylesheet, script and icon, embedded. Their addresses carry a hash of their content, so that browsers may keep them
//! for ever and still never see an old one.

use crate::path;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file that pages refer to.
#[derive(Debug)]
pub struct Asset {
    /// The whole path of its address.
    pub path: String,
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// The file.
    pub body: &'static [u8],
}

impl Asset {
    /// The `Cache-Control` that fits: another content has another address.
    pub const CACHE_CONTROL: &'static str = "public, max-age=31536000, immutable";

    fn new(stem: &str, extension: &str, content_type: &'static str, body: &'static [u8]) -> Self {
        let digest = Sha256::digest(body);
        let hash: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self {
            path: format!("{}{stem}-{hash}.{extension}", path::ASSETS),
            content_type,
            body,
        }
    }
}

/// The stylesheet, and what makes cards of tables, for tables with few, some and many columns.
const STYLES: &str = concat!(
    include_str!("../assets/console.css"),
    "@container few (max-width: 28rem) {\n",
    include_str!("../assets/cards.css"),
    "}\n@container some (max-width: 48rem) {\n",
    include_str!("../assets/cards.css"),
    "}\n@container many (max-width: 58rem) {\n",
    include_str!("../assets/cards.css"),
    "}\n",
);

static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    let content_type = "text/css; charset=utf-8";
    Asset::new("console", "css", content_type, STYLES.as_bytes())
});

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "console",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("../assets/console.js"),
    )
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon",
        "svg",
        "image/svg+xml",
        include_bytes!("../assets/icon.svg"),
    )
});

/// The asset at a whole path, if there is one.
#[must_use]
pub fn asset(path: &str) -> Option<&'static Asset> {
    [&*STYLESHEET, &*SCRIPT, &*ICON]
        .into_iter()
        .find(|asset| asset.path == path)
}

/// Where the stylesheet is.
#[must_use]
pub fn stylesheet_path() -> &'static str {
    &STYLESHEET.path
}

/// Where the script is.
#[must_use]
pub fn script_path() -> &'static str {
    &SCRIPT.path
}

pub(crate) fn icon_path() -> &'static str {
    &ICON.path
}
