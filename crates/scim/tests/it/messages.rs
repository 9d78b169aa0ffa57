//! Whole resources, queries, projections, bulk requests.

use crate::{bjensen, bjensen_json};
use ccag_scim::list::Query;
use ccag_scim::sort::Sort;
use ccag_scim::{Kind, Projection, ScimType, bulk, discovery, resource};
use serde_json::{Value, json};
use std::collections::HashMap;

#[test]
fn a_resource_keeps_what_its_schema_knows_and_no_more() {
    let mut sent = bjensen_json();
    sent["favouriteColour"] = json!("blue");
    let kept = resource::from_client(Kind::User, &sent).unwrap();
    for gone in ["id", "meta", "password", "schemas", "favouriteColour"] {
        assert!(!kept.contains_key(gone), "{gone}");
    }
    assert_eq!(kept["emails"], sent["emails"]);
    let enterprise = &kept[ccag_scim::schema::ENTERPRISE];
    assert_eq!(enterprise["department"], "Tour Operations");
    assert_eq!(
        enterprise["manager"].get("displayName"),
        None,
        "that is ours to say"
    );
}

#[test]
fn names_are_read_whatever_their_case() {
    let sent =
        json!({"USERNAME": "a", "Active": "False", "name.givenName": "A", "EMAILS": {"VALUE": "a@x.org"}});
    let kept = resource::from_client(Kind::User, &sent).unwrap();
    assert_eq!(
        Value::Object(kept),
        json!({"userName": "a", "active": false, "name": {"givenName": "A"}, "emails": [{"value": "a@x.org"}]})
    );
}

