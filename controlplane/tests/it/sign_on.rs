//! Signing in with identity providers: who comes in, as whom, and who does not.

use crate::idp::{Idp, signed, unsigned};
use crate::support::{Answer, Caller, NOON, PASSWORD, Plane, TestDb, config, on_both};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::Ordering;

on_both!(
    somebody_signs_in_and_is_who_the_provider_says,
    two_providers_with_the_same_address_speak_of_two_people,
    tokens_that_are_not_what_they_must_be_are_refused,
    a_new_key_of_the_provider_is_fetched_and_not_all_the_time,
    a_sign_in_is_good_once_and_in_its_own_browser,
    who_may_not_come_in_is_told_why,
    groups_make_roles_and_teams_and_changed_rules_hold_at_once,
    a_provider_is_looked_at_before_it_is_stored,
    sessions_live_on_without_the_provider,
    passwords_are_turned_off_by_who_needs_none,
    the_environment_describes_a_provider_once,
);

/// A browser that is on its way through a provider.
pub(crate) struct Way {
    pub(crate) caller: Caller,
    pub(crate) state: String,
    nonce: String,
    challenge: String,
    scope: String,
}

fn cookies(answer: &Answer) -> String {
    let pairs = answer.headers.get_all("set-cookie").iter();
    let pairs: Vec<&str> = pairs
        .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
        .collect();
    pairs.join("; ")
}

fn query(url: &str) -> HashMap<String, String> {
    url::Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// Adds a provider.
pub(crate) async fn add(admin: &Caller, idp: &Idp, name: &str, rules: Value) -> String {
    let made = admin.post("/admin/idps", idp.described(name, rules)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains("hush"), "the secret is shown to nobody");
    made.id()
}

pub(crate) async fn set_out(plane: &Plane, provider: &str) -> Way {
    let caller = plane.caller().with("host", "gw.example");
    let sent = caller
        .get(&format!("/auth/oidc/{provider}/login?next=/console/keys"))
        .await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let asked = query(sent.headers["location"].to_str().unwrap());
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["redirect_uri"], "http://gw.example/auth/oidc/callback");
    Way {
        caller: caller.with("cookie", &cookies(&sent)),
        state: asked["state"].clone(),
        nonce: asked["nonce"].clone(),
        challenge: asked["code_challenge"].clone(),
        scope: asked["scope"].clone(),
    }
}

impl Way {
    pub(crate) async fn come_back(&self) -> Answer {
        let path = format!("/auth/oidc/callback?code=good&state={}", self.state);
        self.caller.get(&path).await
    }

    /// Comes back with an honest token about somebody.
    pub(crate) async fn back_as(&self, idp: &Idp, about: Value) -> Answer {
        let claims = idp.claims(&self.nonce, about);
        idp.answer_with(signed(1, &claims), &self.challenge);
        self.come_back().await
    }
}

/// Signs somebody in.
pub(crate) async fn sign_in(plane: &Plane, idp: &Idp, provider: &str, about: Value) -> Caller {
    let answer = set_out(plane, provider).await.back_as(idp, about).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(answer.headers["location"], "/console/keys");
    let session = cookies(&answer);
    let token = session.split("ccag_session=").nth(1).unwrap();
    let token = token.split(';').next().unwrap();
    Caller {
        token: Some(token.to_owned()),
        ..plane.caller()
    }
}

async fn me(caller: &Caller) -> Value {
    let me = caller.get("/auth/me").await;
    assert_eq!(me.status, 200, "{}", me.text);
    me.json()["user"].clone()
}

async fn somebody_signs_in_and_is_who_the_provider_says(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let provider = add(&admin, &idp, "Okta", json!({})).await;
    let offered = plane.caller().get("/auth/providers").await.json();
    assert_eq!(offered["providers"][0]["name"], "Okta");
    let about = json!({"sub": "u1", "email": "ada@corp.example", "email_verified": true, "name": "Ada L"});
    let way = set_out(&plane, &provider).await;
    assert_eq!(way.scope, "openid profile email");
    let ada = me(&sign_in(&plane, &idp, &provider, about).await).await;
    assert_eq!(ada["username"], "ada@corp.example");
    assert_eq!(ada["display_name"], "Ada L");
    assert_eq!(ada["provider_id"], json!(provider));
    assert_eq!(ada["role"], "member");
    // Another address makes nobody else of her: she is who the subject says.
    let about = json!({"sub": "u1", "email": "ada.lovelace@corp.example", "name": "Ada Lovelace"});
    let again = me(&sign_in(&plane, &idp, &provider, about).await).await;
    assert_eq!(again["id"], ada["id"]);
    assert_eq!(again["email"], "ada.lovelace@corp.example");
    let log = admin.get("/admin/audit?limit=50").await.text;
    assert!(log.contains("user.provision") && log.contains("session.begin"));
    plane.stop().await;
}

