//! What to paste so that Claude Code uses the gateway.

use super::block::copyable;
use leptos::prelude::*;

/// What stands where a key goes when we do not have one to show.
pub(crate) const YOUR_KEY: &str = "sk-ccag-…";

/// Quotes text for a POSIX shell if it needs it.
fn shell_quote(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@%+=,[]".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn powershell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The line for bash and zsh.
pub(crate) fn shell_line(base_url: &str, secret: &str) -> String {
    format!(
        "ANTHROPIC_BASE_URL={} ANTHROPIC_AUTH_TOKEN={} claude",
        shell_quote(base_url),
        shell_quote(secret)
    )
}

/// The line that sets up a machine.
fn setup_line(base_url: &str, secret: &str) -> String {
    format!(
        "curl -fsSL {}/setup | CCAG_KEY={} sh -s -- --mode key",
        shell_quote(base_url),
        shell_quote(secret)
    )
}

pub(crate) fn powershell_line(base_url: &str, secret: &str) -> String {
    format!(
        "$env:ANTHROPIC_BASE_URL={}; $env:ANTHROPIC_AUTH_TOKEN={}; claude",
        powershell_quote(base_url),
        powershell_quote(secret)
    )
}

fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn settings(base_url: &str, secret: &str) -> String {
    format!(
        "{{\n  \"env\": {{\n    \"ANTHROPIC_BASE_URL\": {},\n    \"ANTHROPIC_AUTH_TOKEN\": {}\n  }}\n}}",
        json_string(base_url),
        json_string(secret)
    )
}

/// The ways to connect with a key: a line to try it, a command or settings to keep it, the same for PowerShell.
pub(crate) fn recipe(base_url: &str, secret: &str) -> AnyView {
    view! {
        <p>"Paste this into a terminal to try it now:"</p>
        {copyable("connect-shell", "the line", shell_line(base_url, secret))}
        <p>"To keep it, with what is in your settings already:"</p>
        {copyable("connect-setup", "the command", setup_line(base_url, secret))}
        <details>
            <summary>"By hand: settings for every start"</summary>
            <p>"Merge this into " <code>"~/.claude/settings.json"</code> ":"</p>
            {copyable("connect-settings", "the settings", settings(base_url, secret))}
        </details>
        <details>
            <summary>"Windows PowerShell"</summary>
            {copyable("connect-powershell", "the PowerShell line", powershell_line(base_url, secret))}
        </details>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_lines_quote_what_a_shell_would_read() {
        assert_eq!(
            shell_line("http://127.0.0.1:8080", "sk-ccag-Ab_-9"),
            "ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_AUTH_TOKEN=sk-ccag-Ab_-9 claude"
        );
        assert_eq!(shell_quote("a'b;c"), r"'a'\''b;c'");
        assert_eq!(powershell_quote("a'b"), "'a''b'");
        assert_eq!(json_string("a\"\\\n"), r#""a\"\\\u000a""#);
    }
}
