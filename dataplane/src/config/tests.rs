use super::*;

fn load_with(vars: &[(&str, &str)]) -> Result<ProcessConfig, InvalidConfig> {
    let vars: HashMap<String, String> = vars
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    check(ccag_daemon::config::load_from(
        DEFAULTS,
        None,
        ENVIRONMENT,
        &vars,
    )?)
}

#[test]
fn the_defaults_and_a_control_plane_are_enough() {
    let config = load_with(&[("CCAG_CONTROL_PLANE", "http://127.0.0.1:8082")]).unwrap();
    assert_eq!(config.http_listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.plane.body_bytes, 33_554_432);
    assert_eq!(config.plane.trust, Duration::from_secs(86_400));
    let library = DataPlaneConfig::new(PathBuf::new(), config.plane.control.clone());
    assert_eq!(
        format!("{:?}", library.client),
        format!("{:?}", config.plane.client)
    );
    assert_eq!(
        (
            library.ping,
            library.idle,
            library.spool_max_bytes,
            library.spool_sync
        ),
        (
            config.plane.ping,
            config.plane.idle,
            config.plane.spool_max_bytes,
            config.plane.spool_sync
        )
    );
}

#[test]
fn what_connections_may_take_is_set_by_variables_and_is_by_default_what_it_is_in_the_library() {
    let cp = ("CCAG_CONTROL_PLANE", "http://127.0.0.1:8082");
    assert_eq!(load_with(&[cp]).unwrap().connections, ConnectionLimits::default());
    let set = load_with(&[
        cp,
        ("CCAG_MAX_CONNECTIONS", "100"),
        ("CCAG_HEAD_TIMEOUT_S", "1"),
        ("CCAG_IDLE_TIMEOUT_S", "2"),
        ("CCAG_BODY_PAUSE_S", "3"),
        ("CCAG_BODY_TIMEOUT_S", "4"),
        ("CCAG_WRITE_TIMEOUT_S", "5"),
        ("CCAG_HTTP2_STREAMS", "6"),
        ("CCAG_HTTP2_PING_S", "7"),
        ("CCAG_BODY_MEMORY_BYTES", "1000000000"),
    ])
    .unwrap();
    let seconds = Duration::from_secs;
    let wanted = ConnectionLimits {
        max: 100,
        head: seconds(1),
        idle: seconds(2),
        body_pause: seconds(3),
        body: seconds(4),
        write: seconds(5),
        http2_streams: 6,
        http2_ping: seconds(7),
    };
    assert_eq!(
        (set.connections, set.plane.body_memory_bytes),
        (wanted, 1_000_000_000)
    );
    let wrong = load_with(&[cp, ("CCAG_WRITE_TIMEOUT_S", "0")])
        .unwrap_err()
        .to_string();
    assert!(wrong.contains("connections.write_s"), "{wrong}");
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    let message = |vars: &[(&str, &str)]| load_with(vars).unwrap_err().to_string();
    assert!(message(&[]).contains("CCAG_CONTROL_PLANE"));
    let plain = message(&[("CCAG_CONTROL_PLANE", "http://cp.example:8082")]);
    assert!(plain.contains("https://"), "{plain}");
    let cp = ("CCAG_CONTROL_PLANE", "http://127.0.0.1:8082");
    assert!(message(&[cp, ("CCAG_HTTP_LISTEN", "nonsense")]).contains("CCAG_HTTP_LISTEN"));
    assert!(message(&[cp, ("CCAG_GRPC_CA", "/nonexistent.pem")]).contains("/nonexistent.pem"));
    assert!(message(&[cp, ("CCAG_FORWARD_CONTROL", "http://10.0.0.1")]).contains("forward_control"));
}

#[test]
fn no_secret_is_in_the_dump_or_in_debug_output() {
    let config = load_with(&[
        ("CCAG_CONTROL_PLANE", "http://127.0.0.1:8082"),
        ("CCAG_JOIN_TOKEN", "canary-token"),
        ("AWS_BEARER_TOKEN_BEDROCK", "canary-bearer"),
    ])
    .unwrap();
    assert!(!config.dump.to_string().contains("canary"));
    assert!(!format!("{config:?}").contains("canary"));
    assert_eq!(config.dump["control"]["join_token"], "(set)");
}
