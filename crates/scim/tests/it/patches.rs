//! PATCH (RFC 7644, §3.5.2), and how providers say it.

use crate::bjensen;
use ccag_scim::patch::{self, MemberChange};
use ccag_scim::schema::ENTERPRISE;
use ccag_scim::{Object, ScimError, ScimType};
use serde_json::{Value, json};

fn patch(operations: Value) -> Result<Object, ScimError> {
    let body =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    patch::user(&bjensen(), &patch::parse(&body)?)
}

fn one(operation: Value) -> Object {
    patch(json!([operation.clone()])).unwrap_or_else(|e| panic!("{operation}: {e}"))
}

fn kind(operation: Value) -> ScimType {
    let refused = patch(json!([operation.clone()]));
    refused.map(|_| panic!("{operation}")).unwrap_err().kind.unwrap()
}

#[test]
fn adds_of_the_rfc() {
    let user = one(json!({"op": "add", "value": {
        "emails": [{"value": "babs@jensen.org", "type": "home"}, {"value": "new@jensen.org"}], "nickName": "Babs"}}));
    assert_eq!(user["nickName"], "Babs");
    assert_eq!(
        user["emails"].as_array().unwrap().len(),
        3,
        "what is there is not added again"
    );
    let user = one(
        json!({"op": "add", "path": "emails", "value": [{"value": "p@x.org", "type": "other", "primary": true}]}),
    );
    let primary: Vec<_> = user["emails"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["primary"] == true)
        .collect();
    assert_eq!(primary, [false, false, true], "the new one is the primary one");
    let user = one(json!({"op": "add", "path": "name", "value": {"familyName": "Smith"}}));
    assert_eq!(
        (&user["name"]["familyName"], &user["name"]["givenName"]),
        (&json!("Smith"), &json!("Barbara"))
    );
}

