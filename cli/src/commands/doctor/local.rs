//! Claude Code's settings on this machine, and the variables that it heeds.

use crate::client::is_loopback;
use ccag_doctor::Finding;
use ccag_doctor::checks::{PROXY, SETTINGS, VARIABLES};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use url::Url;

/// What leads Claude Code past the gateway.
const ELSEWHERE: [&str; 6] = [
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "ANTHROPIC_BEDROCK_BASE_URL",
];

/// How keys of the gateway begin.
const OURS: &str = "sk-ccag-";

/// What there is on this machine.
pub(super) struct Machine {
    /// Claude Code's settings that are there, the user's first.
    pub(super) settings: Vec<(PathBuf, Result<Value, String>)>,
    pub(super) variables: HashMap<String, String>,
    /// Where the user's own settings are.
    pub(super) of_user: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Machine {
    /// Reads it.
    pub(super) fn read() -> Self {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let of_user = std::env::var_os("CLAUDE_CONFIG_DIR")
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".claude")));
        let of_user = of_user.map(|dir| dir.join("settings.json"));
        let mut files: Vec<PathBuf> = of_user.iter().cloned().collect();
        for name in [".claude/settings.json", ".claude/settings.local.json"] {
            if let Ok(path) = std::path::absolute(name)
                && !files.contains(&path)
            {
                files.push(path);
            }
        }
        let settings = files.into_iter().filter_map(|path| {
            let text = std::fs::read_to_string(&path).ok()?;
            let read = serde_json::from_str(&text).map_err(|error| error.to_string());
            Some((path, read))
        });
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(_, value)| !value.is_empty());
        Self {
            settings: settings.collect(),
            variables: variables.collect(),
            of_user,
            home,
        }
    }

    /// Looks at all of it, for a gateway.
    pub(super) fn look(&self, url: &Url) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .settings
            .iter()
            .flat_map(|(path, settings)| self.settings(path, settings, url))
            .collect();
        if self.settings.is_empty() {
            findings.push(SETTINGS.skipped("Claude Code's settings", "there are none here"));
        }
        findings.extend(self.variables(url));
        findings.extend(self.proxies(url));
        findings
    }

    fn settings(&self, path: &Path, settings: &Result<Value, String>, url: &Url) -> Vec<Finding> {
        let subject = path.display().to_string();
        let settings = match settings {
            Ok(settings) => settings,
            Err(reason) => {
                let advice = "correct it, or set this machine up anew: docs/setup.md";
                return vec![SETTINGS.fault(subject, format!("it is no JSON: {reason}"), advice)];
            }
        };
        let mut findings = Vec::new();
        let of = |name: &str| settings["env"][name].as_str();
        if let Some(base) = of("ANTHROPIC_BASE_URL")
            && !is_same(base, url)
        {
            findings.push(SETTINGS.fault(
                &subject,
                format!(
                    "ANTHROPIC_BASE_URL leads to {}, and not to this gateway",
                    hidden(base)
                ),
                "set this machine up anew (docs/setup.md), or name the other gateway with --url",
            ));
        }
        for name in ELSEWHERE {
            if of(name).is_some_and(|value| !is_off(value)) {
                let found = format!("{name} is set under `env`: Claude Code goes past the gateway");
                findings.push(SETTINGS.fault(&subject, found, "take it out"));
            }
        }
        if of("ANTHROPIC_API_KEY").is_some_and(|key| !key.starts_with(OURS)) {
            let found = "ANTHROPIC_API_KEY is set under `env`, and is no key of the gateway's";
            findings.push(SETTINGS.fault(
                &subject,
                found,
                "take it out: ANTHROPIC_AUTH_TOKEN or apiKeyHelper shows the gateway's",
            ));
        }
        if let Some(helper) = settings["apiKeyHelper"].as_str() {
            findings.extend(self.helper(&subject, helper));
        }
        if findings.is_empty() {
            findings.push(SETTINGS.ok(subject, "nothing in it leads past this gateway"));
        }
        findings
    }

    /// Whether a helper that is named by a path can be run.
    fn helper(&self, subject: &str, helper: &str) -> Option<Finding> {
        let bare = helper.trim().trim_matches(['\'', '"']);
        let path = match bare.strip_prefix("~/") {
            Some(rest) => self.home.as_ref()?.join(rest),
            None => PathBuf::from(bare),
        };
        if !path.is_absolute() || bare.contains(char::is_whitespace) && !path.exists() {
            return None;
        }
        let advice = "set this machine up anew (docs/setup.md), which writes it";
        if !path.is_file() {
            let found = format!("apiKeyHelper names {}, which is not there", path.display());
            return Some(SETTINGS.fault(subject, found, advice));
        }
        let found = format!("apiKeyHelper names {}, which may not be run", path.display());
        (!is_executable(&path)).then(|| SETTINGS.fault(subject, found, format!("chmod +x it, or {advice}")))
    }

    fn variables(&self, url: &Url) -> Vec<Finding> {
        let get = |name: &str| self.variables.get(name).map(String::as_str);
        let mut findings = Vec::new();
        if let Some(base) = get("ANTHROPIC_BASE_URL")
            && !is_same(base, url)
        {
            findings.push(VARIABLES.fault(
                "ANTHROPIC_BASE_URL",
                format!("it leads to {}, and not to this gateway", hidden(base)),
                "unset it, or set it to the gateway's address",
            ));
        }
        for name in ELSEWHERE {
            if get(name).is_some_and(|value| !is_off(value)) {
                findings.push(VARIABLES.fault(
                    name,
                    "it is set: Claude Code goes past the gateway",
                    "unset it",
                ));
            }
        }
        match get("ANTHROPIC_API_KEY") {
            Some(key) if !key.starts_with(OURS) => findings.push(VARIABLES.fault(
                "ANTHROPIC_API_KEY",
                "it is set, and is no key of the gateway's: Claude Code shows it as well, or asks which one to use",
                "unset it where Claude Code runs (look at ~/.profile, ~/.zshrc and the like)",
            )),
            Some(_) if get("ANTHROPIC_AUTH_TOKEN").is_some() => findings.push(VARIABLES.warning(
                "ANTHROPIC_API_KEY",
                "it is set beside ANTHROPIC_AUTH_TOKEN: both are sent, and the first that the gateway knows counts",
                "keep one of them",
            )),
            _ => {}
        }
        if findings.is_empty() {
            findings.push(VARIABLES.ok("this terminal", "no variable leads past this gateway"));
        }
        findings
    }

    fn proxies(&self, url: &Url) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(file) = self.variables.get("NODE_EXTRA_CA_CERTS")
            && !Path::new(file).is_file()
        {
            findings.push(PROXY.fault(
                "NODE_EXTRA_CA_CERTS",
                format!(
                    "it names {file}, which is not there: Claude Code does not trust what is signed by it"
                ),
                "name the PEM file of your authority's certificate",
            ));
        }
        let proxy = proxy_of(url, |name| self.variables.get(name).cloned());
        match proxy {
            Some((variable, proxy)) if is_loopback(url) => findings.push(PROXY.fault(
                variable,
                format!("requests to this machine go to the proxy {proxy}"),
                "set NO_PROXY=localhost,127.0.0.1",
            )),
            Some((variable, proxy)) => findings.push(PROXY.ok(
                variable,
                format!("requests go through the proxy {proxy}: what follows was seen through it"),
            )),
            None => {}
        }
        if findings.is_empty() {
            findings.push(PROXY.ok("this terminal", "no proxy stands between here and the gateway"));
        }
        findings
    }
}

