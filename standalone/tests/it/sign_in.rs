//! Claude Code's own login: against both planes, with a provider that nobody here wrote, and in a real terminal.

use crate::harness::{
    Client, ControlPlane, DataPlane, IdentityProvider, MODEL, Person, Sim, Terminal, database, message,
    wait_until,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn people() -> Value {
    json!({
        "mira": {
            "email": "mira@corp.example", "email_verified": true, "name": "Mira Novak", "groups": ["platform"],
        },
    })
}

async fn form(url: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.post(url).form(fields).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Lets a Claude Code in, which reaches the gateway at one address while its user's browser reaches it at another.
async fn let_in(gateway: &str, console: &str, person: &mut Person) -> Value {
    let (status, device) = form(
        &format!("{gateway}/oauth/device_authorization"),
        &[("surface", "claude_code")],
    )
    .await;
    assert_eq!(status, 200, "{device}");
    let page = person
        .confirm(console, device["user_code"].as_str().unwrap())
        .await;
    assert!(page.text.contains("You are signed in"), "{}", page.text);
    let code = device["device_code"].as_str().unwrap();
    let fields = [("grant_type", DEVICE_GRANT), ("device_code", code)];
    let (status, tokens) = form(&format!("{gateway}/oauth/token"), &fields).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

/// How long it takes until each of the clients gets this status.
async fn time_until(status: u16, clients: &[&Client]) -> Duration {
    let started = Instant::now();
    for client in clients {
        wait_until("the status changes", Duration::from_secs(10), || async {
            let seen = client.send(&message(MODEL, "hello")).await.status;
            (seen == status).then_some(())
        })
        .await;
    }
    started.elapsed()
}

/// The identity provider, as it manages its users.
struct Scim {
    base: String,
    token: String,
}

impl Scim {
    async fn send(&self, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .header("content-type", "application/scim+json")
            .body(body.to_string());
        let response = request.send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{}",
            response.text().await.unwrap()
        );
        response.json().await.unwrap()
    }
}

/// A collector that remembers the heads of what it is sent.
async fn collector() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let notes = Arc::clone(&notes);
            tokio::spawn(async move {
                let mut bytes = vec![0; 65_536];
                while let Ok(read @ 1..) = socket.read(&mut bytes).await {
                    notes
                        .lock()
                        .unwrap()
                        .push(String::from_utf8_lossy(&bytes[..read]).into_owned());
                    let _ = socket
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await;
                }
            });
        }
    });
    (url, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_works_on_every_data_plane_and_ends_on_all_within_a_second() {
    let sim = Sim::start().await;
    let mut control = ControlPlane::start("control", &database()).await;
    let admin = control.admin().await;
    let idp = IdentityProvider::start(&control.http, &people()).await;
    let provider = admin.post("/admin/idps", &idp.described(json!({}))).await;
    let provider = provider["id"].as_str().unwrap();
    let (collector, heard) = collector().await;
    let more = [
        ("CCAG_FORWARD_CONTROL", control.http.clone()),
        ("CCAG_TELEMETRY_COLLECTORS", collector),
    ];
    let mut near = DataPlane::start_with("data-1", &[&control], &sim, &more).await;
    let far = DataPlane::start_with("data-2", &[&control], &sim, &more).await;
    let mut mira = Person::new();
    let page = mira.sign_in(&control.http, provider, "mira").await;
    assert!(page.text.contains("Mira Novak"), "{}: {}", page.url, page.text);

    // What a client is told by one data plane, another believes at once.
    let tokens = let_in(&near.http, &control.http, &mut mira).await;
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let (a, b) = (near.client(&token), far.client(&token));
    for client in [&a, &b] {
        let reply = client.send(&message(MODEL, "hello")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    let rows = wait_until("the ledger has both", Duration::from_secs(10), || async {
        let rows = admin.ledger().await;
        (rows.len() == 2).then_some(rows)
    })
    .await;
    let users = admin.get("/admin/users?username=mira@corp.example").await;
    let user = users["users"][0]["id"].as_str().unwrap().to_owned();
    assert!(rows.iter().all(|row| row["user_id"] == user.as_str()), "{rows:?}");

    // Policies hold on the server.
    let policy = json!({"name": "Small", "match": {"email_domains": ["corp.example"]}, "models": ["claude-haiku-4-5"]});
    let policy = admin.post("/admin/policies", &policy).await;
    assert!(time_until(400, &[&a, &b]).await < Duration::from_secs(1));
    let refused = a.send(&message(MODEL, "hello")).await;
    assert!(
        refused.body.to_string().contains("policy `Small`"),
        "{}",
        refused.body
    );
    assert_eq!(a.send(&message("claude-haiku-4-5", "hello")).await.status, 200);
    admin
        .delete(&format!("/admin/policies/{}", policy["id"].as_str().unwrap()))
        .await;
    assert!(time_until(200, &[&a, &b]).await < Duration::from_secs(1));

    // What the client measures of itself is taken from everybody, and passed on of callers.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for bearer in [token.as_str(), "nobody's"] {
        let sent = http.post(format!("{}/v1/metrics", near.http)).bearer_auth(bearer);
        let sent = sent
            .header("content-type", "application/x-protobuf")
            .body("payload");
        assert_eq!(sent.send().await.unwrap().status(), 200);
    }
    wait_until("the collector has heard", Duration::from_secs(5), || async {
        let heard = heard.lock().unwrap().join("");
        (heard.contains("POST /v1/metrics") && heard.contains(&user) && !heard.contains(&token)).then_some(())
    })
    .await;

    // It survives a restart of both planes, as soon as the data plane has written down what it knows.
    tokio::time::sleep(Duration::from_secs(3)).await;
    control.kill();
    near.kill();
    near.resume().await;
    assert_eq!(
        near.client(&token).send(&message(MODEL, "hello")).await.status,
        200
    );
    control.resume().await;
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let (status, renewed) = form(&format!("{}/oauth/token", far.http), &fields).await;
    assert_eq!(status, 200, "{renewed}");
    let renewed = renewed["access_token"].as_str().unwrap();
    admin.fleet_of(2).await;
    let (a, b) = (near.client(renewed), far.client(renewed));
    assert!(time_until(200, &[&a, &b]).await < Duration::from_secs(1));

    // Out, everywhere.
    admin
        .post(&format!("/admin/users/{user}/suspend"), &json!({}))
        .await;
    let took = time_until(401, &[&a, &b]).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    let forged = token.rsplit_once('.').unwrap().0.to_owned() + ".c2lnbmF0dXJl";
    assert_eq!(
        near.client(&forged).send(&message(MODEL, "hello")).await.status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_claude_code_signs_in_in_a_terminal() {
    let sim = Sim::start().await;
    let short_lived = [("CCAG_CLIENT_TOKEN_MINUTES", "1".to_owned())];
    let mut control = ControlPlane::start_with("control", &database(), &short_lived).await;
    let forward = [("CCAG_FORWARD_CONTROL", control.http.clone())];
    let mut gateway = DataPlane::start_with("data", &[&control], &sim, &forward).await;
    let admin = control.admin().await;
    let idp = IdentityProvider::start(&control.http, &people()).await;
    let provider = admin.post("/admin/idps", &idp.described(json!({}))).await;
    let path = format!("/admin/idps/{}", provider["id"].as_str().unwrap());
    admin
        .put(&format!("{path}/scim"), &json!({"enabled": true}))
        .await;
    let made = admin
        .post(&format!("{path}/scim-tokens"), &json!({"name": "test"}))
        .await;
    let scim = Scim {
        base: format!("{}/scim/v2", control.http),
        token: made["token"].as_str().unwrap().to_owned(),
    };
    let mira_there = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "mira@corp.example",
        "active": true,
    });
    let mira_there = scim.send(reqwest::Method::POST, "/Users", &mira_there).await;
    let budget = json!({"budget_amount_usd": "500.00", "budget_period": "monthly"});
    admin.put("/admin/settings/default-budget", &budget).await;
    let told = json!({
        "name": "Everybody", "settings": {"companyAnnouncements": ["Read the handbook first"]},
        "models": ["claude-haiku-4-5"],
    });
    admin.post("/admin/policies", &told).await;
    let notice = json!({"password_sign_in": true, "login_notice": "For work alone."});
    admin.put("/admin/sign-in", &notice).await;
    let mut mira = Person::new();
    mira.sign_in(&control.http, provider["id"].as_str().unwrap(), "mira")
        .await;

    let terminal = Terminal::new(&gateway.http);
    terminal.start();
    terminal.choose("Choose the text style", "Auto").await;
    terminal.shows("Enter to connect").await;
    terminal.press("Enter");
    terminal.choose("Trust gateway", "Yes, trust").await;
    let screen = terminal.shows("Code:").await;
    assert!(screen.contains("For work alone."), "{screen}");
    let code = screen
        .split("Code:")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    mira.confirm(&control.http, code).await;
    terminal
        .choose("Signed in to Cloud gateway as mira@corp.example", "Yes, continue")
        .await;
    terminal.shows("Connected to Cloud gateway").await;
    terminal.press("Enter");
    // How many notes it shows before it asks about the folder differs.
    let asks = "trust this folder";
    for _ in 0..20 {
        if terminal.screen().contains(asks) {
            break;
        }
        if terminal.screen().contains("to continue") {
            terminal.press("Enter");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    terminal.choose(asks, "Yes, I trust").await;
    terminal.shows("Cloud gateway").await;
    terminal.shows("❯").await;
    terminal.enter("hello from the terminal").await;
    terminal.shows("You said: hello from the terminal").await;
    // It knows which models there are for it, and has begun with one of them.
    let rows = wait_until("the ledger has it", Duration::from_secs(10), || async {
        let rows = admin.ledger().await;
        (!rows.is_empty()).then_some(rows)
    })
    .await;
    assert!(
        rows.iter()
            .all(|row| row["model"] == "claude-haiku-4-5" && row["status"] == 200),
        "{rows:?}"
    );
    // A data plane is told a moment later than the ledger what is spent, and the client asks once each time it is looked at.
    wait_until(
        "the terminal shows what is spent",
        Duration::from_secs(60),
        || async {
            terminal.enter("/usage").await;
            let screen = terminal.shows("spent this month").await;
            terminal.press("Escape");
            terminal.hides("spent this month").await;
            screen.contains("/ $500.00 spent this month").then_some(())
        },
    )
    .await;
    let sessions = admin.get("/admin/client-sessions").await;
    let session = &sessions["sessions"][0];
    assert!(
        session["client"].as_str().unwrap().starts_with("claude-code/"),
        "{sessions}"
    );
    assert_eq!(
        session["user_id"], mira_there["id"],
        "who signs in is who was provisioned"
    );
    // Its token is good for a minute, and it gets another by itself.
    let first = session["refreshed_at"].clone();
    tokio::time::sleep(Duration::from_secs(62)).await;
    terminal.enter("a minute later").await;
    terminal.shows("You said: a minute later").await;
    let sessions = admin.get("/admin/client-sessions").await;
    assert_ne!(sessions["sessions"][0]["refreshed_at"], first, "{sessions}");
    // Neither does it feel that both planes were killed.
    gateway.kill();
    control.kill();
    control.resume().await;
    gateway.resume().await;
    let admin = control.admin().await;
    admin.fleet_of(1).await;
    terminal.enter("and after a restart").await;
    terminal.shows("You said: and after a restart").await;
    let off = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "Replace", "path": "active", "value": "False"}],
    });
    let path = format!("/Users/{}", mira_there["id"].as_str().unwrap());
    scim.send(reqwest::Method::PATCH, &path, &off).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    terminal.enter("am I still in").await;
    terminal.shows("Please run /login").await;
}
