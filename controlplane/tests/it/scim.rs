//! SCIM from the outside: what a provider's client sends, and what becomes of it.

mod admin;
mod bulk;
mod errors;
mod groups;
mod lists;
mod many;
mod providers;
mod users;

use crate::support::{Answer, Caller, Plane, TestDb};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A provider that manages its users, and somebody who speaks for it.
pub(crate) struct Idp {
    pub(crate) id: String,
    pub(crate) client: Caller,
}

/// Adds a provider.
pub(crate) async fn provider(db: &TestDb, name: &str, rules: Value) -> String {
    let id = format!("idp_{}", name.to_lowercase());
    let connection = db.connect().await;
    let sql = format!(
        "INSERT INTO identity_providers (id, name, name_key, issuer, client_id, settings, enabled, created_at_ms, \
         updated_at_ms) VALUES ('{id}', '{name}', '{}', 'https://{name}.example', 'ccag', '{rules}', TRUE, 1, 1)",
        name.to_lowercase()
    );
    connection.execute_unprepared(&sql).await.unwrap();
    connection.close().await.unwrap();
    id
}

/// A provider with SCIM, and its token.
pub(crate) async fn idp(plane: &Plane, db: &TestDb, name: &str, mut rules: Value) -> Idp {
    rules["scim_enabled"] = json!(true);
    let id = provider(db, name, rules).await;
    let admin = plane.admin().await;
    let made = admin
        .post(&format!("/admin/idps/{id}/scim-tokens"), json!({"name": "test"}))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut client = plane.caller().with("content-type", "application/scim+json");
    client.token = Some(made.json()["token"].as_str().unwrap().to_owned());
    Idp { id, client }
}

/// A plane with one provider.
pub(crate) async fn start(db: &TestDb) -> (Plane, Idp) {
    start_with(db, json!({})).await
}

pub(crate) async fn start_with(db: &TestDb, rules: Value) -> (Plane, Idp) {
    let plane = Plane::start(db).await;
    let idp = idp(&plane, db, "Okta", rules).await;
    (plane, idp)
}

impl Idp {
    pub(crate) async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.client.send(method, &format!("/scim/v2{path}"), &body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Value::Null).await
    }

    /// The same client with one more header.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        Self {
            id: self.id.clone(),
            client: self.client.clone().with(name, value),
        }
    }

    /// Makes a user.
    pub(crate) async fn user(&self, name: &str) -> String {
        let answer = self.send("POST", "/Users", json!({"userName": name})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    /// Makes a group.
    pub(crate) async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| json!({"value": id})).collect();
        let body = json!({"displayName": name, "members": members});
        let answer = self.send("POST", "/Groups", body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        self.send("PATCH", path, body).await
    }

    /// The same in alphabetical order: whoever is made in one instant has no other.
    pub(crate) async fn found_any(&self, path: &str, attribute: &str) -> Vec<String> {
        let mut found = self.found(path, attribute).await;
        found.sort();
        found
    }

    /// The names of those that a query finds.
    pub(crate) async fn found(&self, path: &str, attribute: &str) -> Vec<String> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let list = answer.json();
        let resources = list["Resources"].as_array().unwrap();
        resources
            .iter()
            .map(|r| r[attribute].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Text as it stands in a query.
pub(crate) fn quoted(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What every refusal looks like (RFC 7644, §3.12).
#[track_caller]
pub(crate) fn assert_error(answer: &Answer, status: u16, kind: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/scim+json");
    let error = answer.json();
    assert_eq!(
        error["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
        "{error}"
    );
    assert_eq!(error["status"], json!(status.to_string()), "{error}");
    assert_eq!(error["scimType"].as_str(), kind, "{error}");
    assert!(!error["detail"].as_str().unwrap().is_empty(), "{error}");
}
