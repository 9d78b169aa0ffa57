//! What holds on both databases, through the verbs.

use crate::support::{NOON, Plane, SYSTEM, TestDb, on_both};
use ccag_admin_api::{
    CreateKey, CreateTeam, CreateUser, KeyState, Patch, PricingQuery, Secret, UpdateKey, UpdateUser,
};
use ccag_controlplane::app::{keys, pricing, sessions, teams, users};
use ccag_controlplane::store::{KeyOrder, KeyQuery, KeyStateFilter, TeamQuery, UserQuery};
use ccag_domain::{AccountState, Code, Role, TeamId, UserId};
use sea_orm::ConnectionTrait;
use std::sync::atomic::Ordering;

on_both!(
    a_key_is_shown_once_and_stored_as_its_digest,
    keys_are_found_by_text_that_means_something_to_sql,
    keys_are_paged_without_gaps,
    a_revoked_key_stays_revoked,
    names_that_differ_only_in_case_are_the_same,
    the_last_owner_cannot_be_lost,
    the_first_admin_of_an_old_database_becomes_an_owner,
    a_team_in_use_is_not_deleted,
    a_deleted_user_takes_their_keys_along,
    a_new_password_ends_the_sessions,
    a_session_ends_with_its_time_and_with_its_user,
    a_restart_changes_nothing,
    what_is_refused_leaves_no_trace,
);

async fn user(plane: &Plane, name: &str) -> UserId {
    let request = CreateUser {
        username: Some(name.into()),
        ..CreateUser::default()
    };
    users::create(plane.app(), &SYSTEM, request).await.unwrap().id
}

async fn team(plane: &Plane, name: &str) -> TeamId {
    teams::create(plane.app(), &SYSTEM, CreateTeam { name: name.into() })
        .await
        .unwrap()
        .id
}

fn named(name: &str) -> CreateKey {
    CreateKey {
        name: Some(name.into()),
        ..CreateKey::default()
    }
}

async fn a_key_is_shown_once_and_stored_as_its_digest(db: TestDb) {
    let plane = Plane::start(&db).await;
    let made = keys::issue(plane.app(), &SYSTEM, named("ci")).await.unwrap();
    let secret = made.key.reveal().to_owned();
    assert!(secret.starts_with("sk-ccag-") && secret.starts_with(&made.record.prefix));
    let digest = ccag_domain::KeyDigest::of(&secret).to_hex();
    let found = db
        .count(&format!(
            "SELECT COUNT(*) FROM virtual_keys WHERE digest = '{digest}'"
        ))
        .await;
    assert_eq!(found, 1);
    let shown = keys::find(plane.app(), &SYSTEM, &made.record.id).await.unwrap();
    assert_eq!(shown, made.record);
    assert!(!serde_json::to_string(&shown).unwrap().contains(&secret));
    plane.stop().await;
}

async fn keys_are_found_by_text_that_means_something_to_sql(db: TestDb) {
    let plane = Plane::start(&db).await;
    for name in ["100% sure", "100 sure", "a_b", "aXb", r"back\slash", "Größe"] {
        keys::issue(plane.app(), &SYSTEM, named(name)).await.unwrap();
    }
    for (search, expected) in [
        ("100%", "100% sure"),
        ("A_B", "a_b"),
        (r"k\s", r"back\slash"),
        ("GRÖSS", ""),
        ("GRÖ", "Größe"),
    ] {
        let query = KeyQuery {
            search: Some(search.into()),
            limit: 10,
            ..KeyQuery::default()
        };
        let (found, total) = keys::list(plane.app(), &SYSTEM, query).await.unwrap();
        let names: Vec<_> = found.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(
            (names.concat().as_str(), total as usize),
            (expected, found.len()),
            "{search}"
        );
    }
    plane.stop().await;
}

