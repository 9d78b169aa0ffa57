use crate::{Person, Server};
use std::process::Stdio;

#[test]
fn a_gateway_that_is_not_there_is_named_with_what_to_check() {
    let mut server = Server::start();
    let person = Person::signed_in(&server);
    server.stop();
    let done = person.run(&["status"]);
    assert_eq!((done.code, done.stdout.as_str()), (3, ""));
    let expected = format!("error: cannot reach {}: ", server.url());
    assert!(done.stderr.starts_with(&expected), "{}", done.stderr);
    assert!(
        done.stderr.to_lowercase().contains("connection refused"),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr.contains("--url, CCAG_URL or the last `ccag login`"),
        "{}",
        done.stderr
    );
}

#[test]
fn without_a_session_one_is_told_how_to_get_one() {
    let done = Person::new().run(&["keys", "list"]);
    assert_eq!(done.code, 4);
    assert_eq!(
        done.stderr,
        "error: you are not signed in there\n  Run `ccag login --url http://127.0.0.1:8080`, or set CCAG_TOKEN.\n"
    );
}

#[test]
fn a_session_that_has_ended_is_told_from_one_that_never_was() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.data.lock().unwrap().sessions.clear();
    let done = person.run(&["keys", "list"]);
    assert_eq!(done.code, 4);
    assert!(done.stderr.contains("the session has ended"), "{}", done.stderr);
    assert!(done.stderr.contains("ccag login"), "{}", done.stderr);
}

#[test]
fn a_refusal_names_the_field_and_the_request() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let done = person.run(&["keys", "create", "--name", "bad"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert_eq!(
        done.stderr,
        "error: a key may not be called bad\n  field:   name\n  request: req_stub\n"
    );
}

#[test]
fn with_json_errors_are_json_on_standard_error() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let done = person.run(&["--json", "keys", "create", "--name", "bad"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], "invalid-request");
    assert_eq!(error["error"]["field"], "name");
    let done = person.run(&["--json", "keys", "show", "nothing"]);
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!((done.code, &error["error"]["code"]), (1, &"not-found".into()));
}

#[test]
fn what_is_no_gateway_is_found_out() {
    let server = Server::start();
    let person = Person::new();
    let call = |path: &str| {
        person.run(&[
            "whoami",
            "--token",
            "ccags_x",
            "--url",
            &format!("{}{path}", server.url()),
        ])
    };
    let html = call("/html");
    assert_eq!(html.code, 5);
    assert!(
        html.stderr.contains("the server's answer is not the admin API's"),
        "{}",
        html.stderr
    );
    let missing = call("/nothing");
    assert_eq!(missing.code, 5);
    assert!(
        missing.stderr.contains("404 Not Found without saying why"),
        "{}",
        missing.stderr
    );
    let down = call("/down");
    assert_eq!(down.code, 5);
    assert!(
        down.stderr.contains("the database is not reachable"),
        "{}",
        down.stderr
    );
    let moved = call("/moved");
    assert_eq!(moved.code, 2);
    assert!(
        moved.stderr.contains("https://gw.example.com/auth/me"),
        "{}",
        moved.stderr
    );
}

#[test]
fn an_address_without_a_scheme_is_refused_before_anything_is_sent() {
    let done = Person::new().run(&["status", "--url", "localhost:8080"]);
    assert_eq!(done.code, 2);
    assert!(
        done.stderr.contains("http:// or https:// is missing"),
        "{}",
        done.stderr
    );
}

#[test]
fn wrong_command_lines_exit_with_2() {
    let person = Person::new();
    for args in [
        &["keys"][..],
        &["keys", "revoke"],
        &["keys", "create", "--rate-limit", "0"],
        &["keys", "create", "--expires", "yesterday"],
        &["keys", "update", "key_1"],
        &["users", "set-team", "user_1"],
        &["usage", "summary", "--days", "3", "--from", "2026-01-01"],
        &["frobnicate"],
    ] {
        let done = person.run(args);
        assert_eq!(
            (done.code, done.stdout.as_str()),
            (2, ""),
            "{args:?}: {}",
            done.stderr
        );
    }
}

#[test]
fn an_export_that_breaks_off_is_a_failure() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let done = person.run(&["usage", "export", "--model", "cut"]);
    assert_eq!(done.code, 3);
    assert!(done.stderr.contains("the answer broke off"), "{}", done.stderr);
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let mut child = person
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Reads a request, up to the end of its body, and says what its headers were.
fn read_request(stream: &mut std::net::TcpStream) -> String {
    use std::io::Read;
    let (mut text, mut chunk) = (String::new(), [0u8; 4096]);
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the request ends early: {text}");
        text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() >= length {
                return head.to_lowercase();
            }
        }
    }
}

#[test]
fn what_got_no_answer_is_asked_for_again_under_the_same_key() {
    use std::io::Write;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let gateway = std::thread::spawn(move || {
        let team = r#"{"id":"team_1","name":"Red","state":"active","member_count":0,"guardrail":null,"routing":{},"created_at":"2026-11-24T09:30:00Z"}"#;
        let busy = r#"{"title":"Conflict","detail":"being carried out","code":"conflict","status":409}"#;
        let answer = |status: &str, more: &str, body: &str| {
            format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n{more}content-length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        // The first answer is lost, then the gateway is still at it, and then there is an answer.
        let answers = [
            String::new(),
            answer("409 Conflict", "retry-after: 1\r\n", busy),
            answer("201 Created", "", team),
        ];
        answers.map(|answer| {
            let (mut stream, _) = listener.accept().unwrap();
            let head = read_request(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
            let key = head.split("idempotency-key: ").nth(1).unwrap();
            (
                head.lines().next().unwrap().to_owned(),
                key.lines().next().unwrap().to_owned(),
            )
        })
    });
    let person = Person::new();
    let mut command = person.command(&["teams", "create", "Red"]);
    let done = command
        .env("CCAG_URL", url)
        .env("CCAG_TOKEN", "ccags_t")
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let asked = gateway.join().unwrap();
    assert_eq!(asked[0].0, "post /admin/teams http/1.1");
    assert!(
        asked[0].1.len() == 32 && asked.iter().all(|one| *one == asked[0]),
        "{asked:?}"
    );
}
