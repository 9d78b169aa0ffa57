//! Many requests in one.

use super::{assert_error, start};
use crate::support::{TestDb, on_both};
use serde_json::{Value, json};

on_both!(
    requests_in_one_refer_to_each_other,
    refusals_stop_the_rest_if_the_client_wants
);

async fn requests_in_one_refer_to_each_other(db: TestDb) {
    let (plane, idp) = start(&db).await;
    // RFC 7644, §3.7.2: the group comes first, and waits for its member.
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "ytrewq",
             "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Tour Guides",
                      "members": [{"type": "User", "value": "bulkId:qwerty"}]}},
            {"method": "POST", "path": "/Users", "bulkId": "qwerty",
             "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Alice"}},
            {"method": "PATCH", "path": "/Users/bulkId:qwerty",
             "data": {"Operations": [{"op": "replace", "path": "title", "value": "Boss"}]}},
            {"method": "PUT", "path": "/Users/user_none", "data": {"userName": "x"}},
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "bulkId:b"}},
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bulkId:a"}},
            {"method": "POST", "path": "/Bulk", "bulkId": "c", "data": {}},
        ],
    });
    let answer = idp.send("POST", "/Bulk", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(
        answer["schemas"],
        json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"])
    );
    let operations = answer["Operations"].as_array().unwrap();
    let statuses: Vec<_> = operations.iter().map(|o| o["status"].as_str().unwrap()).collect();
    assert_eq!(
        statuses,
        ["201", "201", "200", "404", "409", "409", "404"],
        "{answer}"
    );
    assert_eq!(
        (&operations[0]["bulkId"], &operations[0]["method"]),
        (&json!("ytrewq"), &json!("POST"))
    );
    assert!(
        operations[1]["location"]
            .as_str()
            .unwrap()
            .contains("/Users/user_")
    );
    assert_eq!(operations[1]["version"], "W/\"1\"");
    assert_eq!(operations[3]["response"]["status"], "404");
    let groups = idp.get("/Groups").await.json();
    assert_eq!(groups["Resources"][0]["members"][0]["display"], "Alice");
    assert_eq!(idp.get("/Users").await.json()["Resources"][0]["title"], "Boss");
    plane.stop().await;
}

async fn refusals_stop_the_rest_if_the_client_wants(db: TestDb) {
    let (plane, idp) = start(&db).await;
    let post = |id: &str, name: &str| json!({"method": "POST", "path": "/Users", "bulkId": id, "data": {"userName": name}});
    let operations = json!([post("1", "a"), post("2", "A"), post("3", "b")]);
    let answer = idp
        .send(
            "POST",
            "/Bulk",
            json!({"failOnErrors": 1, "Operations": operations}),
        )
        .await;
    assert_eq!(answer.json()["Operations"].as_array().unwrap().len(), 2);
    assert_eq!(idp.get("/Users").await.json()["totalResults"], 1);
    let many: Vec<Value> = (0..201).map(|n| post(&n.to_string(), &n.to_string())).collect();
    assert_error(
        &idp.send("POST", "/Bulk", json!({"Operations": many})).await,
        413,
        None,
    );
    assert_error(
        &idp.send("POST", "/Bulk", json!({"Operations": [{}]})).await,
        400,
        Some("invalidSyntax"),
    );
    plane.stop().await;
}