async fn keys_are_paged_without_gaps(db: TestDb) {
    let plane = Plane::start(&db).await;
    for i in 0..7 {
        plane.clock.0.store(NOON + i / 2, Ordering::Relaxed);
        let mut request = named(&format!("k{i}"));
        request.expires_at = (i % 3 == 0).then(|| (NOON + 10_000 + i).into());
        keys::issue(plane.app(), &SYSTEM, request).await.unwrap();
    }
    let (all, total) = keys::list(
        plane.app(),
        &SYSTEM,
        KeyQuery {
            limit: 100,
            ..KeyQuery::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(total, 7);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let query = KeyQuery {
            before,
            limit: 2,
            ..KeyQuery::default()
        };
        let (page, _) = keys::list(plane.app(), &SYSTEM, query).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.created_at.ms(), last.id.to_string()));
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let by_expiry = KeyQuery {
        order: KeyOrder::Expires,
        ascending: true,
        limit: 3,
        ..KeyQuery::default()
    };
    let (first, _) = keys::list(plane.app(), &SYSTEM, by_expiry).await.unwrap();
    let names: Vec<_> = first.iter().map(|k| k.name.as_str()).collect();
    assert_eq!(names, ["k0", "k3", "k6"]);
    plane.clock.0.store(NOON + 20_000, Ordering::Relaxed);
    for (state, count) in [
        (KeyStateFilter::Active, 4),
        (KeyStateFilter::Expired, 3),
        (KeyStateFilter::Revoked, 0),
    ] {
        let query = KeyQuery {
            state: Some(state),
            limit: 10,
            ..KeyQuery::default()
        };
        assert_eq!(
            keys::list(plane.app(), &SYSTEM, query).await.unwrap().1,
            count,
            "{state:?}"
        );
    }
    plane.stop().await;
}

async fn a_revoked_key_stays_revoked(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let id = keys::issue(app, &SYSTEM, named("x")).await.unwrap().record.id;
    let first = keys::revoke(app, &SYSTEM, &id).await.unwrap();
    assert_eq!(first.state, KeyState::Revoked);
    plane.clock.0.store(NOON + 5_000, Ordering::Relaxed);
    assert_eq!(keys::revoke(app, &SYSTEM, &id).await.unwrap(), first);
    let update = UpdateKey {
        name: Some("y".into()),
        ..UpdateKey::default()
    };
    assert_eq!(
        keys::update(app, &SYSTEM, &id, update).await.unwrap_err().code,
        Code::Conflict
    );
    keys::delete(app, &SYSTEM, &id).await.unwrap();
    assert_eq!(
        keys::find(app, &SYSTEM, &id).await.unwrap_err().code,
        Code::NotFound
    );
    plane.stop().await;
}

