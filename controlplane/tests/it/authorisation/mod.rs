//! Who may do what, on every route there is: the matrix, which is also a page of the documentation.

mod others;
mod world;

use crate::support::Answer;
use ccag_controlplane::http::routes;
use ccag_domain::Reach;
use ccag_domain::gate::{Gate, Route};
use std::collections::HashSet;
use std::fmt::Write;
use world::{Column, Who, Whose, World};

/// What a path's parameter stands for, and whether asking for somebody else's is answered as if there were none.
fn kind(path: &str, parameter: &str) -> (&'static str, bool) {
    let is = |prefix: &str| {
        path.starts_with(&format!("/admin/{prefix}")) || path.starts_with(&format!("/console/{prefix}"))
    };
    match parameter {
        "user_id" => ("user", false),
        "id" if is("keys") => ("key", true),
        "id" if is("teams") => ("team", false),
        "id" if is("client-sessions") => ("session_key", true),
        "token" => ("ses", false),
        "id" if is("users") => ("user", false),
        "id" if is("budgets") => ("bud", true),
        "id" if is("limits") => ("lim", true),
        "id" if is("paused-sessions") || is("sessions") => ("pau", true),
        "id" if is("requests") => ("request", true),
        "id" if is("notifications/deliveries") || is("notifications/history") => ("dlv", false),
        "id" if is("notifications") => ("dst", false),
        // The others are for those who may do it to all of them: whether there is one does not matter.
        "raise" => ("raise", false),
        "kind" => ("tavily", false),
        "what" => ("delete", false),
        "surface" => ("messages", false),
        "id" if is("endpoints") => ("end", false),
        "id" => ("x", false),
        _ => ("other", false),
    }
}

/// A body that means something where it decides who may send it.
fn body(route: &Route) -> &'static str {
    match (route.method, route.path) {
        ("POST", "/admin/keys") => r#"{"name": "k", "user_id": "{user}"}"#,
        ("PATCH", "/admin/keys/{id}") => r#"{"name": "renamed"}"#,
        ("POST", "/admin/teams/{id}/members") => r#"{"user_id": "{user}"}"#,
        ("PUT", "/admin/users/{id}/team") => r#"{"team_id": null}"#,
        ("POST", "/admin/budgets") => {
            r#"{"scope": "member", "team_id": "{team}", "user_id": "{user}", "amount_usd": 1}"#
        }
        ("PUT", "/admin/budgets/{id}") => r#"{"amount_usd": 2}"#,
        ("POST", "/admin/budgets/{id}/raises") => {
            r#"{"amount_usd": 1, "until": "2026-12-01T00:00:00Z", "reason": "r"}"#
        }
        ("POST", "/admin/search-providers/test" | "/admin/search-providers/activate") => {
            r#"{"provider_type": "tavily"}"#
        }
        ("POST", "/admin/notifications/destinations") => {
            r#"{"name": "of {team}", "team_id": "{team}", "settings": {"kind": "webhook", "url": "https://example.com"}}"#
        }
        ("PUT", "/admin/notifications/destinations/{id}") => {
            r#"{"name": "of {team}", "team_id": "{team}", "categories": ["budget"], "enabled": true}"#
        }
        ("POST", "/console/keys") => "name=k&expiry=30",
        ("POST", "/console/budgets") => {
            "scope=member&team={team}&user={username}&amount=1&period=monthly&time_zone=UTC&mode=balanced&policy=standard&posture=granted&notify=both"
        }
        _ if route.method == "GET" || route.path.starts_with("/console") => "",
        _ => "{}",
    }
}

