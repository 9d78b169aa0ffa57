//! The two planes as separate programs.

use crate::harness::{
    Admin, ControlPlane, DataPlane, JOIN_TOKEN, MASTER_KEY, MODEL, PASSWORD, Process, Sim, binary, database,
    free_port,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_control_planes_that_start_at_once_on_an_empty_database_make_one_admin() {
    let database = database();
    let mut first = ControlPlane::new("control-1", &database, None);
    let mut second = ControlPlane::new("control-2", &database, None);
    tokio::join!(first.resume(), second.resume());
    let outputs = [&first, &second].map(|plane| plane.process.as_ref().unwrap().output());
    let passwords: Vec<&str> = outputs
        .iter()
        .filter_map(|output| output.split_once("Password:"))
        .map(|(_, rest)| rest.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        passwords.len(),
        1,
        "one password is shown, by whoever was first: {outputs:?}"
    );
    let admin = Admin::log_in(&first.http, "admin", passwords[0]).await;
    let users = admin.at(&second.http).get("/admin/users").await;
    assert_eq!(users["users"].as_array().unwrap().len(), 1, "{users}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_passes_on_what_is_not_inference() {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    let forward = ("CCAG_FORWARD_CONTROL", control.http.clone());
    let plane = DataPlane::start_with("data", &[&control], &sim, &[forward]).await;
    // Everything through the one address of the data plane.
    let admin = Admin::log_in(&plane.http, "admin", PASSWORD).await;
    let (_, secret) = admin.create_key("forwarded").await;
    admin.fleet_of(1).await;
    let reply = plane.client(&secret).stream(MODEL, "hello").await;
    assert!(reply.is_complete(), "{reply:?}");
    admin.ledger_with(&[reply.request_id]).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = http.get(format!("{}/", plane.http)).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("Sign in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_gives_up_on_the_database_says_what_was_wrong_last() {
    let missing = database();
    let (before, after) = missing.split_once("/t").unwrap();
    let folder = after.split_once('?').unwrap().1;
    for (url, reason) in [
        (
            format!("postgres://ccag@127.0.0.1:{}/ccag", free_port()),
            "Connection refused",
        ),
        (
            format!("{before}/no_such_database?{folder}"),
            "\"no_such_database\" does not exist",
        ),
    ] {
        let mut command = std::process::Command::new(binary("ccag-controlplane"));
        command
            .env("CCAG_HTTP_LISTEN", "127.0.0.1:0")
            .env("CCAG_GRPC_LISTEN", "127.0.0.1:0")
            .env("CCAG_OPS_LISTEN", "127.0.0.1:0")
            .env("DATABASE_URL", url)
            .env("DATABASE_START_TIMEOUT_S", "1")
            .env("CCAG_MASTER_KEY", MASTER_KEY)
            .env("CCAG_JOIN_TOKEN", JOIN_TOKEN);
        let mut process = Process::start("control", &mut command);
        let status = process.ended(std::time::Duration::from_secs(60)).await;
        let output = process.output();
        assert!(!status.success(), "{output}");
        let last = output
            .lines()
            .rfind(|line| line.contains("could not be used within 1 s"));
        assert!(last.is_some_and(|line| line.contains(reason)), "{output}");
    }
}
