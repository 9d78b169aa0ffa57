//! The key that Claude Code shows on this machine. It is sent to no gateway but the one that it is for.

use super::local::{Machine, is_same};
use ccag_admin_api::Secret;
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use url::Url;

/// How long a helper may take.
const HELPER: Duration = Duration::from_secs(10);

/// The key for this gateway, if Claude Code has one.
pub(super) async fn of_machine(machine: &Machine, url: &Url) -> Option<Secret> {
    let get = |name: &str| machine.variables.get(name).map(String::as_str);
    if get("ANTHROPIC_BASE_URL").is_some_and(|base| is_same(base, url))
        && let Some(key) = get("ANTHROPIC_AUTH_TOKEN").or_else(|| get("ANTHROPIC_API_KEY"))
    {
        return Some(Secret::new(key));
    }
    for (path, settings) in machine.settings.iter().rev() {
        let Ok(settings) = settings else { continue };
        let of = |name: &str| settings["env"][name].as_str();
        if !of("ANTHROPIC_BASE_URL").is_some_and(|base| is_same(base, url)) {
            continue;
        }
        if let Some(key) = of("ANTHROPIC_AUTH_TOKEN").or_else(|| of("ANTHROPIC_API_KEY")) {
            return Some(Secret::new(key));
        }
        // What a project's settings name is not run: Claude Code asks first whether it is trusted.
        if Some(path) == machine.of_user.as_ref()
            && let Some(key) = from_helper(settings).await
        {
            return Some(key);
        }
    }
    None
}

/// What the helper prints, run as Claude Code runs it.
async fn from_helper(settings: &Value) -> Option<Secret> {
    let helper = settings["apiKeyHelper"].as_str()?;
    let mut command = match cfg!(windows) {
        true => Command::new("cmd"),
        false => Command::new("sh"),
    };
    command
        .args([if cfg!(windows) { "/C" } else { "-c" }, helper])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(HELPER, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| Secret::new(text))
}