/// A request made from a row: its path and body with things of somebody's, and the ids that would be hidden.
async fn fill(world: &World, route: &Route, whose: Whose<'_>) -> (String, String, Vec<String>) {
    let (mut path, mut body, mut hidden) = (route.path.to_owned(), body(route).to_owned(), Vec::new());
    while let Some((start, rest)) = path.split_once('{') {
        let (parameter, end) = rest.split_once('}').unwrap();
        let (kind, hides) = kind(route.path, parameter);
        let fixed = ["tavily", "delete", "messages"].contains(&kind);
        let id = match kind {
            fixed_kind if fixed => fixed_kind.to_owned(),
            "raise" => world.raise(&hidden).await,
            kind => world.thing(kind, whose).await,
        };
        if hides {
            hidden.push(id.clone());
        }
        path = format!("{start}{id}{end}");
    }
    for kind in ["team", "user"] {
        let place = format!("{{{kind}}}");
        if body.contains(&place) {
            body = body.replace(&place, &world.thing(kind, whose).await);
        }
    }
    if body.contains("{username}") {
        let user = world.thing("user", whose).await;
        let found = world.owner.get(&format!("/admin/users/{user}")).await;
        let name = if found.status == 200 {
            found.json()["username"].as_str().unwrap().to_owned()
        } else {
            user
        };
        body = body.replace("{username}", &name);
    }
    match (route.method, route.path) {
        ("GET", "/admin/users" | "/admin/keys") => path.push_str("?limit=1000"),
        ("GET", "/admin/usage/summary") => path.push_str("?group_by=user"),
        ("GET", "/console/users" | "/console/keys") => path.push_str("?q=-of-"),
        ("GET", "/console/budgets") => path.push_str("?q=user-of-"),
        _ => {}
    }
    if route.path == "/admin/budget/status" {
        path = format!("{path}?user_id={}", world.thing("user", whose).await);
    }
    (path, body, hidden)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    SignIn,
    Refused,
    Passed,
}

fn verdict(answer: &Answer, hidden: &[String]) -> Verdict {
    let to = answer.headers.get("location").and_then(|to| to.to_str().ok());
    let page = answer
        .headers
        .get("content-type")
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    match answer.status.as_u16() {
        401 => Verdict::SignIn,
        _ if to.is_some_and(|to| to.starts_with("/console/login?")) => Verdict::SignIn,
        403 if answer.text.contains("Sign in again") => Verdict::SignIn,
        403 => Verdict::Refused,
        404 if !hidden.is_empty() && (page || hidden.iter().any(|id| answer.text.contains(id))) => {
            Verdict::Refused
        }
        _ => Verdict::Passed,
    }
}

async fn ask(world: &World, who: &Who, route: &Route, whose: Whose<'_>) -> (Answer, Verdict) {
    let (path, body, hidden) = fill(world, route, whose).await;
    let answer = who.send(route.method, &path, &body).await;
    assert!(
        !answer.text.contains("There is nothing at `") && answer.status != 405,
        "{} {} has a row and no handler: {}",
        route.method,
        route.path,
        answer.text
    );
    assert!(
        !answer.status.is_server_error(),
        "{} {path}: {}",
        route.method,
        answer.text
    );
    let mut verdict = verdict(&answer, &hidden);
    // This one leads back to the list in any case, with a message.
    if route.path == "/console/sessions/{id}/resume" && answer.status == 303 && !world.resumed(&hidden).await
    {
        verdict = Verdict::Refused;
    }
    // This form comes back if it names somebody whom one does not see.
    if route.path == "/console/budgets" && answer.status == 422 {
        verdict = Verdict::Refused;
    }
    (answer, verdict)
}

fn has_target(route: &Route) -> bool {
    route.path.contains('{') || body(route).contains("{user") || route.path == "/admin/budget/status"
}

/// Whether what a row is about belongs to one user, so that somebody can have one of their own.
fn named_by_user(route: &Route) -> bool {
    let about_team = route.path.contains("/teams/")
        || route.path.contains("/notifications/")
        || body(route).contains("{team}");
    !about_team
}

