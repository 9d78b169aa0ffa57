//! The script that sets up Claude Code on a machine, run as people run it.

use crate::harness::{PASSWORD, Person, Started, provided, standalone, wait_until};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// What the scripts need of a system, besides something that edits JSON.
const TOOLS: [&str; 25] = [
    "awk", "cat", "chmod", "cksum", "cmp", "curl", "cut", "date", "dirname", "env", "find", "grep", "id",
    "mkdir", "mv", "printf", "rm", "rmdir", "sed", "sleep", "stty", "tee", "uname", "sh", "touch",
];

/// A machine of somebody's: a home, a project, and the programs that are on it.
struct Machine {
    home: tempfile::TempDir,
    project: tempfile::TempDir,
    programs: tempfile::TempDir,
}

impl Machine {
    /// With Claude Code, and with this to edit JSON with.
    fn with(editor: &str) -> Self {
        let it = Self {
            home: tempfile::tempdir().unwrap(),
            project: tempfile::tempdir().unwrap(),
            programs: tempfile::tempdir().unwrap(),
        };
        for tool in TOOLS {
            it.install(tool, &found(tool));
        }
        let node = PathBuf::from(provided("CCAG_TEST_NODE_DIR"));
        it.install("claude", &node.join("node_modules/.bin/claude"));
        match editor {
            "node" => it.install("node", &found("node")),
            "python3" => it.install("python3", Path::new(&provided("CCAG_TEST_PYTHON"))),
            _ => {}
        }
        it
    }

    fn install(&self, name: &str, program: &Path) {
        let path = self.programs.path().join(name);
        let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn settings(&self) -> PathBuf {
        self.home.path().join(".claude/settings.json")
    }

    fn write_settings(&self, text: &str) {
        std::fs::create_dir_all(self.settings().parent().unwrap()).unwrap();
        std::fs::write(self.settings(), text).unwrap();
    }

    fn read_settings(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.settings()).unwrap()).unwrap()
    }

    /// A command line on this machine.
    fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", line])
            .current_dir(self.project.path())
            .env_clear()
            .env("PATH", self.programs.path())
            .env("HOME", self.home.path())
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// What a command line says, and whether it worked.
    async fn run(&self, line: &str) -> (bool, String) {
        let output = tokio::time::timeout(Duration::from_secs(120), self.shell(line).output());
        let output = output.await.expect("it ends").unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    async fn set_up(&self, it: &Started, arguments: &str) -> String {
        let (worked, said) = self.run(&command(it, arguments)).await;
        assert!(worked, "{said}");
        said
    }

    async fn refused(&self, it: &Started, arguments: &str) -> String {
        let (worked, said) = self.run(&command(it, arguments)).await;
        assert!(!worked, "{said}");
        said
    }

    /// Claude Code answers, with what is in its settings alone.
    async fn ask(&self) -> (bool, String) {
        self.run("claude -p 'Say hello to Zoë'").await
    }
}

fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let all = std::env::split_paths(&path).map(|dir| dir.join(program));
    let usual = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(program));
    let mut candidates = usual.into_iter().chain(all);
    candidates
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("there is no {program}"))
}

fn command(it: &Started, arguments: &str) -> String {
    format!("curl -fsSL {}/setup | sh -s -- {arguments}", it.gateway.url)
}

/// A setup token of a new key.
async fn token(it: &Started, name: &str) -> (String, String, String) {
    let (id, secret) = it.admin.create_key(name).await;
    let made = it
        .admin
        .post(&format!("/admin/keys/{id}/setup-token"), &json!({}))
        .await;
    assert_eq!(made["expires_in_s"], 900);
    (made["token"].as_str().unwrap().to_owned(), id, secret)
}

/// What somebody might have in their settings: their order, their indentation, and things that stand in the way.
const THEIRS: &str = "{\n\t\"model\": \"opus\",\n\t\"permissions\": { \"deny\": [\"Bash(rm:*)\"] },\n\t\"apiKeyHelper\": \
                      \"echo nothing\",\n\t\"env\": { \"EDITOR\": \"vi – ü\", \"CLAUDE_CODE_USE_BEDROCK\": \"1\" }\n}";

