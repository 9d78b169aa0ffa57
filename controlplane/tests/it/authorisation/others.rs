//! Every field that names somebody or something else, filled in by those who may not.

use super::world::{Column, Who, World};
use crate::support::PASSWORD;
use serde_json::{Value, json};

async fn world() -> World {
    Box::pin(World::new()).await
}

fn who(world: &World, column: Column) -> &Who {
    world.people.iter().find(|who| who.column == column).unwrap()
}

/// What somebody is refused, or gets without anything of others in it.
async fn learns_nothing(world: &World, who: &Who, path: &str) {
    let answer = who.api.get(path).await;
    let status = answer.status.as_u16();
    assert!([200, 403, 404].contains(&status), "{path}: {}", answer.text);
    for secret in [&world.stranger_key, "of-stranger"] {
        let harmless = path.contains(secret) && status != 200;
        assert!(
            harmless || !answer.text.contains(secret),
            "{path} tells {secret}: {}",
            answer.text
        );
    }
    if status == 200 && !path.contains("stranger") {
        assert!(!answer.text.contains(&world.stranger), "{path}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_what_is_others_through_a_query() {
    let world = world().await;
    let (user, key, team) = (&world.stranger, &world.stranger_key, &world.blue);
    for column in [Column::Member, Column::Manager] {
        let reader = who(&world, column);
        for path in ["/admin/usage/summary", "/admin/usage/export"] {
            for query in [
                format!("user_id={user}"),
                format!("team_id={team}"),
                format!("key_id={key}"),
                format!("key_id={key}&user_id={}", reader.id),
                format!("key_id={key}&team_id={}", world.red),
                format!("user_id={}&team_id={team}", reader.id),
            ] {
                learns_nothing(&world, reader, &format!("{path}?{query}&days=30")).await;
                let as_csv = format!("/admin/usage/export?{query}&days=30&format=csv");
                learns_nothing(&world, reader, &as_csv).await;
            }
        }
        for by in ["user", "key", "team"] {
            learns_nothing(&world, reader, &format!("/admin/usage/summary?group_by={by}")).await;
        }
        for path in [
            format!("/admin/keys?user_id={user}"),
            format!("/admin/keys?team_id={team}"),
            format!("/admin/keys/{key}"),
            format!("/admin/budget/status?user_id={user}"),
            format!("/admin/budget/status?key_id={key}"),
            format!("/admin/budgets?user_id={user}"),
            format!("/admin/budgets?team_id={team}"),
            format!("/admin/limits?user_id={user}"),
            format!("/admin/limits?team_id={team}"),
            format!("/admin/paused-sessions?user_id={user}"),
            format!("/admin/paused-sessions?team_id={team}"),
            format!("/admin/users?team_id={team}"),
            "/admin/users?username=user-of-stranger".to_owned(),
            format!("/admin/users/{user}"),
            format!("/admin/users/{user}/spend-limit"),
            format!("/admin/teams/{team}"),
            format!("/admin/teams/{team}/members"),
            format!("/admin/teams/{team}/budget"),
        ] {
            learns_nothing(&world, reader, &path).await;
        }
    }
    world.end().await;
}

async fn refused(who: &Who, method: &str, path: &str, body: Value) {
    let answer = who.api.send(method, path, &body.to_string()).await;
    let status = answer.status.as_u16();
    assert!(
        [403, 404].contains(&status),
        "{method} {path} {body}: {status} {}",
        answer.text
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_spends_as_or_creates_for_anybody_else() {
    let world = world().await;
    let (user, key, blue) = (&world.stranger, &world.stranger_key, &world.blue);
    let before = world.owner.get(&format!("/admin/keys/{key}")).await.text;
    for column in [Column::Member, Column::Manager, Column::Auditor] {
        let actor = who(&world, column);
        // A key is what one spends with.
        for body in [
            json!({"user_id": user}),
            json!({"team_id": blue}),
            json!({"user_id": user, "team_id": blue}),
            json!({"user_id": actor.id, "team_id": blue}),
            json!({"user_id": "user_nobody"}),
            json!({"team_id": "team_nobody"}),
        ] {
            refused(actor, "POST", "/admin/keys", body).await;
        }
        let own = actor.api.post("/admin/keys", json!({"name": "own"})).await;
        assert_eq!(own.json()["user_id"], json!(actor.id), "{}", own.text);
        let own = format!("/admin/keys/{}", own.id());
        for body in [
            json!({"user_id": user}),
            json!({"user_id": null}),
            json!({"team_id": blue}),
            json!({"team_id": null}),
        ] {
            refused(actor, "PATCH", &own, body).await;
        }
        for body in [
            json!({"name": "x"}),
            json!({"user_id": actor.id}),
            json!({"rate_limit_rpm": 1}),
        ] {
            refused(actor, "PATCH", &format!("/admin/keys/{key}"), body).await;
        }
        refused(actor, "POST", &format!("/admin/keys/{key}/revoke"), json!({})).await;
        refused(actor, "DELETE", &format!("/admin/keys/{key}"), json!({})).await;
        for body in [
            json!({"scope": "member", "team_id": blue, "user_id": user, "amount_usd": 1}),
            json!({"scope": "member", "team_id": blue, "user_id": actor.id, "amount_usd": 1}),
            json!({"scope": "member", "team_id": world.red, "user_id": actor.id, "amount_usd": 1}),
            json!({"scope": "member", "team_id": world.red, "user_id": user, "amount_usd": 1}),
            json!({"scope": "team", "team_id": world.red, "amount_usd": 1}),
            json!({"scope": "each_member", "team_id": world.red, "amount_usd": 1}),
            json!({"scope": "user", "user_id": world.mate, "amount_usd": 1}),
            json!({"scope": "key", "key_id": key, "amount_usd": 1}),
            json!({"scope": "organisation", "amount_usd": 1}),
            json!({"scope": "each_user", "amount_usd": 1}),
        ] {
            refused(actor, "POST", "/admin/budgets", body).await;
        }
        for team in [blue.as_str(), world.red.as_str()] {
            for user in [user, &actor.id] {
                let path = format!("/admin/teams/{team}/members");
                if (team, user.as_str()) == (world.red.as_str(), actor.id.as_str())
                    && column == Column::Manager
                {
                    continue;
                }
                refused(actor, "POST", &path, json!({"user_id": user})).await;
            }
        }
        refused(
            actor,
            "PUT",
            &format!("/admin/users/{user}/team"),
            json!({"team_id": world.red}),
        )
        .await;
        refused(
            actor,
            "PUT",
            &format!("/admin/users/{user}/spend-limit"),
            json!({"limit_usd": 1}),
        )
        .await;
    }
    let after = world.owner.get(&format!("/admin/keys/{key}")).await.text;
    assert_eq!(before, after);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_themselves_or_others_more_than_they_may() {
    let world = world().await;
    let roles = ["owner", "admin", "team_manager", "auditor"];
    for column in [
        Column::Member,
        Column::Manager,
        Column::OtherManager,
        Column::Auditor,
    ] {
        let actor = who(&world, column);
        for id in [&actor.id, &world.mate] {
            for role in roles {
                refused(
                    actor,
                    "PATCH",
                    &format!("/admin/users/{id}"),
                    json!({"role": role}),
                )
                .await;
            }
            refused(
                actor,
                "PATCH",
                &format!("/admin/users/{id}"),
                json!({"password": PASSWORD}),
            )
            .await;
        }
        refused(
            actor,
            "POST",
            "/admin/users",
            json!({"username": "x", "role": "owner"}),
        )
        .await;
    }
    // An admin does nothing to an owner, and makes none.
    let admin = who(&world, Column::Admin);
    let owner = &who(&world, Column::Owner).id;
    let path = format!("/admin/users/{owner}");
    refused(
        admin,
        "POST",
        "/admin/users",
        json!({"username": "x", "role": "owner"}),
    )
    .await;
    refused(
        admin,
        "PATCH",
        &format!("/admin/users/{}", admin.id),
        json!({"role": "owner"}),
    )
    .await;
    for body in [
        json!({"role": "member"}),
        json!({"password": PASSWORD}),
        json!({"email": "a@example.com"}),
        json!({"team_id": world.red}),
    ] {
        refused(admin, "PATCH", &path, body).await;
    }
    refused(admin, "POST", &format!("{path}/suspend"), json!({})).await;
    refused(
        admin,
        "PUT",
        &format!("{path}/team"),
        json!({"team_id": world.red}),
    )
    .await;
    refused(admin, "DELETE", &path, json!({})).await;
    // An owner does.
    let promoted = format!("/admin/users/{}", world.mate);
    let owner = who(&world, Column::Owner);
    let answer = owner.api.send("PATCH", &promoted, r#"{"role": "owner"}"#).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["role"]),
        (200, &json!("owner"))
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_manages_their_team_and_only_its_members() {
    let world = world().await;
    let (manager, red) = (who(&world, Column::Manager), &world.red);
    // Somebody without a team is found by their whole name, and joins.
    let made = world
        .owner
        .post("/admin/users", json!({"username": "newcomer"}))
        .await;
    let listed = manager.api.get("/admin/users").await;
    assert!(!listed.text.contains("newcomer"), "{}", listed.text);
    let found = manager.api.get("/admin/users?username=newcomer").await.json();
    assert_eq!(found["users"][0]["id"], json!(made.id()));
    let members = format!("/admin/teams/{red}/members");
    let joined = manager.api.post(&members, json!({"user_id": made.id()})).await;
    assert_eq!(joined.status, 204, "{}", joined.text);
    // Their keys, and keys of the team, are the manager's to make and revoke.
    for body in [json!({"user_id": made.id()}), json!({"team_id": red})] {
        let key = manager.api.post("/admin/keys", body.clone()).await;
        assert_eq!(key.status, 201, "{}", key.text);
        assert_eq!(key.json()["user_id"], body["user_id"]);
        let revoke = format!("/admin/keys/{}/revoke", key.id());
        assert_eq!(manager.api.post(&revoke, json!({})).await.status, 200);
    }
    // A budget of a member stays within the team's, also when it is raised.
    let mut body = json!({"scope": "member", "team_id": red, "user_id": made.id(), "amount_usd": 1_001});
    let beyond = manager.api.post("/admin/budgets", body.clone()).await;
    assert_eq!(
        (beyond.status.as_u16(), &beyond.json()["field"]),
        (403, &json!("amount_usd"))
    );
    body["amount_usd"] = json!(900);
    let budget = manager.api.post("/admin/budgets", body).await;
    assert_eq!(budget.status, 201, "{}", budget.text);
    let raises = format!("/admin/budgets/{}/raises", budget.id());
    let mut raise = json!({"amount_usd": 101, "until": "2026-12-01T00:00:00Z", "reason": "r"});
    assert_eq!(manager.api.post(&raises, raise.clone()).await.status, 403);
    raise["amount_usd"] = json!(100);
    assert!(manager.api.post(&raises, raise).await.status.is_success());
    // Others in the team who are more than members are out of reach.
    let path = format!("/admin/users/{}/team", who(&world, Column::Admin).id);
    let body = json!({"team_id": red}).to_string();
    assert_eq!(world.owner.send("PUT", &path, &body).await.status, 200);
    let admin = &who(&world, Column::Admin).id;
    refused(manager, "POST", "/admin/keys", json!({"user_id": admin})).await;
    refused(manager, "DELETE", &format!("{members}/{admin}"), json!({})).await;
    // And a member leaves.
    let gone = manager
        .api
        .send("DELETE", &format!("{members}/{}", made.id()), "")
        .await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_services_are_everybodys_own() {
    let world = world().await;
    let service = json!({"provider_type": "tavily", "api_key": "secret-of-the-member"});
    let member = who(&world, Column::Member);
    let put = member
        .api
        .send("PUT", "/admin/search-providers", &service.to_string())
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert!(!put.text.contains("secret-of-the-member"), "{}", put.text);
    for column in [Column::Manager, Column::Auditor, Column::Admin, Column::Owner] {
        let other = who(&world, column);
        let list = other.api.get("/admin/search-providers").await;
        assert_eq!(list.json()["providers"], json!([]), "{column:?}");
        refused(other, "DELETE", "/admin/search-providers/tavily", json!({})).await;
    }
    world.end().await;
}

#[tokio::test]
async fn ids_do_not_follow_from_each_other() {
    let db = crate::support::TestDb::sqlite().await;
    let plane = crate::support::Plane::start(&db).await;
    let admin = plane.admin().await;
    let mut ends = Vec::new();
    for n in 0..20 {
        let id = admin
            .post("/admin/teams", json!({"name": format!("team {n}")}))
            .await
            .id();
        // The clock stands still: what differs is what nobody can guess.
        let (time, random) = id.strip_prefix("team_").unwrap().split_at(10);
        assert_eq!(random.len(), 16, "{time}");
        ends.push(random.to_owned());
    }
    let different = |a: &str, b: &str| a.chars().zip(b.chars()).filter(|(a, b)| a != b).count();
    for (at, one) in ends.iter().enumerate() {
        for other in &ends[..at] {
            assert!(different(one, other) >= 8, "{one} and {other}");
        }
    }
    plane.stop().await;
}