/// What stands in the matrix.
async fn cell(world: &World, who: &Who, route: &Route) -> &'static str {
    if let Gate::Other(what) = route.gate
        && who.column != Column::Nobody
    {
        return what;
    }
    if who.column == Column::Nobody {
        let (_, verdict) = ask(world, who, route, Whose::Nobodys).await;
        return match (verdict, route.gate) {
            // Some of it has a token of its own, which is not sent here.
            (_, Gate::Public) => "yes",
            (Verdict::SignIn | Verdict::Refused, Gate::Other(_)) => "–",
            (Verdict::SignIn, _) => "–",
            other => panic!("{} {} to strangers: {other:?}", route.method, route.path),
        };
    }
    let (answer, passed) = ask(world, who, route, Whose::Mate).await;
    if route.gate == Gate::Public {
        return "yes";
    }
    assert_ne!(
        passed,
        Verdict::SignIn,
        "{} {} for {:?}",
        route.method,
        route.path,
        who.column
    );
    if passed == Verdict::Passed {
        return match has_target(route) {
            true if who.column == Column::Manager => "team or all",
            true => "yes",
            false => seen(world, who, &answer, route),
        };
    }
    if !has_target(route) {
        return "–";
    }
    // Who is refused learns nothing about what there is.
    let (absent, _) = ask(world, who, route, Whose::Nobodys).await;
    // Here a user name that one does not see is asked for again, and an id is refused.
    let asked_again = answer.status == 422;
    assert!(
        absent.status == answer.status || asked_again,
        "{} {} tells {:?} what exists: {} and {}",
        route.method,
        route.path,
        who.column,
        answer.text,
        absent.text
    );
    if who.column == Column::OtherManager && !named_by_user(route) {
        return "–";
    }
    match ask(world, who, route, Whose::Own(who)).await.1 {
        Verdict::Passed => "own",
        Verdict::Refused | Verdict::SignIn => "–",
    }
}

/// How much of what there is an answer shows.
fn seen(world: &World, who: &Who, answer: &Answer, route: &Route) -> &'static str {
    let reach = match route.gate {
        Gate::May(permission) => who.reach(permission),
        Gate::Public | Gate::SignedIn | Gate::Other(_) => Reach::Own,
    };
    // The first page shows the first few of what there is.
    let is_form = route.path.ends_with("/new") || route.path == "/console";
    if route.method != "GET" || is_form || reach == Reach::Everything && !lists(route) {
        return "yes";
    }
    let shows = |whose: &str, id: &str| {
        // Everybody sees the name of their own team here and there.
        let kinds: &[&str] = match route.path.ends_with("/teams") {
            true => &["team"],
            false => &["key", "user", "session"],
        };
        let named = |kind: &&str| answer.text.contains(&format!("{kind}-of-{whose}"));
        answer.text.contains(id) || kinds.iter().any(named)
    };
    let own = shows("self", &who.id);
    match (
        shows("mate", &world.mate),
        shows("stranger", &world.stranger),
        own,
    ) {
        (true, true, _) => "all",
        (true, false, _) | (false, true, _) => "team",
        (false, false, true) => "own",
        (false, false, false) => "yes",
    }
}

/// Whether a page or an answer is a list of what belongs to somebody.
fn lists(route: &Route) -> bool {
    let of = [
        "keys", "users", "teams", "budgets", "limits", "sessions", "export", "summary", "members", "console",
    ];
    of.iter().any(|what| route.path.ends_with(what))
}

async fn row(world: &mut World, route: &Route) -> Vec<&'static str> {
    let mut cells = Vec::new();
    world.set_team_budgets().await;
    for at in 0..world.people.len() {
        let who = &world.people[at];
        cells.push(cell(world, who, route).await);
        let signs_out = ["/logout", "/sign-out"]
            .iter()
            .any(|end| route.path.ends_with(end));
        if who.column != Column::Nobody && signs_out {
            let mut who = world.people.remove(at);
            world.sign_in(&mut who).await;
            world.people.insert(at, who);
        }
    }
    // A manager who gets what another manager does not gets it for their team.
    if cells[2] == "team or all" {
        cells[2] = if cells[3] == "yes" { "yes" } else { "team" };
    }
    cells
}