#[test]
fn replaces_of_the_rfc() {
    let user = one(
        json!({"op": "replace", "path": "addresses[type eq \"work\"]", "value":
        {"type": "work", "streetAddress": "911 Universal City Plaza"}}),
    );
    assert_eq!(
        user["addresses"][0],
        json!({"type": "work", "streetAddress": "911 Universal City Plaza"})
    );
    assert_eq!(user["addresses"].as_array().unwrap().len(), 2);
    let user = one(
        json!({"op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "1010 Broadway"}),
    );
    assert_eq!(
        (
            &user["addresses"][0]["streetAddress"],
            &user["addresses"][0]["locality"]
        ),
        (&json!("1010 Broadway"), &json!("Hollywood"))
    );
    let user = one(json!({"op": "replace", "value": {"emails": [{"value": "only@x.org"}], "nickName": "B"}}));
    assert_eq!(user["emails"], json!([{"value": "only@x.org"}]));
    let missing =
        json!({"op": "replace", "path": "emails[type eq \"nonexistent\"]", "value": {"value": "x"}});
    assert_eq!(kind(missing), ScimType::NoTarget);
    let missing = json!({"op": "replace", "path": "emails[type eq \"nonexistent\"].value", "value": "x"});
    assert_eq!(kind(missing), ScimType::NoTarget);
}

#[test]
fn removes_of_the_rfc() {
    let user = one(json!({"op": "remove", "path": "emails[type eq \"work\" and value ew \"example.com\"]"}));
    assert_eq!(user["emails"].as_array().unwrap().len(), 1);
    assert!(!one(json!({"op": "remove", "path": "addresses"})).contains_key("addresses"));
    assert!(
        !one(json!({"op": "remove", "path": "name.middleName"}))["name"]
            .as_object()
            .unwrap()
            .contains_key("middleName")
    );
    assert_eq!(kind(json!({"op": "remove"})), ScimType::NoTarget);
    assert_eq!(
        kind(json!({"op": "remove", "path": "userName"})),
        ScimType::Mutability
    );
    let user = one(json!({"op": "remove", "path": "emails[type eq \"none\"]"}));
    assert_eq!(user, bjensen(), "what is not there need not be removed");
}

#[test]
fn the_forms_of_entra() {
    for (operation, check) in [
        (
            json!({"op": "Replace", "path": "active", "value": "False"}),
            ("active", json!(false)),
        ),
        (
            json!({"op": "replace", "value": {"active": "False"}}),
            ("active", json!(false)),
        ),
        (
            json!({"op": "Replace", "path": "ACTIVE", "value": [{"value": "false"}]}),
            ("active", json!(false)),
        ),
        (
            json!({"op": "Replace", "path": "displayName", "value": ["Bjensen"]}),
            ("displayName", json!("Bjensen")),
        ),
        (
            json!({"op": "Add", "path": "title", "value": [{"value": "Boss"}]}),
            ("title", json!("Boss")),
        ),
    ] {
        assert_eq!(one(operation.clone())[check.0], check.1, "{operation}");
    }
    let user = one(json!({"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1 555"}));
    assert_eq!(
        user["phoneNumbers"],
        json!([{"type": "mobile", "value": "+1 555"}])
    );
    let user =
        one(json!({"op": "Replace", "path": "phoneNumbers[type eq \"work\"].value", "value": "+1 556"}));
    assert_eq!(user["phoneNumbers"], json!([{"type": "work", "value": "+1 556"}]));
    let user = one(json!({"op": "Replace", "path": "roles[primary eq \"True\"].value", "value": "admin"}));
    assert_eq!(user["roles"], json!([{"primary": true, "value": "admin"}]));
    let user = one(json!({"op": "Add", "value": {
        "name.givenName": "Ada", "emails[type eq \"work\"].value": "ada@x.org",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Sales",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"costCenter": "42"}}}));
    assert_eq!(
        (&user["name"]["givenName"], &user["emails"][0]["value"]),
        (&json!("Ada"), &json!("ada@x.org"))
    );
    assert_eq!(
        (
            &user[ENTERPRISE]["department"],
            &user[ENTERPRISE]["costCenter"],
            &user[ENTERPRISE]["employeeNumber"]
        ),
        (&json!("Sales"), &json!("42"), &json!("701984"))
    );
    let manager = format!("{ENTERPRISE}:manager");
    let user = one(json!({"op": "Add", "path": manager, "value": "user_02"}));
    assert_eq!(user[ENTERPRISE]["manager"]["value"], "user_02");
    let user = one(json!({"op": "Remove", "path": manager}));
    assert!(!user[ENTERPRISE].as_object().unwrap().contains_key("manager"));
    let user = one(json!({"op": "Remove", "path": "emails[type eq \"home\"].value"}));
    assert_eq!(
        user["emails"].as_array().unwrap().len(),
        1,
        "an address without its value is none"
    );
}

#[test]
fn the_forms_of_okta() {
    let user =
        one(json!({"op": "replace", "value": {"id": "ignored", "active": false, "groups": [], "meta": {}}}));
    assert_eq!(user["active"], false);
    assert!(!user.contains_key("id"));
}

#[test]
fn what_the_schema_does_not_know_is_left_out_and_what_only_we_say_is_refused() {
    for operation in [
        json!({"op": "replace", "path": "favouriteColour", "value": "blue"}),
        json!({"op": "remove", "path": "favouriteColour"}),
        json!({"op": "add", "path": "urn:example:custom:2.0:User:shoeSize", "value": 44}),
        json!({"op": "add", "path": "emails[type eq \"work\"].colour", "value": "x"}),
        json!({"op": "add", "value": {"favouriteColour": "blue", "urn:example:2.0:User": {"a": 1}, "ü": 1}}),
    ] {
        assert_eq!(one(operation.clone()), bjensen(), "{operation}");
    }
    for path in [
        "id",
        "meta",
        "meta.created",
        "groups",
        "groups[value eq \"x\"]",
        "schemas",
    ] {
        assert_eq!(
            kind(json!({"op": "replace", "path": path, "value": "x"})),
            ScimType::Mutability,
            "{path}"
        );
    }
}

#[test]
fn what_cannot_be_is_refused_by_its_name() {
    for (operation, wanted) in [
        (
            json!({"op": "replace", "path": "emails[", "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": "emails[type eq]", "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"x\"]value", "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": "a b", "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": 7, "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": "name[familyName eq \"x\"]", "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": "active", "value": "maybe"}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "title", "value": {"a": 1, "b": 2}}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "userName", "value": ""}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "userName", "value": null}),
            ScimType::InvalidValue,
        ),
        (json!({"op": "add", "path": "title"}), ScimType::InvalidValue),
        (json!({"op": "add", "value": "x"}), ScimType::InvalidValue),
        (json!({"op": "move", "path": "title"}), ScimType::InvalidSyntax),
        (json!({"path": "title"}), ScimType::InvalidSyntax),
        (json!("x"), ScimType::InvalidSyntax),
    ] {
        assert_eq!(kind(operation.clone()), wanted, "{operation}");
    }
    for body in [
        json!([]),
        json!({}),
        json!({"Operations": []}),
        json!({"Operations": {}}),
        json!(null),
    ] {
        assert_eq!(
            patch::parse(&body).unwrap_err().kind,
            Some(ScimType::InvalidSyntax),
            "{body}"
        );
    }
}

#[test]
fn all_operations_count_or_none() {
    let refused = patch(json!([
        {"op": "replace", "path": "title", "value": "Boss"},
        {"op": "replace", "path": "active", "value": "maybe"}
    ]));
    assert_eq!(refused.unwrap_err().kind, Some(ScimType::InvalidValue));
}

fn members(operations: Value) -> Result<(Object, Vec<MemberChange>), ScimError> {
    let group = json!({"displayName": "Tour Guides"}).as_object().unwrap().clone();
    patch::group(&group, &patch::parse(&json!({"operations": operations}))?)
}

#[test]
fn members_are_changed_without_being_read() {
    let list = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (group, changes) = members(json!([
        {"op": "Add", "path": "members", "value": [{"value": "a", "display": "A"}, {"$ref": null, "value": "b"}]},
        {"op": "Remove", "path": "members", "value": [{"value": "c"}]},
        {"op": "remove", "path": "members[value eq \"d\"]"},
        {"op": "remove", "path": "Members[value eq \"e\" or value eq \"f\"]"},
        {"op": "remove", "path": "members", "value": []},
        {"op": "replace", "value": {"id": "x", "displayName": "Guides", "members": [{"value": "g"}]}},
        {"op": "remove", "path": "members"}
    ])).unwrap();
    assert_eq!(group["displayName"], "Guides");
    assert!(!group.contains_key("members"));
    assert_eq!(
        changes,
        [
            MemberChange::Add(list(&["a", "b"])),
            MemberChange::Remove(list(&["c"])),
            MemberChange::Remove(list(&["d"])),
            MemberChange::Remove(list(&["e", "f"])),
            MemberChange::Remove(list(&[])),
            MemberChange::Replace(list(&["g"])),
            MemberChange::Replace(list(&[])),
        ]
    );
    for bad in [
        json!([{"op": "add", "path": "members"}]),
        json!([{"op": "add", "path": "members", "value": [{"display": "x"}]}]),
        json!([{"op": "add", "path": "members", "value": [{"value": "x", "type": "Group"}]}]),
        json!([{"op": "replace", "path": "members[value eq \"x\"].value", "value": "y"}]),
        json!([{"op": "remove", "path": "displayName"}]),
    ] {
        assert!(members(bad.clone()).is_err(), "{bad}");
    }
    let (_, changes) = members(json!([{"op": "remove", "path": "members[display sw \"A\"]"}])).unwrap();
    let [MemberChange::RemoveWhere(filter)] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert!(MemberChange::selects(filter, &json!({"value": "a", "display": "Ada"})).unwrap());
}
