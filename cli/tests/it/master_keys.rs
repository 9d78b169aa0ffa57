//! Secrets at rest, and their keys.

use crate::server::Server;
use crate::{Done, Person};
use ccag_admin_api::*;

fn view(unreadable: u64) -> SecretsView {
    let key = |id: &str, current, secrets| MasterKeyView {
        id: id.into(),
        current,
        secrets,
    };
    SecretsView {
        keys: vec![
            key("11aa22bb", true, 4),
            key("33cc44dd", false, 1),
            key("55ee66ff", false, 0),
        ],
        kinds: vec![SealedKindView {
            kind: "signing_keys".into(),
            under: [("11aa22bb".into(), 4), ("33cc44dd".into(), 1)].into(),
            unreadable,
        }],
        to_reseal: 1,
        unreadable,
        unreadable_secrets: (0..unreadable)
            .map(|n| UnreadableSecret {
                kind: "endpoint_credentials".into(),
                id: format!("end_{n}"),
                key: Some("77778888".into()),
            })
            .collect(),
    }
}

#[test]
fn the_status_says_which_key_may_go_and_fails_where_a_key_is_missing() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    server.answer("GET", paths::SECRETS, &view(0));
    let shown = person.ok(&["secrets", "status"]);
    for line in [
        "11aa22bb  current        4",
        "33cc44dd  needed         1",
        "55ee66ff  may go         0",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(
        shown.contains("1 secret is to be brought under the current key"),
        "{shown}"
    );
    assert_eq!(person.json(&["secrets", "status"])["to_reseal"], 1);
    server.answer("GET", paths::SECRETS, &view(1));
    let Done {
        code,
        stdout: out,
        stderr: err,
    } = person.run(&["secrets", "status"]);
    assert_eq!(code, 1);
    assert!(out.contains("endpoint_credentials  end_0  77778888"), "{out}");
    assert!(err.contains("CCAG_OTHER_MASTER_KEYS"), "{err}");
}

#[test]
fn resealing_says_how_many_of_each_kind() {
    let server = Server::start();
    let person = Person::signed_in(&server);
    let report = |resealed: &[(&str, u64)], unreadable| ResealReport {
        key: "11aa22bb".into(),
        resealed: resealed
            .iter()
            .map(|(kind, n)| ((*kind).to_owned(), *n))
            .collect(),
        unreadable,
    };
    server.answer("POST", paths::SECRETS_RESEAL, &report(&[("signing_keys", 2)], 0));
    let shown = person.ok(&["secrets", "reseal"]);
    assert!(
        shown.starts_with("Key: 11aa22bb") && shown.contains("signing_keys         2"),
        "{shown}"
    );
    server.answer("POST", paths::SECRETS_RESEAL, &report(&[], 0));
    assert!(person.ok(&["secrets", "reseal"]).contains("already"));
    server.answer("POST", paths::SECRETS_RESEAL, &report(&[], 2));
    let Done {
        code, stderr: err, ..
    } = person.run(&["secrets", "reseal"]);
    assert!(code == 1 && err.contains("2 secrets cannot be opened"), "{err}");
}
