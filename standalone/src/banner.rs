//! What a person sees when it is up.

use ccag_controlplane::BootstrapReport;
use std::fmt::Write;
use std::path::Path;

/// The welcome: where the console is, how to sign in, and a line that points Claude Code here.
pub(crate) fn text(url: &str, report: &BootstrapReport, simulated: bool, data_dir: &Path) -> String {
    let mut out = format!("\nCCAG {} is running", env!("CARGO_PKG_VERSION"));
    if simulated {
        out.push_str(" on a simulated Bedrock: no AWS account is used, and nothing costs money");
    }
    let _ = writeln!(out, ".\n\n  Console      {url}/console");
    let _ = match &report.generated_password {
        Some(password) => writeln!(
            out,
            "  Sign in      {} / {}\n               This password was made now and is shown only this once.",
            report.admin_username,
            password.reveal()
        ),
        None => writeln!(
            out,
            "  Sign in      {}, with the password that was set or shown at the first start",
            report.admin_username
        ),
    };
    let _ = match &report.first_key {
        Some(key) => writeln!(
            out,
            "\n  Claude Code  paste this; the key in it is shown only this once:\n\n    \
             ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN={} claude",
            key.reveal()
        ),
        None => writeln!(
            out,
            "\n  Claude Code  make a key at {url}/console/keys, then:\n\n    \
             ANTHROPIC_BASE_URL={url} ANTHROPIC_AUTH_TOKEN=<your key> claude"
        ),
    };
    let _ = writeln!(out, "\n  Data         {}\n\nCtrl-C stops it.", data_dir.display());
    out
}
