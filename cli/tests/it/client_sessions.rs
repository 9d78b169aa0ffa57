//! Where people are signed in with Claude Code.

use crate::Person;
use crate::server::{Server, made_at};
use ccag_admin_api::*;
use ccag_domain::{Code, KeyId, UserId};
use serde_json::json;

fn session(id: &str) -> ClientSessionView {
    ClientSessionView {
        id: KeyId::parse(id).unwrap(),
        user_id: UserId::parse("user_2").unwrap(),
        client: Some("claude-cli/2.1.0".into()),
        address: None,
        created_at: made_at(),
        refreshed_at: made_at(),
        expires_at: made_at(),
    }
}

#[test]
fn client_sessions_are_listed_and_ended() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_user("user_2", "ada");
    let list = ClientSessionList {
        sessions: vec![session("key_9")],
        next_cursor: Some("1.key_9".into()),
    };
    server.answer("GET", paths::CLIENT_SESSIONS, &list);
    let shown = person.ok(&["client-sessions", "list", "--user", "ada", "--limit", "1"]);
    assert_eq!(
        shown,
        "ID     USER  CLIENT            FROM  SIGNED IN         REFRESHED         ENDS\n\
         key_9  ada   claude-cli/2.1.0  -     2026-11-24 09:30  2026-11-24 09:30  2026-11-24 09:30\n\n\
         More: ccag client-sessions list --cursor 1.key_9\n"
    );
    let asked = server.sent().pop().unwrap().1;
    assert!(
        asked.contains("user_id=user_2") && asked.contains("limit=1"),
        "{asked}"
    );

    server.answer("DELETE", "/admin/client-sessions/key_9", &());
    assert_eq!(
        person.ok(&["client-sessions", "revoke", "key_9"]),
        "Ended key_9.\n"
    );
    server.refuse(
        "DELETE",
        "/admin/client-sessions/key_8",
        Code::NotFound,
        "no such session",
        None,
    );
    assert_eq!(person.run(&["client-sessions", "revoke", "key_8"]).code, 1);
    assert_eq!(person.run(&["client-sessions", "revoke", "laptop"]).code, 2);
    assert_eq!(person.run(&["client-sessions", "revoke"]).code, 2);
}

#[test]
fn a_user_is_signed_out_everywhere() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.add_user("user_2", "ada");
    let path = "/admin/users/user_2/sign-out";
    server.answer("POST", path, &SignedOut { client_sessions: 2 });
    assert_eq!(
        person.ok(&["users", "sign-out", "ada"]),
        "user_2 is signed out, also of 2 Claude Codes.\n"
    );
    assert_eq!(
        person.json(&["users", "sign-out", "user_2"]),
        json!({"client_sessions": 2})
    );
    assert_eq!(person.run(&["users", "sign-out", "bob"]).code, 1);
}
