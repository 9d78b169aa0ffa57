use super::*;

fn load_with(more: &[(&str, &str)]) -> Result<ProcessConfig, InvalidConfig> {
    let key = "ab".repeat(32);
    let base = [
        ("CCAG_MASTER_KEY", key.as_str()),
        ("CCAG_JOIN_TOKEN", "0123456789abcdef"),
        ("DATABASE_URL", "sqlite://x.db"),
    ];
    let vars: HashMap<String, String> = base
        .iter()
        .chain(more)
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    check(ccag_daemon::config::load_from(
        DEFAULTS,
        None,
        ENVIRONMENT,
        &vars,
    )?)
}

fn refused(more: &[(&str, &str)]) -> String {
    load_with(more).unwrap_err().to_string()
}

#[test]
fn the_defaults_and_three_variables_are_enough() {
    let config = load_with(&[]).unwrap();
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:8081");
    let library = ControlPlaneConfig::new("sqlite://x.db", "k".to_owned().into());
    assert_eq!(
        format!("{:?}", library.database),
        format!("{:?}", config.plane.database)
    );
    assert_eq!(
        (library.session_ttl, library.start_timeout),
        (config.plane.session_ttl, config.plane.start_timeout)
    );
    assert_eq!(library.explanation_days, config.plane.explanation_days);
}

#[test]
fn what_is_missing_is_said_with_its_remedy() {
    assert!(refused(&[("CCAG_MASTER_KEY", "")]).contains("openssl rand -hex 32"));
    assert!(refused(&[("CCAG_MASTER_KEY", "short")]).contains("64 hexadecimal digits"));
    let other = "x,".to_owned() + &"cd".repeat(32);
    assert!(
        refused(&[("CCAG_OTHER_MASTER_KEYS", &other)])
            .contains("number 1, that is not 64 hexadecimal digits")
    );
    assert!(refused(&[("CCAG_JOIN_TOKEN", "")]).contains("CCAG_JOIN_TOKEN"));
    assert!(refused(&[("DATABASE_URL", "")]).contains("DATABASE_URL"));
    assert!(refused(&[("DATABASE_URL", "mysql://h/d")]).contains("postgres://"));
    assert!(refused(&[("CCAG_EXPLANATION_DAYS", "4000")]).contains("between 0 and 3650"));
    assert!(refused(&[("CCAG_PUBLIC_URL", "claude.example.com")]).contains("CCAG_PUBLIC_URL"));
    assert!(refused(&[("CCAG_TRUSTED_PROXIES", "10.0.0.0/8,x")]).contains("`x`"));
}

#[test]
fn other_master_keys_stand_in_a_list_or_on_lines() {
    let (one, two) = ("cd".repeat(32), "kms:eu-central-1:AQID");
    for between in [",", ", ", "\n"] {
        let both = format!("{one}{between}{two}");
        let keys = load_with(&[("CCAG_OTHER_MASTER_KEYS", &both)])
            .unwrap()
            .plane
            .master_keys;
        assert!(matches!(keys.current, KeySource::Plain(_)));
        assert!(
            matches!(
                keys.others.as_slice(),
                [KeySource::Plain(_), KeySource::Kms { .. }]
            ),
            "{keys:?}"
        );
    }
}

#[test]
fn plain_grpc_is_for_this_machine_only() {
    assert!(load_with(&[("CCAG_GRPC_LISTEN", "[::1]:8082")]).is_ok());
    assert!(refused(&[("CCAG_GRPC_LISTEN", "0.0.0.0:8082")]).contains("CCAG_GRPC_TLS_CERT"));
    assert!(refused(&[("CCAG_GRPC_TLS_CERT", "x.pem")]).contains("CCAG_GRPC_TLS_KEY"));
}

#[test]
fn parts_of_a_url_may_hold_any_character() {
    let config = load_with(&[
        ("DATABASE_URL", ""),
        ("DATABASE_HOST", "db.example"),
        ("DB_PASSWORD", "p@ss:w/rd%?"),
    ]);
    let url: sea_orm::sqlx::postgres::PgConnectOptions = config.unwrap().plane.database.url.parse().unwrap();
    assert_eq!(
        (url.get_host(), url.get_port(), url.get_username()),
        ("db.example", 5432, "proxy")
    );
    assert_eq!(url.get_database(), Some("proxy"));
    let parts = [
        ("DATABASE_URL", ""),
        ("DATABASE_HOST", "db.example"),
        ("DB_PASSWORD", "a%41"),
    ];
    let url = load_with(&parts).unwrap().plane.database.url;
    assert!(url.contains(":a%2541@"), "{url}");
    let socket = load_with(&[("DATABASE_URL", ""), ("DATABASE_HOST", "/run/postgresql")]).unwrap();
    assert!(socket.plane.database.url.contains("host=%2Frun%2Fpostgresql"));
}

#[test]
fn the_login_of_the_database_may_be_in_a_secret_and_is_in_one_place_only() {
    let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ccag/db-AbCdEf";
    let of = |more: &[(&str, &str)]| {
        let mut all = vec![("DATABASE_URL", ""), ("DATABASE_SECRET_ARN", arn)];
        all.extend(more);
        load_with(&all)
    };
    let config = of(&[("DATABASE_HOST", "db.example")]).unwrap();
    assert_eq!(config.plane.database_secret.unwrap().arn, arn);
    let twice = of(&[("DATABASE_HOST", "db.example"), ("DB_PASSWORD", "x")]).unwrap_err();
    assert!(twice.to_string().contains("DB_PASSWORD"), "{twice}");
    assert!(of(&[]).unwrap_err().to_string().contains("DATABASE_URL"));
    let wrong = [
        ("DATABASE_HOST", "db.example"),
        ("DATABASE_SECRET_ARN", "ccag/db"),
    ];
    assert!(
        of(&wrong)
            .unwrap_err()
            .to_string()
            .contains("DATABASE_SECRET_ARN")
    );
}

#[test]
fn the_dump_shows_no_secret() {
    let config = load_with(&[
        ("ADMIN_PASSWORD", "hunter2hunter2"),
        ("DATABASE_URL", "postgres://u:pw-x@h/d"),
        ("CCAG_OTHER_MASTER_KEYS", &"cd".repeat(32)),
    ]);
    let dump = config.unwrap().dump.to_string();
    for secret in ["hunter2", "pw-x", "abab", "cdcd", "0123456789abcdef"] {
        assert!(!dump.contains(secret), "{secret}");
    }
}