async fn two_providers_with_the_same_address_speak_of_two_people(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let (one, other) = (Idp::start().await, Idp::start().await);
    let okta = add(&admin, &one, "Okta", json!({})).await;
    let entra = add(&admin, &other, "Entra", json!({})).await;
    let about = json!({"sub": "same", "email": "ada@corp.example", "email_verified": true});
    let first = me(&sign_in(&plane, &one, &okta, about.clone()).await).await;
    let second = me(&sign_in(&plane, &other, &entra, about).await).await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(second["username"], "ada@corp.example (Entra)");
    // Nor does anybody become the local admin by calling themselves so.
    let rules = json!({"user_claim": "preferred_username"});
    let third = Idp::start().await;
    let sly = add(&admin, &third, "Sly", rules).await;
    let about = json!({"sub": "x", "preferred_username": "admin"});
    let user = me(&sign_in(&plane, &third, &sly, about).await).await;
    assert_eq!(
        (&user["username"], &user["role"]),
        (&json!("admin (Sly)"), &json!("member"))
    );
    plane.stop().await;
}

async fn tokens_that_are_not_what_they_must_be_are_refused(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let provider = add(&admin, &idp, "Okta", json!({})).await;
    let now_s = NOON / 1_000;
    let wrong = [
        (json!({"aud": "another"}), "another application"),
        (json!({"aud": ["ccag-test", "another"]}), "another application"),
        (json!({"exp": now_s - 120}), "out of date"),
        (json!({"iat": now_s + 600}), "out of date"),
        (json!({"iat": now_s - 7_200}), "out of date"),
        (json!({"iss": "https://evil.example"}), "another issuer"),
        (json!({"nonce": "stolen"}), "another sign-in"),
    ];
    for (change, said) in wrong {
        let way = set_out(&plane, &provider).await;
        let mut about = json!({"sub": "u1", "email": "ada@corp.example"});
        about
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = way.back_as(&idp, about).await;
        assert_eq!(answer.status, 401, "{change}");
        assert!(answer.text.contains(said), "{change}: {}", answer.text);
    }
    let forged = |number: u32, claims: &Value| match number {
        0 => unsigned(claims),
        n => signed(n, claims),
    };
    for number in [0, 2] {
        let way = set_out(&plane, &provider).await;
        let claims = idp.claims(&way.nonce, json!({"sub": "u1"}));
        idp.answer_with(forged(number, &claims), &way.challenge);
        let answer = way.come_back().await;
        assert_eq!(answer.status, 401, "{number}: {}", answer.text);
    }
    let way = set_out(&plane, &provider).await;
    let claims = idp.claims(&way.nonce, json!({"sub": "u1"}));
    idp.answer_with(signed(1, &claims), "another challenge");
    assert_eq!(
        way.come_back().await.status,
        401,
        "the verifier is checked by the provider"
    );
    let users = admin.get("/admin/users").await.json();
    assert_eq!(users["users"].as_array().unwrap().len(), 1, "nobody came in");
    plane.stop().await;
}

async fn a_new_key_of_the_provider_is_fetched_and_not_all_the_time(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let provider = add(&admin, &idp, "Okta", json!({})).await;
    let about = json!({"sub": "u1", "email": "ada@corp.example"});
    sign_in(&plane, &idp, &provider, about.clone()).await;
    let asked = idp.asked_for_keys.load(Ordering::Relaxed);
    idp.publish(2);
    let signed_with = async |number: u32| {
        let way = set_out(&plane, &provider).await;
        let claims = idp.claims(&way.nonce, about.clone());
        idp.answer_with(signed(number, &claims), &way.challenge);
        way.come_back().await.status.as_u16()
    };
    assert_eq!(signed_with(2).await, 401, "the keys were fetched a moment ago");
    assert_eq!(idp.asked_for_keys.load(Ordering::Relaxed), asked);
    plane.clock.0.fetch_add(31_000, Ordering::Relaxed);
    assert_eq!(signed_with(2).await, 303);
    assert_eq!(signed_with(1).await, 401, "the old key is good no more");
    assert_eq!(signed_with(3).await, 401);
    assert_eq!(idp.asked_for_keys.load(Ordering::Relaxed), asked + 1);
    plane.stop().await;
}