fn is_off(value: &str) -> bool {
    matches!(
        value.trim().to_ascii_lowercase().as_str(),
        "" | "0" | "false" | "no" | "off"
    )
}

/// Whether a base URL is this gateway's.
pub(super) fn is_same(base: &str, url: &Url) -> bool {
    let plain = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    Url::parse(base.trim()).is_ok_and(|base| plain(&base) == plain(url))
}

/// A URL without a user and a password.
fn hidden(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) => {
            // A URL that cannot have them has none.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        Err(_) => "something that is no address".to_owned(),
    }
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|about| about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    true
}

/// The proxy that requests of this program go through; none to this machine itself.
pub(super) fn proxy_for(url: &Url, get: impl Fn(&str) -> Option<String>) -> Option<String> {
    match is_loopback(url) {
        true => None,
        false => proxy_of(url, get).map(|(_, proxy)| proxy),
    }
}

/// The variable that names a proxy for an address, and the proxy without its password.
fn proxy_of(url: &Url, get: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    let names: &[&'static str] = match url.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let get = |name: &str| get(name).filter(|value| !value.is_empty());
    let (name, proxy) = names.iter().find_map(|name| Some((*name, get(name)?)))?;
    let host = url.host_str().unwrap_or_default();
    let excepted = get("NO_PROXY").or_else(|| get("no_proxy")).unwrap_or_default();
    let is_excepted = excepted.split(',').map(str::trim).any(|entry| {
        let bare = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*" || !bare.is_empty() && (host == bare || host.ends_with(&format!(".{bare}")))
    });
    (!is_excepted).then(|| (name, hidden(&proxy)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_doctor::State;
    use serde_json::json;

    fn machine(settings: Value, variables: &[(&str, &str)]) -> Machine {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Machine {
            settings: vec![("settings.json".into(), Ok(settings))],
            variables: variables.collect(),
            of_user: None,
            home: None,
        }
    }

    fn faults(settings: Value, variables: &[(&str, &str)]) -> Vec<String> {
        let url = Url::parse("https://gw.example.com").unwrap();
        let found = machine(settings, variables).look(&url);
        let faults = found.into_iter().filter(|finding| finding.state == State::Fault);
        faults
            .map(|finding| format!("{} {}: {}", finding.check, finding.subject, finding.found))
            .collect()
    }

    #[test]
    fn what_setup_writes_is_in_order() {
        let settings = json!({"env": {"ANTHROPIC_BASE_URL": "https://gw.example.com", "ANTHROPIC_AUTH_TOKEN": "sk-ccag-1"}});
        assert!(faults(settings, &[("CLAUDE_CODE_USE_BEDROCK", "0")]).is_empty());
    }

    #[test]
    fn what_leads_elsewhere_is_named_and_no_secret_is_shown() {
        let settings = json!({"env": {
            "ANTHROPIC_BASE_URL": "https://me:secret@other.example.com",
            "CLAUDE_CODE_USE_VERTEX": "1",
            "ANTHROPIC_API_KEY": "sk-ant-secret"
        }, "apiKeyHelper": "/nowhere/helper.sh"});
        let found = faults(
            settings,
            &[
                ("ANTHROPIC_API_KEY", "sk-ant-secret"),
                ("CLAUDE_CODE_USE_BEDROCK", "1"),
                ("ANTHROPIC_BASE_URL", "https://gw.example.com/x"),
                ("NODE_EXTRA_CA_CERTS", "/nowhere/ca.pem"),
            ],
        );
        assert_eq!(found.len(), 8, "{found:#?}");
        assert!(!found.join(" ").contains("secret"), "{found:#?}");
    }

    #[test]
    fn a_proxy_is_found_unless_the_host_is_excepted() {
        let url = Url::parse("https://gw.example.com").unwrap();
        let of = |no_proxy: &'static str| {
            proxy_for(&url, move |name| match name {
                "HTTPS_PROXY" => Some("http://me:secret@proxy:3128".to_owned()),
                "NO_PROXY" => Some(no_proxy.to_owned()),
                _ => None,
            })
        };
        assert_eq!(of("other.com").as_deref(), Some("http://proxy:3128/"));
        for excepted in ["*", ".example.com", "a, gw.example.com", "example.com"] {
            assert_eq!(of(excepted), None, "{excepted}");
        }
    }
}