fn write_table<'r>(
    page: &mut String,
    title: &str,
    rows: impl Iterator<Item = &'r (Route, Vec<&'static str>)>,
) {
    let titles: Vec<_> = Column::ALL.iter().map(|column| column.title()).collect();
    let _ = write!(page, "\n## {title}\n\n| route | {} |\n|---|", titles.join(" | "));
    page.push_str(&"---|".repeat(titles.len()));
    page.push('\n');
    for (route, cells) in rows {
        let _ = writeln!(
            page,
            "| `{} {}` | {} |",
            route.method,
            route.path,
            cells.join(" | ")
        );
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/authorisation.md");

const HEAD: &str = "# Who may do what

Every route of the control plane, and what somebody in each role gets there. [roles.md](roles.md) says what the roles are for.
This page is written by a test, which sends each request to a running gateway in every role:
`CCAG_UPDATE_DOCS=1 cargo nextest run -p ccag-controlplane authorisation`.

* **yes**: they may, whoever or whatever it is about.
* **all**, **team**, **own**: they get an answer, and it holds everything there is, what belongs to their team and to
  themselves, or what is their own. Where the route names one thing: they may if it belongs to their team, or to themselves.
* **–**: they may not. Whoever is not signed in is told to sign in; the others get 403, or 404 where the answer would tell
  whether something exists.

\"Manager of the team\" manages the team that the thing asked for belongs to. A manager who belongs to no team is a member.
A route that is in none of these tables is closed to everybody: the gateway lets nobody in to a route without a row.
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_matrix_is_as_documented() {
    let mut world = World::new().await;
    let mut rows = Vec::new();
    for route in routes() {
        let cells = Box::pin(row(&mut world, route)).await;
        rows.push((*route, cells));
    }
    world.end().await;
    let console = |route: &Route| ccag_console::access::ROUTES.contains(route);
    let mut page = HEAD.to_owned();
    write_table(&mut page, "API", rows.iter().filter(|(route, _)| !console(route)));
    write_table(
        &mut page,
        "Console",
        rows.iter().filter(|(route, _)| console(route)),
    );
    if std::env::var_os("CCAG_UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let documented = std::fs::read_to_string(PAGE).unwrap_or_default();
    for (written, found) in documented.lines().zip(page.lines()) {
        assert_eq!(written, found, "docs/authorisation.md says something else");
    }
    assert_eq!(documented.lines().count(), page.lines().count());
}

#[test]
fn every_path_has_a_row_and_no_row_stands_twice() {
    let rows: Vec<_> = routes().map(|route| (route.method, route.path)).collect();
    let unique: HashSet<_> = rows.iter().collect();
    assert_eq!(unique.len(), rows.len());
    let sources = [
        include_str!("../../../../crates/admin-api/src/paths.rs"),
        include_str!("../../../../console/src/path.rs"),
    ];
    let paths = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| {
            let (_, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
            value.strip_suffix("\";")
        });
    let mut count = 0;
    for path in paths.filter(|path| path.starts_with('/') && !path.ends_with('/')) {
        assert!(rows.iter().any(|(_, row)| *row == path), "{path} has no row");
        count += 1;
    }
    assert!(count > 80, "{count}");
}

#[tokio::test]
async fn strangers_get_what_is_meant_for_everybody_and_nothing_else() {
    const PUBLIC: [&str; 22] = [
        "GET /health",
        "GET /openapi.json",
        "POST /auth/login",
        "GET /auth/providers",
        "GET /auth/oidc/{id}/login",
        "GET /auth/oidc/callback",
        "GET /.well-known/oauth-authorization-server",
        "POST /oauth/device_authorization",
        "POST /oauth/token",
        "POST /oauth/revoke",
        "GET /setup",
        "GET /setup/windows",
        "GET /setup/helper",
        "GET /setup/managed-settings.json",
        "POST /setup/redeem",
        "GET /",
        "GET /portal",
        "GET /console/",
        "GET /console/login",
        "POST /console/login",
        "GET /console/assets/{name}",
        // A page that says that there is nothing.
        "GET /console/{*rest}",
    ];
    let db = crate::support::TestDb::sqlite().await;
    let plane = crate::support::Plane::start(&db).await;
    let stranger = plane.caller();
    let mut forged = plane.caller();
    forged.token = Some("ccags_forged".into());
    let cookie = plane.caller().with("cookie", "ccag_session=ccags_forged");
    let mut open = Vec::new();
    for route in routes() {
        let path = route.path.replace(['{', '}', '*'], "");
        for caller in [&stranger, &forged, &cookie] {
            let answer = caller.send(route.method, &path, "").await;
            let name = format!("{} {}", route.method, route.path);
            let passed = verdict(&answer, &[]) != Verdict::SignIn || route.gate == Gate::Public;
            if passed && !open.contains(&name) {
                open.push(name);
            }
        }
    }
    let mut expected = PUBLIC.map(ToOwned::to_owned).to_vec();
    expected.sort();
    open.sort();
    assert_eq!(open, expected);
    plane.stop().await;
}
