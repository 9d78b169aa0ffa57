//! An OpenID provider that nobody here wrote.

use super::process::free_port;
use super::{Process, provided};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    _process: Process,
}

impl IdentityProvider {
    /// Starts one that knows these people, for a gateway at an address.
    pub(crate) async fn start(gateway: &str, accounts: &Value) -> Self {
        let port = free_port();
        let wanted = json!({
            "port": port,
            "accounts": accounts,
            "clients": [{
                "client_id": "ccag",
                "client_secret": "provider-secret",
                "redirect_uris": [format!("{gateway}/auth/oidc/callback")],
            }],
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/identity_provider.mjs");
        let mut command = Command::new("node");
        command
            .arg(script)
            .arg(wanted.to_string())
            .env("CCAG_TEST_NODE_DIR", provided("CCAG_TEST_NODE_DIR"));
        let mut process = Process::start("oidc-provider", &mut command);
        let issuer = format!("http://127.0.0.1:{port}");
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        process
            .until("it answers", || super::gateway::answers(discovery.clone()))
            .await;
        Self {
            issuer,
            _process: process,
        }
    }

    /// What the gateway is told of it.
    pub(crate) fn described(&self, rules: Value) -> Value {
        json!({
            "name": "Corp", "issuer_url": self.issuer, "client_id": "ccag", "client_secret": "provider-secret",
            "rules": rules,
        })
    }
}
