//! A gateway with somebody in every role, two teams, and something of everything to ask for.

use crate::support::{Answer, Caller, PASSWORD, Plane, SYSTEM, TestDb, record};
use ccag_admin_api::CreateUser;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_controlplane::app::users;
use ccag_domain::{KeyId, Permission, Reach, Role, TeamId, UsageRecord, UserId};
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};

/// A column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Nobody,
    Member,
    Manager,
    OtherManager,
    Auditor,
    Admin,
    Owner,
}

impl Column {
    pub(super) const ALL: [Self; 7] = [
        Self::Nobody,
        Self::Member,
        Self::Manager,
        Self::OtherManager,
        Self::Auditor,
        Self::Admin,
        Self::Owner,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Nobody => "not signed in",
            Self::Member => "member",
            Self::Manager => "manager of the team",
            Self::OtherManager => "manager of another team",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    const fn role(self) -> Role {
        match self {
            Self::Nobody | Self::Member => Role::Member,
            Self::Manager | Self::OtherManager => Role::TeamManager,
            Self::Auditor => Role::Auditor,
            Self::Admin => Role::Admin,
            Self::Owner => Role::Owner,
        }
    }
}

/// Somebody who asks.
pub(super) struct Who {
    pub(super) column: Column,
    pub(super) id: String,
    pub(super) team: Option<String>,
    /// With a token.
    pub(super) api: Caller,
    /// With a cookie.
    pub(super) browser: Caller,
    csrf: String,
    /// The id of a request of theirs.
    request: String,
}

/// Whose things are asked for.
#[derive(Clone, Copy)]
pub(super) enum Whose<'a> {
    /// Those of a member of the first team.
    Mate,
    /// One's own.
    Own(&'a Who),
    /// Those that do not exist.
    Nobodys,
}

pub(super) struct World {
    db: TestDb,
    pub(super) plane: Plane,
    pub(super) owner: Caller,
    pub(super) people: Vec<Who>,
    pub(super) red: String,
    pub(super) blue: String,
    pub(super) mate: String,
    pub(super) stranger: String,
    pub(super) stranger_key: String,
    request_of_mate: String,
    next: AtomicU64,
}

impl World {
    pub(super) async fn new() -> Self {
        let db = TestDb::sqlite().await;
        let plane = Plane::start(&db).await;
        let owner = plane.admin().await;
        let team = |name: &'static str| {
            let owner = &owner;
            async move { owner.post("/admin/teams", json!({"name": name})).await.id() }
        };
        let (red, blue) = (team("team-of-mate").await, team("team-of-stranger").await);
        let mut world = Self {
            db,
            plane,
            owner,
            people: Vec::new(),
            red: red.clone(),
            blue: blue.clone(),
            mate: String::new(),
            stranger: String::new(),
            stranger_key: String::new(),
            request_of_mate: String::new(),
            next: AtomicU64::new(1),
        };
        world.mate = world.user("user-of-mate", Role::Member, Some(&red)).await;
        world.stranger = world.user("user-of-stranger", Role::Member, Some(&blue)).await;
        world.request_of_mate = world.seed("mate", &world.mate, Some(&red)).await.1;
        world.stranger_key = world.seed("stranger", &world.stranger, Some(&blue)).await.0;
        world.set_team_budgets().await;
        for column in Column::ALL {
            let team = match column {
                Column::Nobody | Column::Member | Column::Manager => Some(red.as_str()),
                Column::OtherManager => Some(blue.as_str()),
                Column::Auditor | Column::Admin | Column::Owner => None,
            };
            let who = world.person(column, team).await;
            world.people.push(who);
        }
        world
    }

    pub(super) async fn end(self) {
        self.plane.stop().await;
        drop(self.db);
    }

