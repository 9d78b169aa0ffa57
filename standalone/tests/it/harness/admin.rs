//! The admin API, as an administrator uses it.

use serde_json::{Value, json};
use std::time::Duration;

use super::process::wait_until;

#[derive(Clone)]
pub(crate) struct Admin {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Admin {
    pub(crate) async fn log_in(base: &str, username: &str, password: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = http
            .post(format!("{base}/auth/login"))
            .json(&json!({"username": username, "password": password}))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let session: Value = response.json().await.unwrap();
        Self {
            http,
            base: base.to_owned(),
            token: session["token"].as_str().unwrap().to_owned(),
        }
    }

    /// What it shows to be let in.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The same session at another replica.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.base));
        self.answer(request).await
    }

    /// The same where there may be nothing yet.
    pub(crate) async fn find(&self, path: &str) -> Option<Value> {
        let request = self.http.get(format!("{}{path}", self.base));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        match response.status().as_u16() {
            404 => None,
            200 => Some(response.json().await.unwrap()),
            status => panic!("{path}: {status} {}", response.text().await.unwrap()),
        }
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.answer(request).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Value {
        let request = self.http.put(format!("{}{path}", self.base)).json(body);
        self.answer(request).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Value {
        let request = self.http.patch(format!("{}{path}", self.base)).json(body);
        self.answer(request).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        let (status, url) = (response.status(), response.url().clone());
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// Makes a key and returns its id and its secret.
    pub(crate) async fn create_key(&self, name: &str) -> (String, String) {
        let made = self.post("/admin/keys", &json!({"name": name})).await;
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }

    /// Deletes something.
    pub(crate) async fn delete(&self, path: &str) {
        let request = self.http.delete(format!("{}{path}", self.base));
        let response = request.bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(response.status(), 204, "{path}");
    }

    pub(crate) async fn revoke_key(&self, id: &str) {
        self.post(&format!("/admin/keys/{id}/revoke"), &json!({})).await;
    }

    /// The ledger, one value per request.
    pub(crate) async fn ledger(&self) -> Vec<Value> {
        // All of it: of a data plane whose clock is ahead there are rows that begin after now.
        let all = "from=2000-01-01T00:00:00Z&to=2200-01-01T00:00:00Z";
        let response = self
            .http
            .get(format!("{}/admin/usage/export?{all}", self.base))
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let text = response.text().await.unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The ledger once every one of these requests is in it.
    pub(crate) async fn ledger_with(&self, request_ids: &[String]) -> Vec<Value> {
        let missing = std::cell::RefCell::new(Vec::new());
        let complete = async {
            loop {
                let ledger = self.ledger().await;
                let has = |id: &String| ledger.iter().any(|row| row["request_id"] == id.as_str());
                let absent: Vec<String> = request_ids.iter().filter(|id| !has(id)).cloned().collect();
                if absent.is_empty() {
                    return ledger;
                }
                missing.replace(absent);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(30), complete).await {
            Ok(ledger) => ledger,
            Err(_) => panic!("missing in the ledger: {:?}", missing.into_inner()),
        }
    }

    /// Waits until so many data planes are connected and have applied everything.
    pub(crate) async fn fleet_of(&self, size: u64) {
        wait_until(
            "the data planes are up to date",
            Duration::from_secs(20),
            || async {
                let replicas = &self.get("/admin/status").await["replicas"];
                (replicas["connected"] == size && replicas["up_to_date"] == size).then_some(())
            },
        )
        .await;
    }
}
