//! The two planes as separate programs.

use crate::harness::{Admin, ControlPlane, DataPlane, MODEL, PASSWORD, Sim, database};

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