#[tokio::test(flavor = "multi_thread")]
async fn one_command_sets_up_a_machine_and_undo_restores_its_settings_byte_for_byte() {
    let it = standalone().await;
    for (editor, before) in [
        ("node", Some(THEIRS)),
        ("python3", Some(THEIRS)),
        ("python3", None),
    ] {
        let machine = Machine::with(editor);
        if let Some(text) = before {
            machine.write_settings(text);
        }
        let (token, id, old) = token(&it, editor).await;
        let said = machine.set_up(&it, &format!("--token {token}")).await;
        assert!(said.contains("Done. Start claude."), "{said}");
        assert!(!said.contains("sk-ccag-"), "{said}");
        let settings = machine.read_settings();
        assert_eq!(settings["env"]["ANTHROPIC_BASE_URL"], it.gateway.url);
        assert_eq!(settings["env"]["CLAUDE_CODE_GATEWAY_HINT_HEADERS"], "1");
        assert_eq!(settings.get("apiKeyHelper"), None);
        if before.is_some() {
            assert_eq!(settings["model"], "opus");
            assert_eq!(settings["permissions"], json!({"deny": ["Bash(rm:*)"]}));
            assert_eq!(settings["env"]["EDITOR"], "vi – ü");
            assert_eq!(settings["env"].get("CLAUDE_CODE_USE_BEDROCK"), None);
            let order: Vec<&str> = settings.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(order.len(), 3, "{order:?}");
        }
        let mode = std::fs::metadata(machine.settings())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "a secret is in it");
        let (worked, said) = machine.ask().await;
        assert!(worked && said.contains("Zoë"), "{said}");
        // The token is used up, and the secret of before with it.
        let said = Machine::with(editor)
            .refused(&it, &format!("--token {token}"))
            .await;
        assert!(said.contains("has been used or is over"), "{said}");
        let client = crate::harness::Client::new(&it.gateway.url, &old);
        let reply = client
            .send(&crate::harness::message(crate::harness::MODEL, "hello"))
            .await;
        assert_eq!(reply.status, 401);
        wait_until("the ledger has it", Duration::from_secs(10), || async {
            let ledger = it.admin.ledger().await;
            ledger
                .iter()
                .any(|row| row["key_id"] == id.as_str())
                .then_some(())
        })
        .await;
        // Once more changes nothing.
        let key = settings["env"]["ANTHROPIC_AUTH_TOKEN"].as_str().unwrap();
        let (worked, said) = machine
            .run(&format!("export CCAG_KEY={key}; {}", command(&it, "--mode key")))
            .await;
        assert!(worked && said.contains("is as it should be already"), "{said}");
        machine.set_up(&it, "--undo").await;
        let after = std::fs::read_to_string(machine.settings()).ok();
        assert_eq!(after.as_deref(), before);
        assert!(!machine.home.path().join(".claude/ccag").exists());
        let said = machine.refused(&it, "--undo").await;
        assert!(said.contains("nothing to undo"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_changed_since_outlives_the_undoing() {
    let it = standalone().await;
    for editor in ["node", "python3"] {
        let machine = Machine::with(editor);
        machine.write_settings(THEIRS);
        machine
            .run(&format!(
                "export CCAG_KEY={}; {}",
                it.secret,
                command(&it, "--mode gateway")
            ))
            .await;
        let mut settings = machine.read_settings();
        assert_eq!(settings["env"]["CLAUDE_CODE_USE_GATEWAY"], "1");
        settings["theme"] = "dark".into();
        settings["env"]["ANTHROPIC_BASE_URL"] = "https://elsewhere.example".into();
        machine.write_settings(&settings.to_string());
        let said = machine.set_up(&it, "--undo").await;
        assert!(said.contains("what you have changed there since stays"), "{said}");
        let mut wanted: Value = serde_json::from_str(THEIRS).unwrap();
        wanted["theme"] = "dark".into();
        wanted["env"]["ANTHROPIC_BASE_URL"] = "https://elsewhere.example".into();
        assert_eq!(machine.read_settings(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_kept_until_it_is_back() {
    let it = standalone().await;
    let machine = Machine::with("python3");
    machine.write_settings(THEIRS);
    let (worked, said) = machine
        .run(&format!(
            "export CCAG_KEY={}; {}",
            it.secret,
            command(&it, "--mode key")
        ))
        .await;
    assert!(worked, "{said}");
    machine.install("tee", &found("false"));
    let said = machine.refused(&it, "--undo").await;
    assert!(
        said.contains("cannot be written. How it was before is in"),
        "{said}"
    );
    machine.install("tee", &found("tee"));
    machine.set_up(&it, "--undo").await;
    assert_eq!(std::fs::read_to_string(machine.settings()).unwrap(), THEIRS);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_changes_nothing_and_uses_up_no_token() {
    let it = standalone().await;
    let (token, ..) = token(&it, "spare").await;
    for (editor, text, why) in [
        ("node", "{ \"env\": ", "mend it"),
        ("python3", "{ \"env\": ", "mend it"),
        ("node", "{\"env\": 7}", "`env` is not an object"),
        ("python3", "{\"env\": 7}", "`env` is not an object"),
        ("python3", "[]", "it is not a JSON object"),
        ("none", "{}", "neither node nor python3"),
    ] {
        let machine = Machine::with(editor);
        machine.write_settings(text);
        let said = machine.refused(&it, &format!("--token {token}")).await;
        assert!(said.contains(why), "{editor} {text}: {said}");
        assert_eq!(std::fs::read_to_string(machine.settings()).unwrap(), text);
    }
    let machine = Machine::with("node");
    for (arguments, why) in [
        ("--mode pigeon", "There is no mode pigeon"),
        ("--token", "--token needs a value"),
        ("--fast", "I do not know --fast"),
        ("--mode key", "Say which key to use"),
        ("--mode login --project", "leave --project out"),
    ] {
        let said = machine.refused(&it, arguments).await;
        assert!(said.contains(why), "{arguments}: {said}");
    }
    let (worked, said) = machine
        .run(&format!(
            "export CCAG_KEY=sk-ccag-nobody; {}",
            command(&it, "--mode key")
        ))
        .await;
    assert!(!worked && said.contains("does not take this key"), "{said}");
    assert!(!machine.settings().exists());
    let said = machine.set_up(&it, "--dry-run --mode key").await;
    assert!(
        said.contains("ANTHROPIC_BASE_URL") && !machine.settings().exists(),
        "{said}"
    );
    // The token is still good, for a project as well.
    machine.set_up(&it, &format!("--project --token {token}")).await;
    assert!(!machine.settings().exists());
    let (worked, said) = machine.ask().await;
    assert!(worked, "{said}");
    machine.set_up(&it, "--project --undo").await;
    assert!(!machine.project.path().join(".claude").exists());
}

/// Starts the script, and lets it in with a browser where it asks for it.
async fn sign_in(it: &Started, machine: &Machine, line: &str) -> String {
    let mut running = machine.shell(line).spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let page = loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{said}"));
        said.push_str(&line);
        if let Some((_, code)) = line.split_once("user_code=") {
            break code.trim().to_owned();
        }
    };
    let mut person = Person::new();
    let login = person.open(&format!("{}/console/login", it.gateway.url)).await;
    let fields = [("username", "admin"), ("password", PASSWORD)];
    person.submit(&login, &fields).await;
    let done = person.confirm(&it.gateway.url, &page).await;
    assert!(done.text.contains("You are signed in"), "{}", done.text);
    let output = tokio::time::timeout(Duration::from_secs(60), running.wait_with_output());
    let output = output.await.expect("it ends").unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        said.push_str(&line);
    }
    said.push_str(&String::from_utf8(output.stdout).unwrap());
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_helper_signs_in_with_the_browser_and_renews_its_token() {
    let it = standalone().await;
    let machine = Machine::with("python3");
    let said = sign_in(&it, &machine, &command(&it, "--mode sso")).await;
    assert!(said.contains("Signed in as admin"), "{said}");
    let (worked, said) = machine.ask().await;
    assert!(worked && said.contains("Zoë"), "{said}");
    // The token is about to end: the next one is fetched without anybody, once, whoever asks.
    let session = machine.home.path().join(".claude/ccag/session");
    let before = std::fs::read_to_string(&session).unwrap();
    let lines: Vec<&str> = before.lines().collect();
    let over = format!("{}\n{}\n{}\n{}\n", lines[0], lines[1], 1_000, lines[3]);
    std::fs::write(&session, over).unwrap();
    let asked = [(); 4].map(|()| machine.run("sh \"$HOME/.claude/ccag/token.sh\""));
    let tokens = futures_util::future::join_all(asked).await;
    for (worked, token) in &tokens {
        assert!(worked, "{token}");
        assert_eq!(*token, tokens[0].1);
        assert_ne!(token.trim(), lines[0]);
    }
    let (worked, said) = machine.ask().await;
    assert!(worked, "{said}");
    // Whoever takes the session away is felt at once, and the helper asks for a browser again.
    let sessions = it.admin.get("/admin/client-sessions").await;
    let sessions = sessions["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    machine.set_up(&it, "--undo").await;
    assert!(!machine.settings().exists() && !machine.home.path().join(".claude/ccag").exists());
    wait_until("the session is over", Duration::from_secs(5), || async {
        let sessions = it.admin.get("/admin/client-sessions").await;
        sessions["sessions"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machine_is_told_of_the_gateway_for_login() {
    let it = standalone().await;
    let machine = Machine::with("node");
    let file = machine.project.path().join("managed-settings.json");
    let before = "{ \"cleanupPeriodDays\": 3 }";
    std::fs::write(&file, before).unwrap();
    let arguments = format!("--managed-file {}", file.display());
    let said = machine.set_up(&it, &format!("--mode login {arguments}")).await;
    assert!(said.contains("enter /login"), "{said}");
    let settings: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let wanted = json!({
        "cleanupPeriodDays": 3, "forceLoginMethod": "gateway", "forceLoginGatewayUrl": it.gateway.url,
    });
    assert_eq!(settings, wanted);
    machine.set_up(&it, "--undo").await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let served = http.get(format!("{}/setup/managed-settings.json", it.gateway.url));
    let served: Value = served.send().await.unwrap().json().await.unwrap();
    assert_eq!(served["forceLoginGatewayUrl"], it.gateway.url);
}
