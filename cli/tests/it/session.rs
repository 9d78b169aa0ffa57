use crate::{Person, Server};

#[test]
fn login_remembers_gateway_and_session_for_this_user_alone_and_prints_no_secret() {
    let server = Server::start();
    let person = Person::new();
    let args = ["login", "--url", &server.url(), "-u", "admin", "--password-stdin"];
    let done = person.with_input(&args, "correct horse\n");
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert_eq!(
        done.stdout,
        format!(
            "Signed in at {} as admin (admin) until 2026-11-24 21:36 UTC.\n",
            server.url()
        )
    );
    assert_eq!(
        std::fs::read_to_string(person.file("token")).unwrap(),
        "ccags_0\n"
    );
    let config: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(person.file("config.json")).unwrap()).unwrap();
    assert_eq!(
        config,
        serde_json::json!({"url": server.url(), "username": "admin"})
    );
    #[cfg(unix)]
    for (name, mode) in [("token", 0o600), ("config.json", 0o600), ("", 0o700)] {
        use std::os::unix::fs::PermissionsExt;
        let meta = std::fs::metadata(person.file(name)).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, mode, "{name}");
    }
    let shown = person.ok(&["whoami"]);
    assert!(
        shown.contains("User:         admin\n") && shown.contains(&server.url()),
        "{shown}"
    );
    let again = person.with_input(&[&["--json"], args.as_slice()].concat(), "correct horse");
    assert!(!again.stdout.contains("ccags_"), "{}", again.stdout);
}

#[test]
fn a_wrong_password_is_refused_in_the_servers_words_and_leaves_nothing_behind() {
    let server = Server::start();
    let person = Person::new();
    let args = ["login", "--url", &server.url(), "-u", "admin", "--password-stdin"];
    let done = person.with_input(&args, "wrong\n");
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("the user name or the password is wrong"),
        "{}",
        done.stderr
    );
    assert!(!person.file("token").exists());
    let empty = person.with_input(&args, "\n");
    assert_eq!(
        (empty.code, empty.stderr.as_str()),
        (2, "error: the password is empty\n")
    );
}

#[test]
fn without_a_terminal_login_says_what_to_give() {
    let server = Server::start();
    let url = server.url();
    let done = Person::new().run(&["login", "--url", &url]);
    assert_eq!(done.code, 2);
    assert_eq!(
        done.stderr,
        "error: there is no terminal to ask on: give --username, or --sso to sign in with a browser\n"
    );
    for wrong in [
        &["login", "--url", &url, "-u", "admin", "--sso"][..],
        &["login", "--url", &url, "-u", "admin", "--no-browser"],
        &["login", "--url", &url, "--password-stdin"],
    ] {
        assert_eq!(Person::new().run(wrong).code, 2, "{wrong:?}");
    }
    assert!(server.data.lock().unwrap().oauth.forms.is_empty());
}

#[test]
fn a_stored_session_is_never_sent_to_another_gateway() {
    let (server, other) = (Server::start(), Server::start());
    let person = Person::signed_in(&server);
    let done = person.run(&["whoami", "--url", &other.url()]);
    assert_eq!(done.code, 4);
    assert!(
        done.stderr.contains(&format!("ccag login --url {}", other.url())),
        "{}",
        done.stderr
    );
    assert!(other.asked().is_empty());
    let slash = format!("{}/", server.url());
    assert_eq!(person.run(&["whoami", "--url", &slash]).code, 0);
}

#[test]
fn a_token_from_the_environment_needs_no_files() {
    let server = Server::start();
    server.data.lock().unwrap().sessions.push("ccags_env".into());
    let person = Person::new();
    let mut command = person.command(&["--json", "whoami"]);
    let output = command
        .env("CCAG_URL", server.url())
        .env("CCAG_TOKEN", "ccags_env")
        .output()
        .unwrap();
    assert!(output.status.success());
    let me: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(me["user"]["username"], "admin");
    assert!(!person.file("token").exists());
}

#[test]
fn logout_ends_the_session_there_and_here() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    assert_eq!(
        person.ok(&["logout"]),
        format!("Signed out of {}.\n", server.url())
    );
    assert!(server.data.lock().unwrap().sessions.is_empty());
    assert!(!person.file("token").exists());
    assert_eq!(person.ok(&["logout"]), "You were not signed in.\n");
    assert_eq!(person.run(&["whoami"]).code, 4);
}

#[test]
fn logout_forgets_the_session_even_if_the_gateway_is_gone() {
    let mut server = Server::start();
    let person = Person::signed_in(&server);
    server.stop();
    let done = person.run(&["logout"]);
    assert_eq!(done.code, 3);
    assert!(
        done.stderr.starts_with("The session is forgotten here"),
        "{}",
        done.stderr
    );
    assert!(!person.file("token").exists());
}

#[test]
fn empty_variables_are_as_good_as_none() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let mut command = person.command(&["whoami"]);
    let output = command
        .env("CCAG_URL", "")
        .env("CCAG_TOKEN", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}