async fn a_sign_in_is_good_once_and_in_its_own_browser(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let provider = add(&admin, &idp, "Okta", json!({})).await;
    let about = json!({"sub": "u1", "email": "ada@corp.example"});
    let way = set_out(&plane, &provider).await;
    assert_eq!(way.back_as(&idp, about.clone()).await.status, 303);
    let replayed = way.back_as(&idp, about.clone()).await;
    assert_eq!(replayed.status, 401);
    assert!(replayed.text.contains("Start again"), "{}", replayed.text);
    // Somebody else's browser, with a link that was stolen or planted.
    let mine = set_out(&plane, &provider).await;
    let theirs = Way {
        caller: set_out(&plane, &provider).await.caller,
        ..mine
    };
    assert_eq!(theirs.back_as(&idp, about.clone()).await.status, 401);
    let late = set_out(&plane, &provider).await;
    plane.clock.0.fetch_add(601_000, Ordering::Relaxed);
    assert_eq!(late.back_as(&idp, about).await.status, 401);
    let odd = plane
        .caller()
        .get("/auth/oidc/callback?state=x&error=access_denied")
        .await;
    assert_eq!(odd.status, 401);
    let denied = set_out(&plane, &provider).await;
    let path = format!("/auth/oidc/callback?state={}&error=access_denied", denied.state);
    let answer = denied.caller.get(&path).await;
    assert!(answer.text.contains("did not let you in"), "{}", answer.text);
    plane.stop().await;
}

async fn who_may_not_come_in_is_told_why(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let rules = json!({"allowed_domains": ["corp.example"], "allowed_groups": ["claude"]});
    let provider = add(&admin, &idp, "Okta", rules.clone()).await;
    let refused = async |about: Value, said: &str| {
        let answer = set_out(&plane, &provider).await.back_as(&idp, about).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains(said), "{said}: {}", answer.text);
    };
    let good = json!({"sub": "u1", "email": "ada@corp.example", "groups": ["claude"]});
    refused(
        json!({"sub": "u1", "email": "ada@evil.example", "groups": ["claude"]}),
        "evil.example",
    )
    .await;
    let unverified =
        json!({"sub": "u1", "email": "ada@corp.example", "email_verified": false, "groups": ["claude"]});
    refused(unverified, "verified").await;
    refused(
        json!({"sub": "u1", "email": "ada@corp.example", "groups": ["x"]}),
        "none of the groups",
    )
    .await;
    let ada = sign_in(&plane, &idp, &provider, good.clone()).await;
    let id = me(&ada).await["id"].as_str().unwrap().to_owned();
    admin.post(&format!("/admin/users/{id}/suspend"), json!({})).await;
    refused(good.clone(), "suspended").await;
    assert_eq!(ada.get("/auth/me").await.status, 401);
    let closed = json!({"allowed_domains": [], "auto_provision": false});
    let path = format!("/admin/idps/{provider}");
    let changed = admin
        .send("PUT", &path, &idp.described("Okta", closed).to_string())
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    refused(
        json!({"sub": "u2", "email": "bob@corp.example"}),
        "not a user here",
    )
    .await;
    plane.stop().await;
}

async fn groups_make_roles_and_teams_and_changed_rules_hold_at_once(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let idp = Idp::start().await;
    let rules = json!({"group_mappings": [{"group": "Platform", "team_id": team}, {"group": "ops", "role": "admin"}]});
    let provider = add(&admin, &idp, "Keycloak", rules).await;
    assert!(set_out(&plane, &provider).await.scope.contains("groups"));
    let about = json!({"sub": "u1", "email": "ada@corp.example", "groups": ["/platform", "/ops"]});
    let ada = sign_in(&plane, &idp, &provider, about).await;
    let user = me(&ada).await;
    assert_eq!((&user["role"], &user["team_id"]), (&json!("admin"), &json!(team)));
    assert_eq!(user["groups"], json!(["/platform", "/ops"]));
    let path = format!("/admin/idps/{provider}");
    let fewer = json!({"group_mappings": [{"group": "ops", "role": "member"}]});
    let changed = admin
        .send("PUT", &path, &idp.described("Keycloak", fewer).to_string())
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(me(&ada).await["role"], "member");
    // What groups have given goes with the last mapping that gave it.
    for (rules, role) in [
        (
            json!({"group_mappings": [{"group": "ops", "role": "admin"}]}),
            "admin",
        ),
        (json!({}), "member"),
    ] {
        let body = idp.described("Keycloak", rules).to_string();
        assert_eq!(admin.send("PUT", &path, &body).await.status, 200);
        assert_eq!(me(&ada).await["role"], role);
    }
    plane.stop().await;
}

