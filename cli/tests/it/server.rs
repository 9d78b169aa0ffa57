//! A stand-in for the control plane: the admin API's routes and types over a few vectors.

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use ccag_admin_api::*;
use ccag_domain::{AccountState, Code, KeyId, NanoUsd, Problem, RequestId, Role, TeamId, UserId};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// Lists hold at most this many items, so that every list of the tests has several pages.
const PAGE: usize = 2;

pub(crate) fn made_at() -> Timestamp {
    Timestamp::from_ms(1_795_512_600_000)
}

pub(crate) struct Server {
    addr: SocketAddr,
    pub(crate) data: Arc<Mutex<Data>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
pub(crate) struct Data {
    pub(crate) keys: Vec<KeyView>,
    pub(crate) teams: Vec<TeamView>,
    pub(crate) users: Vec<UserView>,
    pub(crate) sessions: Vec<String>,
    pub(crate) budgets: Vec<BudgetView>,
    pub(crate) limits: Vec<LimitView>,
    /// The bodies that were sent about budgets.
    pub(crate) bodies: Vec<serde_json::Value>,
    /// What was asked for: method, path with query, and the bearer token.
    pub(crate) asked: Vec<(String, String, Option<String>)>,
    made: u32,
    /// What is answered to a method and path (without query) in place of any handler.
    answers: HashMap<(&'static str, String), (StatusCode, String)>,
    /// What came for those: method, path with query, body.
    pub(crate) sent: Vec<(String, String, String)>,
}

type Shared = State<Arc<Mutex<Data>>>;

impl Server {
    pub(crate) fn start() -> Self {
        let mut data = Data::default();
        data.users.push(user("user_admin", "admin", Role::Admin));
        let data = Arc::new(Mutex::new(data));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let router = router(data.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    served = async { axum::serve(listener, router).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self {
            addr: told.recv().unwrap(),
            data,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening; the port stays free for a while.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn asked(&self) -> Vec<(String, String, Option<String>)> {
        self.data.lock().unwrap().asked.clone()
    }

    /// Answers a method and path with a value of the admin API's, from now on.
    pub(crate) fn answer(&self, method: &'static str, path: &str, value: &impl serde::Serialize) {
        let body = serde_json::to_string(value).unwrap();
        let answer = (StatusCode::OK, body);
        let mut data = self.data.lock().unwrap();
        data.answers.insert((method, path.to_owned()), answer);
    }

    /// Refuses a method and path from now on.
    pub(crate) fn refuse(
        &self,
        method: &'static str,
        path: &str,
        code: Code,
        message: &str,
        field: Option<&str>,
    ) {
        let body = problem(code, message, field);
        let status = StatusCode::from_u16(body.status).unwrap();
        let answer = (status, serde_json::to_string(&body).unwrap());
        let mut data = self.data.lock().unwrap();
        data.answers.insert((method, path.to_owned()), answer);
    }

    /// What has been sent to the paths that [`Server::answer`] is about since this was called last.
    pub(crate) fn sent(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut self.data.lock().unwrap().sent)
    }

    pub(crate) fn add_key(&self, id: &str, name: &str, prefix: &str) {
        let mut key = key(id, name);
        key.prefix = prefix.to_owned();
        self.data.lock().unwrap().keys.push(key);
    }

    pub(crate) fn add_team(&self, id: &str, name: &str) {
        self.data.lock().unwrap().teams.push(team(id, name));
    }

    pub(crate) fn add_user(&self, id: &str, name: &str) {
        self.data.lock().unwrap().users.push(user(id, name, Role::Member));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn key(id: &str, name: &str) -> KeyView {
    KeyView {
        id: KeyId::parse(id).unwrap(),
        prefix: "sk-ccag-AbCdEf".into(),
        name: name.into(),
        user_id: Some(UserId::parse("user_admin").unwrap()),
        team_id: None,
        state: KeyState::Active,
        is_active: true,
        rate_limit_rpm: None,
        created_at: made_at(),
        expires_at: None,
        revoked_at: None,
    }
}

fn team(id: &str, name: &str) -> TeamView {
    TeamView {
        id: TeamId::parse(id).unwrap(),
        name: name.into(),
        state: AccountState::Active,
        member_count: 0,
        guardrail: None,
        routing: ccag_admin_api::RoutingSpec::default(),
        created_at: made_at(),
    }
}

fn user(id: &str, name: &str, role: Role) -> UserView {
    UserView {
        provider_id: None,
        groups: Vec::new(),
        id: UserId::parse(id).unwrap(),
        username: name.into(),
        email: None,
        display_name: None,
        role,
        state: AccountState::Active,
        team_id: None,
        created_at: made_at(),
    }
}

fn router(data: Arc<Mutex<Data>>) -> Router {
    let admin = Router::new()
        .merge(crate::budgets::router())
        .merge(crate::limits::router())
        .route(paths::LOGOUT, post(logout))
        .route(paths::ME, get(me))
        .route(paths::KEYS, get(list_keys).post(create_key))
        .route(paths::KEY, get(get_key).patch(update_key).delete(delete_key))
        .route(paths::KEY_REVOKE, post(revoke_key))
        .route(paths::TEAMS, get(list_teams).post(create_team))
        .route(paths::TEAM, get(get_team).patch(update_team).delete(delete_team))
        .route(paths::TEAM_MEMBERS, get(members).post(add_member))
        .route(paths::TEAM_MEMBER, axum::routing::delete(remove_member))
        .route(paths::USERS, get(list_users).post(create_user))
        .route(paths::USER, get(get_user).patch(update_user).delete(delete_user))
        .route(paths::USER_TEAM, put(set_team))
        .route(paths::USER_SUSPEND, post(suspend))
        .route(paths::USER_ACTIVATE, post(activate))
        .route(paths::USAGE_SUMMARY, get(summary))
        .route(paths::USAGE_EXPORT, get(export))
        .route(paths::FLEET, get(fleet))
        .route(paths::MODELS, get(models))
        .merge(crate::offers::routes())
        .route(paths::PRICING, get(pricing))
        .route("/admin/{*path}", any(prepared))
        .route(paths::STATUS, get(status))
        .route_layer(middleware::from_fn_with_state(data.clone(), authenticate));
    Router::new()
        .merge(admin)
        .route(paths::LOGIN, post(login))
        .route("/html/auth/me", get(|| async { Html("<p>a page</p>") }))
        .route(
            "/moved/auth/me",
            get(|| async { Redirect::permanent("https://gw.example.com/auth/me") }),
        )
        .route(
            "/down/auth/me",
            get(|| async { refuse(Code::Unavailable, "the database is not reachable", None) }),
        )
        .with_state(data)
}

/// Answers as [`Server::answer`] has said.
async fn prepared(State(data): Shared, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (method, path) = (head.method.to_string(), head.uri.path().to_owned());
    let mut data = data.lock().unwrap();
    data.sent.push((method.clone(), head.uri.to_string(), body));
    let answers = data.answers.iter();
    let mut found = answers.filter(|((of, at), _)| *of == method && *at == path);
    match found.next() {
        Some((_, (status, answer))) => {
            let kind = if status.is_success() {
                "application/json"
            } else {
                PROBLEM_JSON
            };
            (*status, [(header::CONTENT_TYPE, kind)], answer.clone()).into_response()
        }
        None => missing(),
    }
}

fn problem(code: Code, message: &str, field: Option<&str>) -> ProblemBody {
    let mut problem = Problem::new(code, message);
    if let Some(field) = field {
        problem = problem.field(field);
    }
    ProblemBody::new(&problem, RequestId::parse("req_stub").unwrap())
}

fn refuse(code: Code, message: &str, field: Option<&str>) -> Response {
    let body = problem(code, message, field);
    let status = StatusCode::from_u16(body.status).unwrap();
    (
        status,
        [(header::CONTENT_TYPE, PROBLEM_JSON)],
        serde_json::to_string(&body).unwrap(),
    )
        .into_response()
}

pub(crate) fn missing() -> Response {
    refuse(Code::NotFound, "there is no such thing", None)
}

async fn authenticate(State(data): Shared, request: Request, next: Next) -> Response {
    let bearer = request.headers().get(header::AUTHORIZATION);
    let token = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned));
    {
        let mut data = data.lock().unwrap();
        data.asked.push((
            request.method().to_string(),
            request.uri().to_string(),
            token.clone(),
        ));
        if !token.is_some_and(|token| data.sessions.contains(&token)) {
            return refuse(Code::Unauthenticated, "sign in first", None);
        }
    }
    let (method, path) = (request.method().as_str(), request.uri().path());
    let is_prepared = |(of, at): &(&str, String)| *of == method && at == path;
    if data.lock().unwrap().answers.keys().any(is_prepared) {
        return prepared(State(data), request).await;
    }
    next.run(request).await
}

async fn login(State(data): Shared, Json(request): Json<LoginRequest>) -> Response {
    if request.password.reveal() != "correct horse" {
        return refuse(
            Code::Unauthenticated,
            "the user name or the password is wrong",
            None,
        );
    }
    let mut data = data.lock().unwrap();
    let token = format!("{SESSION_TOKEN_PREFIX}{}", data.sessions.len());
    data.sessions.push(token.clone());
    Json(LoginResponse {
        token: Secret::new(token),
        expires_at_ms: 1_795_556_200_000,
        user: user("user_admin", &request.username, Role::Admin),
    })
    .into_response()
}

async fn logout(State(data): Shared, headers: HeaderMap) -> StatusCode {
    let token = headers[header::AUTHORIZATION]
        .to_str()
        .unwrap()
        .replace("Bearer ", "");
    data.lock().unwrap().sessions.retain(|session| *session != token);
    StatusCode::NO_CONTENT
}

async fn me() -> Json<Me> {
    Json(Me {
        user: user("user_admin", "admin", Role::Admin),
        session_expires_at: Timestamp::from_ms(1_795_556_200_000),
    })
}

/// One page of what is left after the cursor, which is the position to go on from.
pub(crate) fn page<T: Clone>(all: &[T], cursor: Option<&String>) -> (Vec<T>, Option<String>) {
    let from: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
    let page: Vec<T> = all.iter().skip(from).take(PAGE).cloned().collect();
    let next = from + page.len();
    (page, (next < all.len()).then(|| next.to_string()))
}

async fn list_keys(State(data): Shared, Query(query): Query<ListKeys>) -> Json<KeyList> {
    let mut all = data.lock().unwrap().keys.clone();
    all.retain(|key| {
        query
            .name
            .as_ref()
            .is_none_or(|name| key.name.eq_ignore_ascii_case(name))
    });
    all.retain(|key| {
        query
            .user_id
            .as_ref()
            .is_none_or(|id| key.user_id.as_ref() == Some(id))
    });
    all.retain(|key| {
        query
            .team_id
            .as_ref()
            .is_none_or(|id| key.team_id.as_ref() == Some(id))
    });
    all.retain(|key| query.state.is_none_or(|state| key.state == state));
    let (keys, next_cursor) = page(&all, query.cursor.as_ref());
    Json(KeyList { keys, next_cursor })
}

async fn create_key(State(data): Shared, Json(request): Json<CreateKey>) -> Response {
    if request.name.as_deref() == Some("bad") {
        return refuse(Code::InvalidRequest, "a key may not be called bad", Some("name"));
    }
    let mut data = data.lock().unwrap();
    data.made += 1;
    let mut record = key(&format!("key_{}", data.made), &request.name.unwrap_or_default());
    record.user_id = request.user_id;
    record.team_id = request.team_id;
    record.rate_limit_rpm = request.rate_limit_rpm;
    record.expires_at = request.expires_at;
    data.keys.push(record.clone());
    let secret = Secret::new(format!("sk-ccag-AbCdEf{}", "x".repeat(37)));
    (StatusCode::CREATED, Json(CreatedKey { key: secret, record })).into_response()
}

fn with_key(data: &Mutex<Data>, id: &KeyId, change: impl FnOnce(&mut KeyView)) -> Response {
    let mut data = data.lock().unwrap();
    match data.keys.iter_mut().find(|key| key.id == *id) {
        Some(key) => {
            change(key);
            Json(key.clone()).into_response()
        }
        None => missing(),
    }
}

async fn get_key(State(data): Shared, Path(id): Path<KeyId>) -> Response {
    with_key(&data, &id, |_| {})
}

async fn update_key(State(data): Shared, Path(id): Path<KeyId>, Json(update): Json<UpdateKey>) -> Response {
    with_key(&data, &id, |key| {
        if let Some(name) = update.name {
            key.name = name;
        }
        key.user_id = update.user_id.apply(key.user_id.take());
        key.team_id = update.team_id.apply(key.team_id.take());
        key.rate_limit_rpm = update.rate_limit_rpm.apply(key.rate_limit_rpm);
        key.expires_at = update.expires_at.apply(key.expires_at);
    })
}

async fn revoke_key(State(data): Shared, Path(id): Path<KeyId>) -> Response {
    with_key(&data, &id, |key| {
        key.state = KeyState::Revoked;
        key.is_active = false;
        key.revoked_at = Some(made_at());
    })
}

async fn delete_key(State(data): Shared, Path(id): Path<KeyId>) -> StatusCode {
    data.lock().unwrap().keys.retain(|key| key.id != id);
    StatusCode::NO_CONTENT
}

async fn list_teams(State(data): Shared, Query(query): Query<ListTeams>) -> Json<TeamList> {
    let mut all = data.lock().unwrap().teams.clone();
    all.retain(|team| {
        query
            .name
            .as_ref()
            .is_none_or(|name| team.name.eq_ignore_ascii_case(name))
    });
    let (teams, next_cursor) = page(&all, query.cursor.as_ref());
    Json(TeamList { teams, next_cursor })
}

async fn create_team(State(data): Shared, Json(request): Json<CreateTeam>) -> Response {
    let mut data = data.lock().unwrap();
    if data.teams.iter().any(|team| team.name == request.name) {
        return refuse(
            Code::Conflict,
            "there is a team of this name already",
            Some("name"),
        );
    }
    let team = team(&format!("team_{}", request.name.to_lowercase()), &request.name);
    data.teams.push(team.clone());
    (StatusCode::CREATED, Json(team)).into_response()
}

fn with_team(data: &Mutex<Data>, id: &TeamId, change: impl FnOnce(&mut TeamView)) -> Response {
    let mut data = data.lock().unwrap();
    match data.teams.iter_mut().find(|team| team.id == *id) {
        Some(team) => {
            change(team);
            Json(team.clone()).into_response()
        }
        None => missing(),
    }
}

async fn get_team(State(data): Shared, Path(id): Path<TeamId>) -> Response {
    with_team(&data, &id, |_| {})
}

async fn update_team(
    State(data): Shared,
    Path(id): Path<TeamId>,
    Json(update): Json<UpdateTeam>,
) -> Response {
    with_team(&data, &id, |team| {
        team.name = update.name.unwrap_or_else(|| team.name.clone());
        team.state = update.state.unwrap_or(team.state);
    })
}

async fn delete_team(State(data): Shared, Path(id): Path<TeamId>) -> Response {
    let mut data = data.lock().unwrap();
    if data.users.iter().any(|user| user.team_id.as_ref() == Some(&id)) {
        return refuse(Code::Conflict, "the team still has members", None);
    }
    data.teams.retain(|team| team.id != id);
    StatusCode::NO_CONTENT.into_response()
}

async fn members(State(data): Shared, Path(id): Path<TeamId>) -> Json<UserList> {
    let mut users = data.lock().unwrap().users.clone();
    users.retain(|user| user.team_id.as_ref() == Some(&id));
    Json(UserList {
        users,
        next_cursor: None,
    })
}

async fn add_member(State(data): Shared, Path(id): Path<TeamId>, Json(body): Json<AddMember>) -> StatusCode {
    with_user(&data, &body.user_id, |user| user.team_id = Some(id));
    StatusCode::NO_CONTENT
}

async fn remove_member(State(data): Shared, Path((_, user)): Path<(TeamId, UserId)>) -> StatusCode {
    with_user(&data, &user, |user| user.team_id = None);
    StatusCode::NO_CONTENT
}

async fn list_users(State(data): Shared, Query(query): Query<ListUsers>) -> Json<UserList> {
    let mut all = data.lock().unwrap().users.clone();
    all.retain(|user| {
        query
            .username
            .as_ref()
            .is_none_or(|name| user.username.eq_ignore_ascii_case(name))
    });
    all.retain(|user| {
        query
            .team_id
            .as_ref()
            .is_none_or(|id| user.team_id.as_ref() == Some(id))
    });
    all.retain(|user| query.role.is_none_or(|role| user.role == role));
    all.retain(|user| query.state.is_none_or(|state| user.state == state));
    let (users, next_cursor) = page(&all, query.cursor.as_ref());
    Json(UserList { users, next_cursor })
}

async fn create_user(State(data): Shared, Json(request): Json<CreateUser>) -> Response {
    let mut data = data.lock().unwrap();
    data.made += 1;
    let name = request.username.or(request.email.clone()).unwrap();
    let mut user = user(
        &format!("user_{}", data.made),
        &name,
        request.role.unwrap_or(Role::Member),
    );
    user.email = request.email;
    user.team_id = request.team_id;
    user.display_name = request
        .password
        .map(|password| format!("knows {}", password.reveal().len()));
    data.users.push(user.clone());
    (StatusCode::CREATED, Json(user)).into_response()
}

fn with_user(data: &Mutex<Data>, id: &UserId, change: impl FnOnce(&mut UserView)) -> Response {
    let mut data = data.lock().unwrap();
    match data.users.iter_mut().find(|user| user.id == *id) {
        Some(user) => {
            change(user);
            Json(user.clone()).into_response()
        }
        None => missing(),
    }
}

async fn get_user(State(data): Shared, Path(id): Path<UserId>) -> Response {
    with_user(&data, &id, |_| {})
}

async fn update_user(
    State(data): Shared,
    Path(id): Path<UserId>,
    Json(update): Json<UpdateUser>,
) -> Response {
    with_user(&data, &id, |user| {
        user.role = update.role.unwrap_or(user.role);
        user.team_id = update.team_id.apply(user.team_id.take());
    })
}

async fn delete_user(State(data): Shared, Path(id): Path<UserId>) -> StatusCode {
    data.lock().unwrap().users.retain(|user| user.id != id);
    StatusCode::NO_CONTENT
}

async fn set_team(State(data): Shared, Path(id): Path<UserId>, Json(body): Json<SetTeam>) -> Response {
    with_user(&data, &id, |user| user.team_id = body.team_id)
}

async fn suspend(State(data): Shared, Path(id): Path<UserId>) -> Response {
    with_user(&data, &id, |user| user.state = AccountState::Suspended)
}

async fn activate(State(data): Shared, Path(id): Path<UserId>) -> Response {
    with_user(&data, &id, |user| user.state = AccountState::Active)
}

fn totals(requests: u64, cost: i64) -> UsageTotals {
    UsageTotals {
        requests,
        errors: 1,
        input_tokens: 1_234_567,
        output_tokens: 89,
        cache_read_tokens: 10,
        cache_write_5m_tokens: 20,
        cache_write_1h_tokens: 3,
        cost_nano_usd: NanoUsd(cost),
        duration: Some(Percentiles {
            p50_ms: 900,
            p95_ms: 12_000,
            p99_ms: 30_000,
        }),
    }
}

async fn summary(Query(query): Query<UsageQuery>) -> Json<UsageSummary> {
    let group = |id: Option<&str>, name: Option<&str>, totals| UsageGroup {
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        totals,
    };
    Json(UsageSummary {
        from: query.from.unwrap_or_else(made_at),
        to: query.to.unwrap_or_else(made_at),
        group_by: query.group_by,
        total: totals(1_003, 12_500_000_004),
        groups: match query.group_by {
            None => Vec::new(),
            Some(_) => vec![
                group(Some("team_1"), Some("Platform"), totals(1_000, 12_500_000_000)),
                group(
                    None,
                    None,
                    UsageTotals {
                        duration: None,
                        ..totals(3, 4)
                    },
                ),
            ],
        },
    })
}

async fn export(Query(query): Query<ExportQuery>) -> Response {
    if query.model.as_deref() == Some("cut") {
        let rows = futures_util::stream::iter(["{}\n", ""]).then(|row| async move {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            match row {
                "" => Err(std::io::Error::other("the database went away")),
                row => Ok(row),
            }
        });
        return Body::from_stream(rows).into_response();
    }
    match query.format {
        Some(ExportFormat::Csv) => ([(header::CONTENT_TYPE, CSV)], LedgerRow::csv_header()).into_response(),
        _ => (
            [(header::CONTENT_TYPE, NDJSON)],
            "{\"request_id\":\"req_1\"}\n".to_owned(),
        )
            .into_response(),
    }
}

async fn fleet() -> Json<FleetView> {
    let replica = |id: &str, connected, applied_revision| ReplicaView {
        id: ccag_domain::ReplicaId::parse(id).unwrap(),
        name: id.replace("rep_", "dp-"),
        version: "0.1.0".into(),
        connected,
        draining: false,
        started_at: made_at(),
        last_seen_at: made_at(),
        applied_revision,
        lag: 42 - applied_revision,
        apply_p99_ms: connected.then_some(12),
        spooled_records: 3,
        in_flight: 7,
        rejected: if connected {
            Vec::new()
        } else {
            vec![RejectedObject {
                kind: "endpoint".into(),
                id: "end_1".into(),
                reason: "its region is not known".into(),
            }]
        },
        troubles: match connected {
            true => vec![EndpointTrouble {
                endpoint_id: "end_1".into(),
                endpoint: "production".into(),
                model: None,
                cause: "credentials".into(),
                text: ccag_domain::Trouble::Credentials.told().into(),
                since: made_at(),
                until: made_at(),
            }],
            false => Vec::new(),
        },
    };
    Json(FleetView {
        revision: 42,
        replicas: vec![replica("rep_a", true, 42), replica("rep_b", false, 40)],
    })
}

async fn models() -> Json<ModelList> {
    let models = ccag_domain::catalogue::models();
    Json(ModelList {
        models: models
            .iter()
            .take(2)
            .map(|model| ModelView::new(model, "built-in", true))
            .collect(),
    })
}

async fn pricing() -> Json<PriceList> {
    let prices = ccag_domain::catalogue::prices();
    Json(PriceList {
        prices: prices.iter().map(PriceView::from).collect(),
    })
}

async fn status() -> Json<StatusView> {
    Json(StatusView {
        version: "0.1.0".into(),
        revision: 42,
        database: "sqlite".into(),
        started_at: made_at(),
        uptime_s: 93_784,
        replicas: ReplicaCounts {
            connected: 2,
            up_to_date: 1,
            known: 3,
        },
    })
}