#[test]
fn what_is_no_resource_is_refused() {
    for (sent, wanted) in [
        (json!([]), ScimType::InvalidSyntax),
        (json!({}), ScimType::InvalidValue),
        (json!({"userName": " "}), ScimType::InvalidValue),
        (json!({"userName": 7}), ScimType::InvalidValue),
        (json!({"userName": "a", "name": "b"}), ScimType::InvalidValue),
        (json!({"userName": "a", "emails": [7]}), ScimType::InvalidValue),
        (
            json!({"userName": "a", "schemas": [ccag_scim::schema::GROUP]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"userName": "a", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
            ScimType::InvalidValue,
        ),
    ] {
        assert_eq!(
            resource::from_client(Kind::User, &sent).unwrap_err().kind,
            Some(wanted),
            "{sent}"
        );
    }
}

#[test]
fn the_primary_address_is_the_users() {
    let email = |emails: Value| {
        let user = resource::from_client(Kind::User, &json!({"userName": "a", "emails": emails})).unwrap();
        resource::email(&user).map(str::to_owned)
    };
    let home = json!({"value": "h", "type": "home"});
    let work = json!({"value": "w", "type": "work"});
    let primary = json!({"value": "p", "primary": true});
    assert_eq!(email(json!([home, work, primary])).unwrap(), "p");
    assert_eq!(email(json!([home, work])).unwrap(), "w");
    assert_eq!(email(json!([home])).unwrap(), "h");
    assert_eq!(email(json!([])), None);
}

fn shown(only: &[&str], without: &[&str]) -> Value {
    let mut user = bjensen();
    user.insert("id".into(), "user_01".into());
    user.insert("schemas".into(), json!([]));
    let projection = Projection::new(only.iter().copied(), without.iter().copied());
    Value::Object(projection.apply(Kind::User, user))
}

#[test]
fn clients_see_what_they_ask_for_and_what_is_always_shown() {
    let names = |value: &Value| {
        let mut names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(&shown(&["userName"], &[])), ["id", "schemas", "userName"]);
    let some = shown(&["USERNAME", "name.familyName", "emails.value", "nothing"], &[]);
    assert_eq!(some["name"], json!({"familyName": "Jensen"}));
    assert_eq!(some["emails"][1], json!({"value": "babs@jensen.org"}));
    let enterprise = ccag_scim::schema::ENTERPRISE;
    let department = format!("{enterprise}:department");
    assert_eq!(
        shown(&[&department], &[])[enterprise],
        json!({"department": "Tour Operations"})
    );
    assert!(shown(&[], &[enterprise]).get(enterprise).is_none());
    assert!(shown(&[enterprise], &[])[enterprise].get("manager").is_some());
    let rest = shown(&[], &["emails", "id", "schemas", "name.familyName"]);
    assert!(rest.get("emails").is_none() && rest.get("id").is_some() && rest.get("schemas").is_some());
    assert!(rest["name"].get("familyName").is_none() && rest["name"].get("givenName").is_some());
    let groups = Projection::new([], ["members"]);
    assert!(!groups.shows(Kind::Group, "members") && groups.shows(Kind::Group, "displayName"));
}

#[test]
fn numbers_out_of_range_are_put_right_and_what_is_none_is_refused() {
    let query =
        |text: &'static str| Query::from_pairs(text.split('&').filter_map(|pair| pair.split_once('=')));
    let bounds = |text: &'static str| {
        let query = query(text).unwrap();
        (query.start, query.count)
    };
    assert_eq!(bounds(""), (1, 100));
    assert_eq!(bounds("startIndex=0&count=0"), (1, 0));
    assert_eq!(bounds("startIndex=-5&count=-5"), (1, 0));
    assert_eq!(bounds("STARTINDEX=7&Count=5000&unknown=1"), (7, 1_000));
    for bad in [
        "count=x",
        "startIndex=1.5",
        "sortBy=userName&sortOrder=up",
        "sortBy=a b",
        "filter=x",
    ] {
        assert!(query(bad).is_err(), "{bad}");
    }
    let body = json!({"filter": "title pr", "attributes": ["userName"], "sortBy": "userName", "startIndex": 2, "count": 3});
    let search = Query::from_body(&body).unwrap();
    assert_eq!(
        (search.start, search.count, search.projection.is_some()),
        (2, 3, true)
    );
    assert!(Query::from_body(&json!({"count": "x"})).is_err());
}

#[test]
fn the_primary_value_is_sorted_by_and_nothing_comes_last() {
    let sort = Sort::parse(Some("emails"), None).unwrap().unwrap();
    let key = |user: Value| sort.key(Kind::User, user.as_object().unwrap());
    let a = key(json!({"emails": [{"value": "z"}, {"value": "A", "primary": true}]}));
    let b = key(json!({"emails": [{"value": "b"}]}));
    let none = key(json!({}));
    assert!(sort.compare(&a, &b).is_lt() && sort.compare(&b, &none).is_lt());
    let down = Sort::parse(Some("emails"), Some("descending")).unwrap().unwrap();
    assert!(down.compare(&none, &b).is_lt() && down.compare(&b, &a).is_lt());
}

#[test]
fn what_is_discovered_is_complete() {
    let schemas = discovery::schemas("https://x/scim/v2");
    assert_eq!(schemas.len(), 3);
    for schema in &schemas {
        for attribute in schema["attributes"].as_array().unwrap() {
            for field in [
                "name",
                "type",
                "multiValued",
                "required",
                "caseExact",
                "mutability",
                "returned",
                "uniqueness",
            ] {
                assert!(attribute.get(field).is_some(), "{attribute} lacks {field}");
            }
            assert_eq!(
                attribute["type"] == "complex",
                attribute.get("subAttributes").is_some(),
                "{attribute}"
            );
        }
    }
    assert_eq!(discovery::resource_types("").len(), 2);
    assert!(discovery::schema("urn:ietf:params:scim:schemas:core:2.0:user", "").is_some());
    assert!(discovery::resource_type("Device", "").is_none());
}

#[test]
fn bulk_requests_refer_to_what_they_make() {
    let mut bulk = bulk::parse(&json!({"failOnErrors": 1, "Operations": [
        {"method": "post", "path": "/Users", "bulkId": "qwerty", "data": {"userName": "Alice"}},
        {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"members": [{"value": "bulkId:qwerty"}]}}
    ]}))
    .unwrap();
    let mut made = HashMap::new();
    assert_eq!(bulk.operations[0].waits_for(&made), None);
    assert_eq!(bulk.operations[1].waits_for(&made).as_deref(), Some("g"));
    made.insert("g".into(), "grp_1".into());
    assert_eq!(bulk.operations[1].waits_for(&made).as_deref(), Some("qwerty"));
    made.insert("qwerty".into(), "user_1".into());
    bulk.operations[1].resolve(&made);
    assert_eq!(bulk.operations[1].path, "/Groups/grp_1");
    assert_eq!(bulk.operations[1].data["members"][0]["value"], "user_1");
    for bad in [
        json!({}),
        json!({"Operations": [{}]}),
        json!({"Operations": [{"method": "GET", "path": "/Users"}]}),
        json!({"Operations": [{"method": "POST", "path": "/Users"}]}),
        json!({"Operations": [{"method": "DELETE", "path": "x"}]}),
    ] {
        assert_eq!(
            bulk::parse(&bad).unwrap_err().kind,
            Some(ScimType::InvalidSyntax),
            "{bad}"
        );
    }
    let many = vec![json!({"method": "DELETE", "path": "/Users/x"}); bulk::MAX_OPERATIONS + 1];
    assert_eq!(bulk::parse(&json!({"Operations": many})).unwrap_err().status, 413);
}