async fn names_that_differ_only_in_case_are_the_same(db: TestDb) {
    let plane = Plane::start(&db).await;
    team(&plane, "Größe").await;
    let again = teams::create(
        plane.app(),
        &SYSTEM,
        CreateTeam {
            name: "GRÖßE".into()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(
        (again.code, again.field.as_deref()),
        (Code::Conflict, Some("name"))
    );
    user(&plane, "Ada").await;
    let request = CreateUser {
        username: Some("ADA".into()),
        ..CreateUser::default()
    };
    assert_eq!(
        users::create(plane.app(), &SYSTEM, request)
            .await
            .unwrap_err()
            .code,
        Code::Conflict
    );
    let query = TeamQuery {
        name: Some("gröSSe".into()),
        limit: 10,
        ..TeamQuery::default()
    };
    assert_eq!(teams::list(plane.app(), &SYSTEM, &query).await.unwrap().1, 0);
    plane.stop().await;
}

async fn the_last_owner_cannot_be_lost(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let owners = UserQuery {
        role: Some(Role::Owner),
        limit: 10,
        ..UserQuery::default()
    };
    let owner = users::list(app, &SYSTEM, &owners).await.unwrap().0.remove(0).id;
    let other = user(&plane, "second").await;
    let change = |role| UpdateUser {
        role: Some(role),
        ..UpdateUser::default()
    };
    // Another admin does not make up for an owner.
    users::update(app, &SYSTEM, &other, change(Role::Admin))
        .await
        .unwrap();
    for refused in [
        users::update(app, &SYSTEM, &owner, change(Role::Admin))
            .await
            .map(drop),
        users::suspend(app, &SYSTEM, &owner).await.map(drop),
        users::delete(app, &SYSTEM, &owner).await,
    ] {
        assert_eq!(refused.unwrap_err().code, Code::Conflict);
    }
    users::update(app, &SYSTEM, &other, change(Role::Owner))
        .await
        .unwrap();
    // Both at once: one of them must stay.
    let (a, b) = tokio::join!(
        users::delete(app, &SYSTEM, &owner),
        users::suspend(app, &SYSTEM, &other)
    );
    assert_eq!(u8::from(a.is_ok()) + u8::from(b.is_ok()), 1);
    plane.stop().await;
}

async fn the_first_admin_of_an_old_database_becomes_an_owner(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let (late, suspended) = (user(&plane, "late").await, user(&plane, "suspended").await);
    users::suspend(app, &SYSTEM, &suspended).await.unwrap();
    plane.stop().await;
    let connection = db.connect().await;
    for sql in [
        "UPDATE users SET role = 'admin'".to_owned(),
        format!("UPDATE users SET created_at_ms = 1 WHERE id = '{suspended}'"),
        format!("UPDATE users SET created_at_ms = created_at_ms + 1 WHERE id = '{late}'"),
    ] {
        connection.execute_unprepared(&sql).await.unwrap();
    }
    connection.close().await.unwrap();
    let plane = Plane::start(&db).await;
    let query = UserQuery {
        role: Some(Role::Owner),
        limit: 10,
        ..UserQuery::default()
    };
    let owners = users::list(plane.app(), &SYSTEM, &query).await.unwrap().0;
    let names: Vec<_> = owners.iter().map(|user| user.username.as_str()).collect();
    assert_eq!(names, ["admin"]);
    plane.stop().await;
}

async fn a_team_in_use_is_not_deleted(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let (ada, red) = (user(&plane, "ada").await, team(&plane, "red").await);
    users::assign(app, &SYSTEM, &ada, Some(&red)).await.unwrap();
    assert_eq!(teams::find(app, &SYSTEM, &red).await.unwrap().member_count, 1);
    assert_eq!(
        teams::delete(app, &SYSTEM, &red).await.unwrap_err().code,
        Code::Conflict
    );
    users::unassign(app, &SYSTEM, &red, &ada).await.unwrap();
    let missing = users::unassign(app, &SYSTEM, &red, &ada).await.unwrap_err();
    assert_eq!(missing.code, Code::NotFound);
    teams::delete(app, &SYSTEM, &red).await.unwrap();
    let gone = users::assign(app, &SYSTEM, &ada, Some(&red)).await.unwrap_err();
    assert_eq!(
        (gone.code, gone.field.as_deref()),
        (Code::InvalidRequest, Some("team_id"))
    );
    plane.stop().await;
}

async fn a_deleted_user_takes_their_keys_along(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let ada = user(&plane, "ada").await;
    let mut request = named("hers");
    request.user_id = Some(ada.clone());
    let key = keys::issue(app, &SYSTEM, request).await.unwrap().record.id;
    users::delete(app, &SYSTEM, &ada).await.unwrap();
    assert_eq!(
        keys::find(app, &SYSTEM, &key).await.unwrap().state,
        KeyState::Revoked
    );
    plane.stop().await;
}

async fn a_new_password_ends_the_sessions(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let request = CreateUser {
        username: Some("ada".into()),
        password: Some(Secret::new("first password")),
        ..CreateUser::default()
    };
    let ada = users::create(app, &SYSTEM, request).await.unwrap().id;
    let old = sessions::login(app, "ADA ", "first password", None)
        .await
        .unwrap();
    let change = UpdateUser {
        password: Patch::Set(Secret::new("second password")),
        ..UpdateUser::default()
    };
    users::update(app, &SYSTEM, &ada, change).await.unwrap();
    assert!(sessions::authenticate(app, old.token.reveal()).await.is_err());
    assert!(sessions::login(app, "ada", "first password", None).await.is_err());
    assert!(sessions::login(app, "ada", "second password", None).await.is_ok());
    let found = db
        .count("SELECT COUNT(*) FROM users WHERE password_hash LIKE '%password%'")
        .await;
    assert_eq!(found, 0);
    plane.stop().await;
}

async fn a_session_ends_with_its_time_and_with_its_user(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let request = CreateUser {
        username: Some("ada".into()),
        password: Some(Secret::new("first password")),
        ..CreateUser::default()
    };
    let ada = users::create(app, &SYSTEM, request).await.unwrap().id;
    let login = sessions::login(app, "ada", "first password", None).await.unwrap();
    let token = login.token.reveal();
    assert_eq!(sessions::authenticate(app, token).await.unwrap().user.id, ada);
    plane.clock.0.store(NOON + 24 * 3_600_000, Ordering::Relaxed);
    assert!(sessions::authenticate(app, token).await.is_err());
    plane.clock.0.store(NOON, Ordering::Relaxed);
    assert_eq!(
        users::suspend(app, &SYSTEM, &ada).await.unwrap().state,
        AccountState::Suspended
    );
    assert!(sessions::authenticate(app, token).await.is_err());
    let refused = sessions::login(app, "ada", "first password", None)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    users::activate(app, &SYSTEM, &ada).await.unwrap();
    assert!(
        sessions::authenticate(app, token).await.is_err(),
        "a suspended user's sessions are gone for good"
    );
    plane.stop().await;
}

async fn a_restart_changes_nothing(db: TestDb) {
    let plane = Plane::start(&db).await;
    assert!(plane.plane.report().first_start);
    let revision = || db.count("SELECT revision FROM config_revision");
    let before = (revision().await, db.count("SELECT COUNT(*) FROM models").await);
    // An admin's own price, and a model taken away: neither comes back by itself.
    let own = db.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(
        &own,
        "UPDATE prices SET input = 7 WHERE model = 'claude-opus-5-5'",
    )
    .await
    .unwrap();
    own.close().await.unwrap();
    plane.stop().await;
    let plane = Plane::start(&db).await;
    assert!(!plane.plane.report().first_start && plane.plane.report().generated_password.is_none());
    assert_eq!(
        (revision().await, db.count("SELECT COUNT(*) FROM models").await),
        before
    );
    let prices = pricing::list(plane.app(), &SYSTEM, PricingQuery::default())
        .await
        .unwrap()
        .prices;
    let opus = prices.iter().find(|p| p.model == "claude-opus-5-5").unwrap();
    assert_eq!(opus.rates.input_nano_usd.0, 7);
    plane.stop().await;
}

async fn what_is_refused_leaves_no_trace(db: TestDb) {
    let plane = Plane::start(&db).await;
    let app = plane.app();
    let state = || async {
        (
            db.count("SELECT revision FROM config_revision").await,
            db.count("SELECT COUNT(*) FROM config_changes").await,
            db.count("SELECT COUNT(*) FROM audit").await,
        )
    };
    let before = state().await;
    assert_eq!(before.0, before.1, "one change for each revision");
    let mut request = named("x");
    request.user_id = Some(UserId::parse("user_nobody").unwrap());
    assert!(keys::issue(app, &SYSTEM, request).await.is_err());
    let limit = CreateKey {
        rate_limit_rpm: Some(0),
        ..CreateKey::default()
    };
    assert!(keys::issue(app, &SYSTEM, limit).await.is_err());
    assert_eq!(state().await, before);
    team(&plane, "red").await;
    assert!(
        teams::create(app, &SYSTEM, CreateTeam { name: "RED".into() })
            .await
            .is_err()
    );
    assert_eq!(state().await, (before.0 + 1, before.1 + 1, before.2 + 1));
    plane.stop().await;
}
