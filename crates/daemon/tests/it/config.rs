use ccag_daemon::config::{ConfigError, Source, load_from};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;

const DEFAULTS: &str = r#"
# Where clients connect.
listen = "127.0.0.1:8080"
# Who may.
password = ""
names = ["a"]

[drain]
# Seconds that open streams get.
deadline_s = 30
hurry = false
# Not set by default.
# note = "text"

[log]
format = "text"
"#;

const ENV: &[(&str, &str)] = &[
    ("CCAG_HTTP_LISTEN", "listen"),
    ("PROXY_LISTEN", "listen"),
    ("CCAG_PASSWORD", "password"),
    ("CCAG_NAMES", "names"),
    ("CCAG_DRAIN_S", "drain.deadline_s"),
    ("CCAG_HURRY", "drain.hurry"),
    ("CCAG_NOTE", "drain.note"),
    ("LOG_FORMAT", "log.format"),
];

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Config {
    listen: SocketAddr,
    password: String,
    names: Vec<String>,
    drain: Drain,
    log: Log,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Drain {
    deadline_s: u32,
    hurry: bool,
    note: Option<String>,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Log {
    format: Format,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Text,
    Json,
}

fn load(file: Option<&str>, vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let vars: HashMap<_, _> = vars
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = file.map(|text| {
        let path = dir.path().join("ccag.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    load_from(DEFAULTS, path.as_deref(), ENV, &vars)
}

fn refusal(file: Option<&str>, vars: &[(&str, &str)]) -> String {
    load(file, vars).unwrap_err().to_string()
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let config = load(None, &[]).unwrap();
    assert_eq!(config.listen.port(), 8080);
    assert_eq!(config.names, ["a"]);
    assert_eq!((config.drain.deadline_s, config.drain.hurry), (30, false));
    assert_eq!(config.drain.note, None);
    assert_eq!(config.log.format, Format::Text);
}

#[test]
fn the_file_goes_over_the_defaults_and_the_environment_over_both() {
    let file = "names = [\"x\", \"y\"]\n[drain]\ndeadline_s = 5\nhurry = true\n";
    let config = load(Some(file), &[("CCAG_DRAIN_S", "9"), ("LOG_FORMAT", "json")]).unwrap();
    assert_eq!(config.names, ["x", "y"]);
    assert_eq!((config.drain.deadline_s, config.drain.hurry), (9, true));
    assert_eq!(config.log.format, Format::Json);
    assert_eq!(config.listen.port(), 8080);
}

#[test]
fn environment_text_becomes_what_the_type_asks_for() {
    let vars = [
        ("CCAG_PASSWORD", "007"),
        ("CCAG_NAMES", "one, two,"),
        ("CCAG_HURRY", "yes"),
        ("CCAG_NOTE", "12"),
    ];
    let config = load(None, &vars).unwrap();
    assert_eq!(config.password, "007");
    assert_eq!(config.names, ["one", "two"]);
    assert!(config.drain.hurry);
    assert_eq!(config.drain.note.as_deref(), Some("12"));
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    assert_eq!(
        load(None, &[("CCAG_DRAIN_S", "")]).unwrap(),
        load(None, &[]).unwrap()
    );
}

#[test]
fn of_two_variables_for_one_key_the_first_of_the_list_counts() {
    let both = [
        ("PROXY_LISTEN", "127.0.0.1:1"),
        ("CCAG_HTTP_LISTEN", "127.0.0.1:2"),
    ];
    assert_eq!(load(None, &both).unwrap().listen.port(), 2);
    assert_eq!(load(None, &both[..1]).unwrap().listen.port(), 1);
}

#[test]
fn a_file_variable_is_read_without_its_last_line_break() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "two\nlines \r\n").unwrap();
    let path = path.to_str().unwrap();
    let config = load(None, &[("CCAG_PASSWORD_FILE", path)]).unwrap();
    assert_eq!(config.password, "two\nlines ");
    let twice = refusal(None, &[("CCAG_PASSWORD_FILE", path), ("CCAG_PASSWORD", "x")]);
    assert_eq!(
        twice,
        "CCAG_PASSWORD and CCAG_PASSWORD_FILE are both set: unset one of them"
    );
}

#[test]
fn a_file_variable_that_names_nothing_says_which_and_where() {
    let text = refusal(None, &[("CCAG_PASSWORD_FILE", "/nowhere/at/all")]);
    assert!(
        text.starts_with("cannot read /nowhere/at/all, named by CCAG_PASSWORD_FILE: "),
        "{text}"
    );
    let missing = load_from::<Config>(
        DEFAULTS,
        Some(&PathBuf::from("/no/ccag.toml")),
        ENV,
        &HashMap::new(),
    );
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .starts_with("cannot read /no/ccag.toml")
    );
}

#[test]
fn an_unknown_key_is_named_with_its_source_and_the_key_that_was_meant() {
    let error = load(Some("[drain]\ndedline_s = 3\n"), &[]).unwrap_err();
    let ConfigError::UnknownKey { key, source, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(key, "drain.dedline_s");
    assert!(matches!(source, Source::File(path) if path.ends_with("ccag.toml")));
    assert!(
        error.to_string().ends_with("did you mean `drain.deadline_s`?"),
        "{error}"
    );
    let far = refusal(Some("colour = 3\n"), &[]);
    assert!(far.starts_with("unknown configuration key `colour` in "), "{far}");
    assert!(
        far.ends_with("use one of listen, password, names, drain, log"),
        "{far}"
    );
}

#[test]
fn a_misspelt_variable_is_refused_and_a_foreign_one_is_not() {
    let text = refusal(None, &[("CCAG_HTP_LISTEN", "127.0.0.1:1")]);
    assert_eq!(
        text,
        "unknown environment variable CCAG_HTP_LISTEN: did you mean CCAG_HTTP_LISTEN?"
    );
    // What Kubernetes sets for a service called `ccag`, and the CLI's own.
    let foreign = [
        ("CCAG_SERVICE_HOST", "10.0.0.1"),
        ("CCAG_PORT", "tcp://10.0.0.1:80"),
        ("CCAG_URL", "x"),
    ];
    assert!(load(None, &foreign).is_ok());
}

#[test]
fn a_value_that_does_not_fit_is_named_by_key_and_source_and_never_quoted() {
    let text = refusal(None, &[("CCAG_DRAIN_S", "hunter2")]);
    assert_eq!(
        text,
        "configuration key `drain.deadline_s` from the environment variable CCAG_DRAIN_S: \
         expected a whole number from 0"
    );
    let text = refusal(Some("[drain]\ndeadline_s = \"hunter2\"\n"), &[]);
    assert!(
        text.contains("found text, expected u32") && !text.contains("hunter2"),
        "{text}"
    );
    assert!(
        text.ends_with("(set it in the file, or with CCAG_DRAIN_S)"),
        "{text}"
    );
    let text = refusal(Some("password = 5\n"), &[]);
    assert!(
        text.contains("`password`") && text.contains("found a whole number, expected a string"),
        "{text}"
    );
    let text = refusal(None, &[("CCAG_DRAIN_S", "99999999999")]);
    assert!(!text.contains("99999999999"), "{text}");
    let text = refusal(None, &[("LOG_FORMAT", "xml")]);
    assert!(text.contains("expected `text` or `json`"), "{text}");
}

#[test]
fn broken_toml_is_placed_without_quoting_the_line() {
    let text = refusal(Some("listen = \"127.0.0.1:1\"\npassword = hunter2\n"), &[]);
    assert!(text.contains("ccag.toml is not valid TOML: line 2: "), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_key_that_is_needed_and_not_set_is_named() {
    #[derive(Debug, serde::Deserialize)]
    struct Needs {
        #[expect(dead_code, reason = "only its absence matters")]
        join_token: String,
    }
    let env = [("CCAG_JOIN_TOKEN", "join_token")];
    let text = load_from::<Needs>("", None, &env, &HashMap::new())
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "configuration key `join_token`: is needed and not set (set it in the file, or with CCAG_JOIN_TOKEN)"
    );
}

#[test]
fn urls_are_shown_without_what_opens_them() {
    use ccag_daemon::config::without_password;
    for (url, shown) in [
        (
            "https://me:hunter2@collector:4317/x?y",
            "https://(set)@collector:4317/x?y",
        ),
        ("https://token@collector", "https://(set)@collector"),
        ("https://a@b@collector", "https://(set)@collector"),
        ("https://collector/a@b", "https://collector/a@b"),
        ("me:hunter2@collector", "(set)"),
        ("", ""),
    ] {
        assert_eq!(without_password(url), shown);
    }
}
