//! Turning over the pages of long lists, forwards and back, in every order, while the lists change.

use crate::support::{Caller, Plane, TestDb, on_both};
use serde_json::json;

on_both!(
    pages_of_keys_and_users_follow_on_each_other_in_every_order,
    what_is_added_and_taken_away_moves_no_page,
    the_audit_log_is_turned_over_to_its_beginning_and_back,
    teams_are_sorted_by_what_is_shown_of_them_and_searched,
);

/// The text of a page of the console.
async fn page(caller: &Caller, address: &str) -> String {
    let cookie = format!("ccag_session={}", caller.token.clone().unwrap());
    let answer = caller.clone().with("cookie", &cookie).get(address).await;
    assert_eq!(answer.status, 200, "{address}");
    answer.text
}

/// Where a link of a page leads to.
fn link(page: &str, rel: &str) -> Option<String> {
    let end = page.find(&format!("rel=\"{rel}\""))?;
    let tag = &page[page[..end].rfind('<')?..];
    let tag = &tag[..tag.find('>')?];
    let href = tag.split("href=\"").nth(1)?;
    Some(href[..href.find('"')?].replace("&amp;", "&"))
}

/// The names of what is listed, in order: what begins like this and ends with a digit.
fn names(page: &str, beginning: &str) -> Vec<String> {
    let body = page.split("<tbody>").nth(1).unwrap_or_default();
    let body = body.split("</tbody>").next().unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    for row in body.split("<tr>").skip(1) {
        let at = row.find(&format!(">{beginning}")).unwrap() + 1;
        let name = row[at..].split('<').next().unwrap().trim().to_owned();
        found.push(name);
    }
    found
}

/// All pages, from the first on by their links, and then back again.
async fn walked(caller: &Caller, first: &str, beginning: &str) -> Vec<String> {
    let mut all = Vec::new();
    let (mut pages, mut address) = (Vec::new(), first.to_owned());
    loop {
        let text = page(caller, &address).await;
        let listed = names(&text, beginning);
        all.extend(listed.clone());
        let next = link(&text, "next");
        pages.push((listed, text));
        match next {
            Some(next) => address = next,
            None => break,
        }
        assert!(pages.len() < 50, "{first} never ends");
    }
    let mut back = pages.pop().unwrap().1;
    while let Some((listed, _)) = pages.pop() {
        let address = link(&back, "prev").unwrap();
        back = page(caller, &address).await;
        assert_eq!(names(&back, beginning), listed, "back to {address}");
    }
    assert_eq!(link(&back, "prev"), None);
    all
}

async fn pages_of_keys_and_users_follow_on_each_other_in_every_order(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for n in 0..60_u64 {
        // Names that stand twice, and some keys that never expire.
        let mut body = json!({"name": format!("laptop {:02}", n * 7 % 40)});
        if n % 3 != 0 {
            body["expires_at"] = json!(format!("2027-01-{:02}T00:00:00Z", 1 + n * 5 % 28));
        }
        assert_eq!(admin.post("/admin/keys", body).await.status, 201);
        let user = json!({"username": format!("person{:02}", n * 17 % 60)});
        assert_eq!(admin.post("/admin/users", user).await.status, 201);
    }
    for sort in ["created", "name", "expires"] {
        for order in ["asc", "desc"] {
            let address = format!("/console/keys?sort={sort}&order={order}");
            let found = walked(&admin, &address, "laptop ").await;
            assert_eq!(found.len(), 60, "{address}");
            if sort == "name" {
                let mut sorted = found.clone();
                sorted.sort();
                if order == "desc" {
                    sorted.reverse();
                }
                assert_eq!(found, sorted, "{address}");
            }
        }
    }
    for order in ["asc", "desc"] {
        let found = walked(
            &admin,
            &format!("/console/users?q=person&sort=name&order={order}"),
            "person",
        )
        .await;
        let mut all: Vec<String> = (0..60).map(|n| format!("person{n:02}")).collect();
        if order == "desc" {
            all.reverse();
        }
        assert_eq!(found, all);
        let made: Vec<String> = (0..60_u64).map(|n| format!("person{:02}", n * 17 % 60)).collect();
        let mut found = walked(
            &admin,
            &format!("/console/users?q=person&sort=created&order={order}"),
            "person",
        )
        .await;
        assert_eq!(found.len(), 60);
        // The clock of the test stands still, so the ids say what came first.
        if order == "desc" {
            found.reverse();
        }
        found.sort();
        let mut made = made;
        made.sort();
        assert_eq!(found, made);
    }
    plane.stop().await;
}

async fn what_is_added_and_taken_away_moves_no_page(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for n in 0..60 {
        let user = json!({"username": format!("person{n:02}")});
        assert_eq!(admin.post("/admin/users", user).await.status, 201);
    }
    let first = page(&admin, "/console/users?q=person").await;
    let second = link(&first, "next").unwrap();
    let before = names(&page(&admin, &second).await, "person");
    assert_eq!(before.first().map(String::as_str), Some("person25"));
    assert_eq!(before.len(), 25);
    // Somebody comes in front of it, and the one that it follows on goes.
    assert_eq!(
        admin
            .post("/admin/users", json!({"username": "person05b"}))
            .await
            .status,
        201
    );
    let gone = admin.get("/admin/users?username=person24").await.json();
    let id = gone["users"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        admin
            .send("DELETE", &format!("/admin/users/{id}"), "")
            .await
            .status,
        204
    );
    assert_eq!(names(&page(&admin, &second).await, "person"), before);
    plane.stop().await;
}

async fn the_audit_log_is_turned_over_to_its_beginning_and_back(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for n in 0..70 {
        assert_eq!(
            admin
                .post("/admin/teams", json!({"name": format!("Team {n}")}))
                .await
                .status,
            201
        );
    }
    // Some are from before there was a chain.
    let own = db.connect().await;
    let sql = "UPDATE audit SET seq = NULL, hash = NULL WHERE seq <= 30";
    sea_orm::ConnectionTrait::execute_unprepared(&own, sql)
        .await
        .unwrap();
    own.close().await.unwrap();
    let found = walked(&admin, "/console/audit?q=team.create", "team.create").await;
    assert_eq!(found.len(), 70);
    plane.stop().await;
}

async fn teams_are_sorted_by_what_is_shown_of_them_and_searched(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    for n in 0..30 {
        let id = admin
            .post("/admin/teams", json!({"name": format!("Team {n:02}")}))
            .await
            .id();
        for member in 0..n % 4 {
            let user = json!({"username": format!("p{n}-{member}"), "team_id": id});
            assert_eq!(admin.post("/admin/users", user).await.status, 201);
        }
    }
    let by_name = walked(&admin, "/console/teams", "Team ").await;
    assert_eq!(by_name[..2], ["Team 00", "Team 01"]);
    assert_eq!(by_name.len(), 30);
    let by_users = walked(&admin, "/console/teams?sort=users", "Team ").await;
    let sizes: Vec<u32> = by_users
        .iter()
        .map(|name| name[5..].parse::<u32>().unwrap() % 4)
        .collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{by_users:?}");
    let one = page(&admin, "/console/teams?q=am%2017").await;
    assert_eq!(names(&one, "Team "), ["Team 17"]);
    plane.stop().await;
}
