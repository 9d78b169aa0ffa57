//! Signing in with a browser, and how people sign in at all.

use crate::server::{Data, Server};
use crate::{Done, Person};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ccag_admin_api::{SignInSettings, paths};
use ccag_domain::Code;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const BEGIN: &str = "/oauth/device_authorization";
const TOKEN: &str = "/oauth/token";

/// What the OAuth endpoints of the stand-in do.
#[derive(Default)]
pub(crate) struct Oauth {
    /// What is answered, in order; whoever asks after that finds nothing there.
    answers: VecDeque<(u16, Value)>,
    /// What was asked: path, form, and when.
    pub(crate) forms: Vec<(String, String, Instant)>,
}

pub(crate) fn router() -> Router<Arc<Mutex<Data>>> {
    Router::new().route(BEGIN, post(oauth)).route(TOKEN, post(oauth))
}

async fn oauth(State(data): State<Arc<Mutex<Data>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let form = String::from_utf8(body.to_vec()).unwrap();
    let oauth = &mut data.lock().unwrap().oauth;
    oauth
        .forms
        .push((head.uri.path().to_owned(), form, Instant::now()));
    match oauth.answers.pop_front() {
        Some((status, answer)) => {
            let status = StatusCode::from_u16(status).unwrap();
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (status, kind, answer.to_string()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn begun(interval: u64, expires_in: u64) -> (u16, Value) {
    let page = "https://gw.example.com/device";
    let answer = json!({
        "device_code": "dev_secret",
        "user_code": "BCDF-GHJK",
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code=BCDF-GHJK"),
        "expires_in": expires_in,
        "interval": interval,
        "login_notice": "Company use only.\u{1b}[2J",
    });
    (200, answer)
}

fn refused(code: &str) -> (u16, Value) {
    let description = format!("In the server's words: {code}.");
    (400, json!({"error": code, "error_description": description}))
}

fn granted() -> (u16, Value) {
    let answer = json!({
        "access_token": "ccags_browser",
        "token_type": "Bearer",
        "expires_in": 43_200,
        "email": "admin@example.com",
    });
    (200, answer)
}

fn server(answers: impl IntoIterator<Item = (u16, Value)>) -> Server {
    let server = Server::start();
    let mut data = server.data.lock().unwrap();
    data.oauth.answers.extend(answers);
    data.sessions.push("ccags_browser".into());
    drop(data);
    server
}

fn sign_in(server: &Server, person: &Person) -> Done {
    person.run(&["login", "--sso", "--url", &server.url()])
}

#[test]
fn whoever_confirms_the_code_is_signed_in_and_the_gateway_says_how_often_it_is_asked() {
    let server = server([
        begun(0, 600),
        refused("authorization_pending"),
        refused("slow_down"),
        granted(),
    ]);
    let person = Person::new();
    let done = sign_in(&server, &person);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert_eq!(
        done.stderr,
        "Sign in with a browser, on this machine or another one:\n\n  \
         https://gw.example.com/device?user_code=BCDF-GHJK\n\n\
         Confirm there that the code is BCDF-GHJK.\n\nCompany use only.\u{fffd}[2J\n"
    );
    assert_eq!(
        done.stdout,
        format!(
            "Signed in at {} as admin (admin) until 2026-11-24 21:36 UTC.\n",
            server.url()
        )
    );
    let token = std::fs::read_to_string(person.file("token")).unwrap();
    assert_eq!(token, "ccags_browser\n");
    let shown = person.ok(&["whoami"]);
    assert!(shown.contains("admin"), "{shown}");

    let data = server.data.lock().unwrap();
    let forms = &data.oauth.forms;
    let asked: Vec<(&str, &str)> = forms
        .iter()
        .map(|(path, form, _)| (path.as_str(), form.as_str()))
        .collect();
    let question = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=dev_secret";
    assert_eq!(
        asked,
        [
            (BEGIN, "surface=ccag"),
            (TOKEN, question),
            (TOKEN, question),
            (TOKEN, question)
        ]
    );
    let waited = forms[3].2 - forms[2].2;
    assert!(waited >= Duration::from_secs(5), "{waited:?}");
}

#[test]
fn a_sign_in_that_is_turned_down_leaves_the_session_that_there_was() {
    let server = server([begun(0, 600), refused("access_denied")]);
    let person = Person::signed_in(&server);
    let before = std::fs::read_to_string(person.file("token")).unwrap();
    let done = sign_in(&server, &person);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(
        done.stderr.ends_with("error: the sign-in was turned down\n"),
        "{}",
        done.stderr
    );
    let after = std::fs::read_to_string(person.file("token")).unwrap();
    assert_eq!(before, after);
}

#[test]
fn a_code_that_nobody_confirms_in_time_is_told_apart() {
    let said = server([begun(0, 600), refused("expired_token")]);
    let person = Person::new();
    let done = person.run(&["--json", "login", "--sso", "--url", &said.url()]);
    assert_eq!((done.code, done.stdout.as_str()), (4, ""));
    let error = done.stderr.lines().last().unwrap();
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!(error["error"]["code"], "unauthenticated");
    let detail = error["error"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("nobody has confirmed the code in time"),
        "{detail}"
    );
    assert!(!person.file("token").exists());

    // Nor is a code asked for that is over as far as this machine can tell.
    let silent = server([begun(5, 0)]);
    assert_eq!(sign_in(&silent, &person).code, 4);
    assert_eq!(silent.data.lock().unwrap().oauth.forms.len(), 1);
}

#[test]
fn a_gateway_that_stumbles_is_asked_again_and_one_that_refuses_is_not() {
    let down = (
        503,
        json!({"error": "temporarily_unavailable", "error_description": "No database."}),
    );
    let stumbling = server([begun(0, 600), down, granted()]);
    assert_eq!(sign_in(&stumbling, &Person::new()).code, 0);

    let strict = server([begun(0, 600), refused("invalid_request"), granted()]);
    let done = sign_in(&strict, &Person::new());
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .ends_with("error: In the server's words: invalid_request.\n"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_gateway_without_sign_in_by_browser_says_what_to_do_instead() {
    let server = server([]);
    let done = sign_in(&server, &Person::new());
    assert_eq!(done.code, 1);
    assert!(
        done.stderr
            .contains("lets nobody sign in with a browser: give your user name with --username"),
        "{}",
        done.stderr
    );
    let many = self::server([(
        429,
        json!({"error": "slow_down", "error_description": "Too many."}),
    )]);
    let done = sign_in(&many, &Person::new());
    assert_eq!((done.code, done.stderr.as_str()), (1, "error: Too many.\n"));
}

#[test]
fn how_people_sign_in_is_changed_part_by_part() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let settings = SignInSettings {
        password_sign_in: true,
        login_notice: Some("Company use only.".into()),
    };
    server.answer("GET", paths::SIGN_IN, &settings);
    server.answer("PUT", paths::SIGN_IN, &settings);
    assert_eq!(
        person.ok(&["sign-in", "show"]),
        "Passwords: users of the gateway's own may sign in with their password\nNotice:    Company use only.\n"
    );
    server.sent();
    let said = |args: &[&str]| -> Value {
        person.ok(&[&["sign-in", "set"], args].concat());
        serde_json::from_str(&server.sent().pop().unwrap().2).unwrap()
    };
    assert_eq!(
        said(&["--password", "off"]),
        json!({"password_sign_in": false, "login_notice": "Company use only."})
    );
    assert_eq!(
        said(&["--notice", "Be kind."]),
        json!({"password_sign_in": true, "login_notice": "Be kind."})
    );
    assert_eq!(
        said(&["--no-notice"]),
        json!({"password_sign_in": true, "login_notice": null})
    );
    let locked = "Sign in with an identity provider first, as an admin.";
    server.refuse(
        "PUT",
        paths::SIGN_IN,
        Code::Conflict,
        locked,
        Some("password_sign_in"),
    );
    let done = person.run(&["sign-in", "set", "--password", "off"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains(locked), "{}", done.stderr);
    assert_eq!(person.run(&["sign-in", "set"]).code, 2);

    server.answer("POST", paths::SIGNING_KEYS_ROTATE, &());
    assert_eq!(person.json(&["sign-in", "rotate-keys"]), json!({"rotated": true}));
}
