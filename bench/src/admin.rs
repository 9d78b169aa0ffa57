//! The admin API, as far as the benchmark needs it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The model that is asked for.
pub(crate) const MODEL: &str = "claude-sonnet-4-6";

pub(crate) struct Admin {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Admin {
    pub(crate) async fn log_in(base: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let mut admin = Self {
            http,
            base: base.to_owned(),
            token: String::new(),
        };
        let login = json!({"username": "admin", "password": password});
        let session = admin.send(reqwest::Method::POST, "/auth/login", &login).await?;
        admin.token = text(&session, "token")?;
        Ok(admin)
    }

    pub(crate) async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .json(body);
        self.answer(path, request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.answer(path, self.http.get(format!("{}{path}", self.base)))
            .await
    }

    /// What comes back: nothing where there is no JSON in it.
    async fn answer(&self, path: &str, request: reqwest::RequestBuilder) -> Result<Value> {
        let response = request.bearer_auth(&self.token).send().await?;
        let (status, said) = (response.status(), response.text().await?);
        if !status.is_success() {
            bail!("{path}: {status} {said}");
        }
        Ok(serde_json::from_str(&said).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(reqwest::Method::POST, path, body).await
    }

    /// As many endpoints as there are to be, the first one with the gateway.
    pub(crate) async fn endpoints(&self, count: usize) -> Result<()> {
        for n in 1..count {
            let endpoint = json!({"name": unused("endpoint", n), "region": "us-east-1"});
            self.post("/admin/endpoints", &endpoint).await?;
        }
        Ok(())
    }

    /// A user in a team, with a key.
    pub(crate) async fn person(&self, kind: &str) -> Result<Person> {
        let name = unused(kind, 0);
        let team = self.post("/admin/teams", &json!({"name": name})).await?;
        let user = json!({"username": name, "password": "correct-horse-battery-staple"});
        let user = self.post("/admin/users", &user).await?;
        let of_team = format!("/admin/users/{}/team", text(&user, "id")?);
        self.send(reqwest::Method::PUT, &of_team, &json!({"team_id": team["id"]}))
            .await?;
        let key = json!({"name": name, "user_id": user["id"]});
        let key = self.post("/admin/keys", &key).await?;
        Ok(Person {
            team: text(&team, "id")?,
            user: text(&user, "id")?,
            key: text(&key, "id")?,
            secret: text(&key, "key")?,
        })
    }

    /// Bounds somebody by three budgets and two limits, all of them ample. The key's budget is a hard one.
    pub(crate) async fn bind(&self, person: &Person) -> Result<()> {
        let Person { team, user, key, .. } = person;
        for budget in [
            json!({"scope": "team", "team_id": team, "amount_usd": "1000000", "period": "monthly"}),
            json!({"scope": "user", "user_id": user, "amount_usd": "1000000", "period": "monthly"}),
            json!({"scope": "key", "key_id": key, "amount_usd": "1000000", "period": "daily", "mode": "hard"}),
        ] {
            self.post("/admin/budgets", &budget).await?;
        }
        for limit in [
            json!({"scope": "team", "team_id": team, "kind": "tokens_per_minute", "amount": 100_000_000_000u64}),
            json!({"scope": "user", "user_id": user, "kind": "requests_per_minute", "amount": 100_000_000}),
        ] {
            self.post("/admin/limits", &limit).await?;
        }
        Ok(())
    }
}

/// Somebody who asks.
pub(crate) struct Person {
    team: String,
    user: String,
    key: String,
    /// What opens the gateway.
    pub(crate) secret: String,
}

/// A name that nobody has, also in a database that was used before.
pub(crate) fn unused(kind: &str, n: usize) -> String {
    format!("bench-{}-{kind}-{n}", std::process::id())
}

fn text(of: &Value, name: &str) -> Result<String> {
    let text = of[name].as_str().with_context(|| format!("no {name} in {of}"))?;
    Ok(text.to_owned())
}