    /// Gives both teams the budgets that those of their members stay within.
    pub(super) async fn set_team_budgets(&self) {
        for team in [&self.red, &self.blue] {
            let path = format!("/admin/teams/{team}/budget");
            let set = self
                .owner
                .send("PUT", &path, r#"{"budget_amount_usd": 1000}"#)
                .await;
            assert_eq!(set.status, 200, "{}", set.text);
        }
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    async fn user(&self, name: &str, role: Role, team: Option<&str>) -> String {
        let request = CreateUser {
            username: Some(name.to_owned()),
            role: Some(role),
            team_id: team.map(|id| TeamId::parse(id).unwrap()),
            ..CreateUser::default()
        };
        users::create(self.plane.app(), &SYSTEM, request)
            .await
            .unwrap()
            .id
            .into()
    }

    /// A key of somebody's, a request of theirs, and a paused session.
    async fn seed(&self, name: &str, user: &str, team: Option<&str>) -> (String, String) {
        let key = self.owner.post(
            "/admin/keys",
            json!({"name": format!("key-of-{name}"), "user_id": user}),
        );
        let key = key.await.id();
        let record = UsageRecord {
            key_id: KeyId::parse(&key).unwrap(),
            user_id: Some(UserId::parse(user).unwrap()),
            team_id: team.map(|id| TeamId::parse(id).unwrap()),
            ..record(self.number())
        };
        let request = record.request_id.to_string();
        let incoming = vec![Incoming::Record(Box::new(record))];
        take_in(self.plane.app(), "rep_test", incoming).await.unwrap();
        self.pause(user, team, &format!("session-of-{name}")).await;
        if let Some(team) = team {
            let body = json!({"scope": "member", "team_id": team, "user_id": user, "amount_usd": 1});
            assert_eq!(self.owner.post("/admin/budgets", body).await.status, 201);
            let mut body = json!({"scope": "member", "team_id": team, "user_id": user, "amount": 7});
            body["kind"] = json!("requests_per_minute");
            let limit = self.owner.post("/admin/limits", body).await;
            assert_eq!(limit.status, 201, "{}", limit.text);
        }
        (key, request)
    }

    /// A client of somebody's that is signed in.
    async fn client_session(&self, user: &str) -> String {
        let body = json!({"name": "client", "user_id": user});
        let key = self.owner.post("/admin/keys", body).await.id();
        let db = self.db.connect().await;
        let sql = format!("UPDATE virtual_keys SET kind = 'session' WHERE id = '{key}'");
        db.execute_unprepared(&sql).await.unwrap();
        db.close().await.unwrap();
        key
    }

    async fn pause(&self, user: &str, team: Option<&str>, session: &str) -> String {
        let id = format!("pau_{}", self.number());
        let team = team.map_or_else(|| "NULL".to_owned(), |team| format!("'{team}'"));
        let db = self.db.connect().await;
        db.execute_unprepared(&format!(
            "INSERT INTO paused_sessions (id, owner, session_id, key_id, team_id, reason, measured, allowed, paused_at_ms, \
             open_for) VALUES ('{id}', '{user}', '{session}', 'key_test', {team}, 'spend', 2, 1, {}, '{id}')",
            crate::support::NOON
        ))
        .await
        .unwrap();
        db.close().await.unwrap();
        id
    }

    /// Whether a paused session goes on.
    pub(super) async fn resumed(&self, ids: &[String]) -> bool {
        let sql = "SELECT COUNT(*) FROM paused_sessions WHERE resumed_at_ms IS NOT NULL AND id = ";
        self.db.count(&format!("{sql}'{}'", ids[0])).await > 0
    }

    async fn person(&self, column: Column, team: Option<&str>) -> Who {
        let name = name_of(column);
        let request = CreateUser {
            username: Some(name.clone()),
            role: Some(column.role()),
            team_id: team.map(|id| TeamId::parse(id).unwrap()),
            password: Some(ccag_admin_api::Secret::new(PASSWORD)),
            ..CreateUser::default()
        };
        let user = users::create(self.plane.app(), &SYSTEM, request).await.unwrap();
        let id = user.id.to_string();
        let (_, request) = self.seed("self", &id, team).await;
        let mut who = Who {
            column,
            id,
            team: team.map(ToOwned::to_owned),
            api: self.plane.caller(),
            browser: self.plane.caller(),
            csrf: String::new(),
            request,
        };
        if column != Column::Nobody {
            self.sign_in(&mut who).await;
        }
        who
    }

    /// Signs somebody in anew.
    pub(super) async fn sign_in(&self, who: &mut Who) {
        let name = name_of(who.column);
        who.api = self.plane.caller().login(&name, PASSWORD).await;
        let token = who.api.token.clone().unwrap();
        who.browser = self
            .plane
            .caller()
            .with("cookie", &format!("ccag_session={token}"));
        let home = who.browser.get("/console").await;
        let (_, rest) = home.text.split_once("name=\"csrf\" value=\"").unwrap();
        who.csrf = rest.split('"').next().unwrap().to_owned();
    }

    /// The id of a raise of a budget, if there is such a budget.
    pub(super) async fn raise(&self, budgets: &[String]) -> String {
        let path = format!("/admin/budgets/{}/raises", budgets[0]);
        let body = json!({"amount_usd": 1, "until": "2026-12-01T00:00:00Z", "reason": "r"});
        let raised = self.owner.post(&path, body).await;
        match raised.status.is_success() {
            true => raised.json()["raises"][0]["id"].as_str().unwrap().to_owned(),
            false => "1".to_owned(),
        }
    }

    /// The id of something of somebody's, made for this one request where a request may use it up.
    pub(super) async fn thing(&self, kind: &str, whose: Whose<'_>) -> String {
        let n = self.number();
        let (user, team, request) = match whose {
            Whose::Nobodys if kind == "request" => return "req_nobody".to_owned(),
            Whose::Nobodys if kind == "session_key" => return "key_nobody".to_owned(),
            Whose::Nobodys => return format!("{kind}_nobody"),
            Whose::Mate => (None, Some(self.red.as_str()), &self.request_of_mate),
            Whose::Own(who) => (Some(who.id.clone()), who.team.as_deref(), &who.request),
        };
        if kind == "request" {
            return request.clone();
        }
        if kind == "team" {
            return team.unwrap_or("team_nobody").to_owned();
        }
        let user = match user {
            Some(user) => user,
            None => self.user(&format!("fresh{n}"), Role::Member, team).await,
        };
        let about = json!({"scope": "member", "team_id": team, "user_id": user, "amount_usd": 1});
        match kind {
            "user" => user,
            "session_key" => self.client_session(&user).await,
            "pau" => self.pause(&user, team, &format!("session{n}")).await,
            "key" => {
                let body = json!({"name": format!("fresh{n}"), "user_id": user});
                self.owner.post("/admin/keys", body).await.id()
            }
            // There is one for each: a person's own stays what it is.
            "bud" if matches!(whose, Whose::Own(_)) => "bud_nobody".to_owned(),
            "lim" if matches!(whose, Whose::Own(_)) => "lim_nobody".to_owned(),
            "bud" => self.owner.post("/admin/budgets", about).await.id(),
            "lim" => {
                let body = json!({
                    "scope": "member", "team_id": team, "user_id": user, "amount": 7,
                    "kind": "requests_per_minute",
                });
                self.owner.post("/admin/limits", body).await.id()
            }
            "dst" => self.destination(team).await,
            "dlv" => self.delivery(team).await,
            other => format!("{other}_nobody"),
        }
    }

    /// A destination that nobody listens at.
    async fn destination(&self, team: Option<&str>) -> String {
        let way = json!({"kind": "webhook", "url": "http://127.0.0.1:9/", "allow_private_address": true});
        let body = json!({"name": format!("destination{}", self.number()), "team_id": team, "settings": way});
        let made = self.owner.post("/admin/notifications/destinations", body).await;
        made.json()["destination"]["id"].as_str().unwrap().to_owned()
    }

    /// Something about a team that its destination could not be told.
    async fn delivery(&self, team: Option<&str>) -> String {
        let (destination, n) = (self.destination(team).await, self.number());
        let body = json!({
            "id": format!("evt_{n}"), "type": "budget.blocked", "timestamp": "2026-11-24T12:00:00.000Z", "category": "budget",
            "severity": "critical", "text": "x", "link": null, "team": null, "user": null, "data": {},
        });
        let team = team.map_or_else(|| "NULL".to_owned(), |team| format!("'{team}'"));
        let at = crate::support::NOON;
        let db = self.db.connect().await;
        for sql in [
            format!(
                "INSERT INTO notification_events (id, dedup_key, kind, category, team_id, body, at_ms) VALUES \
                 ('evt_{n}', '{n}', 'budget.blocked', 'budget', {team}, '{body}', {at})"
            ),
            format!(
                "INSERT INTO notification_deliveries (id, event_id, destination_id, state, attempts, due_at_ms, leased_by, \
                 leased_until_ms, created_at_ms, changed_at_ms) VALUES ('dlv_{n}', 'evt_{n}', '{destination}', 'dead', 10, \
                 {at}, '', 0, {at}, {at})"
            ),
        ] {
            db.execute_unprepared(&sql).await.unwrap();
        }
        db.close().await.unwrap();
        format!("dlv_{n}")
    }
}

fn name_of(column: Column) -> String {
    format!("the-{column:?}").to_lowercase()
}

impl Who {
    pub(super) fn reach(&self, permission: Permission) -> Reach {
        self.column.role().reach_in(self.team.is_some(), permission)
    }

    /// Sends a request as a program or, to the console, as a browser would.
    pub(super) async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        if !path.starts_with("/console") && path != "/device" {
            return self.api.send(method, path, body).await;
        }
        let kind = "application/x-www-form-urlencoded";
        let body = match method {
            "GET" => String::new(),
            _ => format!("csrf={}&{body}", self.csrf),
        };
        let browser = self.browser.clone().with("content-type", kind);
        browser.send(method, path, &body).await
    }
}
