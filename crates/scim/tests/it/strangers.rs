//! Whatever strangers write, nothing panics and nothing that was kept becomes unreadable.

use crate::bjensen;
use ccag_scim::{AttrPath, Filter, Kind, Path, patch, resource};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Pieces of filters and paths, put together in any order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "userName",
        "emails",
        "type",
        " eq ",
        " co ",
        "\"wörk\"",
        "\"",
        "[",
        "]",
        "(",
        ")",
        " and ",
        " or ",
        "not ",
        ".",
        ":",
        "true",
        "null",
        "12",
        "-1e5",
        "pr",
        " ",
        "\\",
        "é",
        "🦀",
        "value",
        "members",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "$ref",
        "\u{0}",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        Just(json!("True")),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|parts| Value::Object(parts.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "userName",
            "active",
            "emails",
            "name",
            "value",
            "type",
            "primary",
            "members",
            "displayName",
            "id",
            "name.givenName",
            "emails[type eq \"work\"].value",
            "manager",
            "schemas",
            "Operations",
            "op",
            "path",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
            "urn:ietf:params:scim:schemas:core:2.0:User",
        ])
        .prop_map(str::to_owned),
        soup(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn reading_never_panics(text in prop_oneof![soup(), "\\PC{0,40}"]) {
        let _ = Path::parse(&text);
        let _ = AttrPath::parse(&text);
        if let Ok(filter) = Filter::parse(&text) {
            let _ = filter.matches(Kind::User, &bjensen());
            let _ = filter.matches(Kind::Group, &bjensen());
        }
    }

    #[test]
    fn text_survives_being_quoted(text in "\\PC{0,40}") {
        let mut user = bjensen();
        user.insert("nickName".into(), text.clone().into());
        let filter = Filter::parse(&format!("nickName eq {}", Value::from(text))).unwrap();
        prop_assert!(filter.matches(Kind::User, &user).unwrap());
    }

    #[test]
    fn a_patched_user_is_one_that_a_client_could_send(
        op in prop::sample::select(vec!["add", "Replace", "REMOVE"]),
        path in prop::option::of(name()),
        value in json_value(),
    ) {
        let body = json!({"Operations": [{"op": op, "path": path, "value": value}]});
        if let Ok(operations) = patch::parse(&body) {
            if let Ok(user) = patch::user(&bjensen(), &operations) {
                let again = resource::from_client(Kind::User, &Value::Object(user.clone())).unwrap();
                prop_assert_eq!(Value::Object(again), Value::Object(user));
            }
            let _ = patch::group(&bjensen(), &operations);
        }
    }

    #[test]
    fn whole_resources_never_panic(value in json_value()) {
        for kind in [Kind::User, Kind::Group] {
            if let Ok(kept) = resource::from_client(kind, &value) {
                let again = resource::from_client(kind, &Value::Object(kept.clone())).unwrap();
                prop_assert_eq!(again, kept);
            }
        }
        let _ = resource::members(&value);
    }
}