async fn a_provider_is_looked_at_before_it_is_stored(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let good = idp.described("Okta", json!({}));
    let wrong = [
        ("issuer_url", json!("http://login.example")),
        ("issuer_url", json!("https://login.example/?a=b")),
        ("issuer_url", json!("nonsense")),
        ("client_id", json!("")),
        ("name", json!(" ")),
        ("rules", json!({"group_mappings": [{"group": "a"}]})),
        ("rules", json!({"default_team_id": "team_gone"})),
        ("rules", json!({"jwks_url": "http://login.example/keys"})),
        ("rules", json!({"unheard": 1})),
    ];
    for (field, value) in wrong {
        let mut body = good.clone();
        body[field] = value;
        let answer = admin.post("/admin/idps", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    }
    let id = add(&admin, &idp, "Okta", json!({})).await;
    assert_eq!(admin.post("/admin/idps", good.clone()).await.status, 409);
    let tested = admin
        .post(&format!("/admin/idps/{id}/test"), json!({}))
        .await
        .json();
    assert_eq!(tested["checks"][1]["ok"], true, "{tested}");
    // What is not said of the secret keeps it.
    let mut silent = good.clone();
    silent.as_object_mut().unwrap().remove("client_secret");
    let path = format!("/admin/idps/{id}");
    let kept = admin.send("PUT", &path, &silent.to_string()).await.json();
    assert_eq!(kept["has_client_secret"], true);
    silent["client_secret"] = Value::Null;
    let public = admin.send("PUT", &path, &silent.to_string()).await.json();
    assert_eq!(public["has_client_secret"], false);
    let (member, _) = admin.new_member("ada").await;
    for (method, path) in [
        ("GET", "/admin/idps"),
        ("POST", "/admin/idps"),
        ("DELETE", path.as_str()),
    ] {
        assert_eq!(member.send(method, path, &good.to_string()).await.status, 403);
    }
    assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    plane.stop().await;
}

async fn sessions_live_on_without_the_provider(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let idp = Idp::start().await;
    let provider = add(&admin, &idp, "Okta", json!({})).await;
    let about = json!({"sub": "u1", "email": "ada@corp.example"});
    let ada = sign_in(&plane, &idp, &provider, about.clone()).await;
    idp.set_down(true);
    assert_eq!(ada.get("/auth/me").await.status, 200);
    // For a day what was found before stands in.
    plane.clock.0.fetch_add(2 * 3_600_000, Ordering::Relaxed);
    set_out(&plane, &provider).await;
    plane.clock.0.fetch_add(24 * 3_600_000, Ordering::Relaxed);
    let path = format!("/auth/oidc/{provider}/login");
    let answer = plane.caller().get(&path).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    assert!(answer.text.contains("Okta"), "the page says who does not answer");
    plane.stop().await;
}

async fn passwords_are_turned_off_by_who_needs_none(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let off = json!({"password_sign_in": false, "login_notice": "Only for work."});
    let refused = admin.send("PUT", "/admin/sign-in", &off.to_string()).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let idp = Idp::start().await;
    let rules = json!({"group_mappings": [{"group": "ops", "role": "owner"}]});
    let provider = add(&admin, &idp, "Okta", rules).await;
    let about = json!({"sub": "u1", "email": "ada@corp.example", "groups": ["ops"]});
    let ada = sign_in(&plane, &idp, &provider, about).await;
    let set = ada.send("PUT", "/admin/sign-in", &off.to_string()).await;
    assert_eq!(set.status, 200, "{}", set.text);
    let body = json!({"username": "admin", "password": PASSWORD});
    let answer = plane.caller().post("/auth/login", body.clone()).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(answer.text.contains("organisation's account"), "{}", answer.text);
    let page = plane.caller().get("/console/login").await.text;
    assert!(page.contains("Continue with Okta") && !page.contains("type=\"password\""));
    let id = me(&ada).await["id"].as_str().unwrap().to_owned();
    let password = json!({"password": PASSWORD});
    let patched = ada
        .send("PATCH", &format!("/admin/users/{id}"), &password.to_string())
        .await;
    assert_eq!(
        patched.status, 400,
        "who comes from a provider has no password here"
    );
    plane.stop().await;
    // The operator's way back in.
    let mut open = config(&db);
    open.passwords_always = true;
    let plane = Plane::start_with(open).await;
    assert_eq!(plane.caller().post("/auth/login", body).await.status, 200);
    plane.stop().await;
}

async fn the_environment_describes_a_provider_once(db: TestDb) {
    let idp = Idp::start().await;
    let mut described = config(&db);
    described.bootstrap.provider = Some(ccag_controlplane::app::identity::providers::Described {
        name: "Okta".into(),
        issuer: idp.issuer.clone(),
        client_id: "ccag-test".into(),
        client_secret: None,
        user_claim: None,
        scopes: Vec::new(),
        jwks_url: None,
    });
    let plane = Plane::start_with(described.clone()).await;
    let admin = plane.admin().await;
    let found = admin.get("/admin/idps").await.json();
    let id = found["idps"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        admin
            .send("DELETE", &format!("/admin/idps/{id}"), "")
            .await
            .status,
        204
    );
    plane.stop().await;
    let plane = Plane::start_with(described).await;
    let admin = plane.admin().await;
    assert_eq!(
        admin.get("/admin/idps").await.json()["idps"],
        json!([]),
        "what was deleted stays so"
    );
    plane.stop().await;
}
