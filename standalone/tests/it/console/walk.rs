//! Every page that there is, as everybody: axe finds nothing, nothing spills, nothing of what people have named does anything.

use super::world::{PICTURE, World, world};
use crate::browser::{Browser, DESKTOP, PHONE, Scheme, Size};
use ccag_controlplane::http::routes;
use ccag_domain::Role;
use ccag_domain::gate::{Gate, Route, row};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Pages, by the paths of their routes, that are no pages of their own.
const NO_PAGES: [&str; 8] = [
    // Lead elsewhere.
    "/",
    "/portal",
    "/console/",
    // Files.
    "/console/assets/{name}",
    "/console/analytics/export",
    "/console/analytics/focus",
    "/console/analytics/tools/export",
    // What is nowhere.
    "/console/{*rest}",
];

/// Pages that no other page links to.
const UNLINKED: [&str; 2] = ["/device", "/console/nowhere"];

/// Whether something that was named is more than its letters.
const LIVE: &str = "
    const foreign = [...document.images].filter((image) => !image.src.includes('/console/assets/'));
    const handlers = [...document.querySelectorAll('*')].filter((one) =>
        [...one.attributes].some((attribute) => attribute.name.startsWith('on')));
    return foreign.length + handlers.length + document.querySelectorAll('main script, main style').length;";

/// Pages that other tests look at: `several` has devices that are signed in.
const ELSEWHERE: [&str; 2] = ["/console/login", "/console/devices/end"];

/// The pages that a page links to, and those that ask about the first thing that can be ticked.
const LINKS: &str = "
    const links = [...document.querySelectorAll('a[href^=\"/\"]')].map((a) => a.getAttribute('href'));
    const box = document.querySelector('td.pick input');
    if (box) for (const button of document.querySelectorAll('#several button'))
        links.push(`${new URL(button.form.action).pathname}?do=${button.value}&id=${box.value}`);
    return links;";

/// The pages of the console, and what it takes to see them.
fn pages() -> Vec<Route> {
    let ours = |path: &str| path == "/device" || path.starts_with("/console");
    routes()
        .filter(|route| route.method == "GET" && ours(route.path))
        .filter(|route| !NO_PAGES.contains(&route.path))
        .copied()
        .collect()
}

/// Somebody who goes wherever a link leads.
struct Walker<'w> {
    world: &'w World,
    browser: Browser,
    role: Role,
    pages: Vec<Route>,
    /// The windows and colours in which each page is looked at.
    looks: &'static [(Size, Scheme)],
    /// How many of the same kind are looked at.
    each: usize,
    /// What was seen, by route.
    seen: BTreeMap<&'static str, Vec<String>>,
    /// Whether the page that says no was looked at.
    refused: bool,
    /// On how many pages the name that wants to be a picture stands.
    pictures: usize,
    faults: Vec<String>,
}

const ALL_LOOKS: [(Size, Scheme); 4] = [
    (DESKTOP, Scheme::Light),
    (DESKTOP, Scheme::Dark),
    (PHONE, Scheme::Dark),
    (PHONE, Scheme::Light),
];

/// Where pages look as they do to owners, two suffice: each window and each colour once.
const SOME_LOOKS: [(Size, Scheme); 2] = [(DESKTOP, Scheme::Light), (PHONE, Scheme::Dark)];

impl<'w> Walker<'w> {
    async fn of(world: &'w World, username: &str, role: Role) -> Self {
        let browser = Browser::start(true).await;
        browser.log_in(&world.it.gateway.url, username).await;
        let owner = role == Role::Owner;
        Self {
            world,
            browser,
            role,
            pages: pages(),
            looks: if owner { &ALL_LOOKS } else { &SOME_LOOKS },
            each: if owner { 2 } else { 1 },
            seen: BTreeMap::new(),
            refused: false,
            pictures: 0,
            faults: Vec::new(),
        }
    }

    fn route_of(&self, address: &str) -> Option<Route> {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        row(&self.pages, "GET", path).copied()
    }

    /// Goes wherever links lead, beginning with the overview.
    async fn follow(&mut self) {
        let mut ways: VecDeque<String> = ["/console".to_owned()].into();
        ways.extend(UNLINKED.map(str::to_owned));
        if self.role == Role::Owner {
            // Where somebody gets to who knows a request's id.
            ways.push_back(format!("/console/requests/{}", self.world.request));
        }
        let mut known = BTreeSet::new();
        while let Some(address) = ways.pop_front() {
            let route = self.route_of(&address);
            if route.is_none() && !UNLINKED.contains(&address.as_str()) {
                continue;
            }
            let enough = route.is_some_and(|route| {
                let seen = self.seen.get(route.path).map_or(0, Vec::len);
                seen >= if route.is_exact() && !address.contains('?') {
                    1
                } else {
                    self.each
                }
            });
            if enough || !known.insert(address.clone()) {
                continue;
            }
            let wanted = if route.is_some() { 200 } else { 404 };
            self.look_at(&address, &[wanted]).await;
            if let Some(route) = route {
                self.seen.entry(route.path).or_default().push(address);
            }
            let links = self.browser.ask(LINKS).await;
            let links = links.as_array().unwrap().iter();
            ways.extend(links.map(|link| link.as_str().unwrap().to_owned()));
        }
    }

    /// Opens what others have seen, and finds what the table of routes says.
    async fn knock(&mut self, others: &BTreeMap<&'static str, Vec<String>>) {
        for (path, addresses) in others {
            if self.seen.contains_key(path) {
                continue;
            }
            let gate = self.pages.iter().find(|page| page.path == *path).unwrap().gate;
            let has_team = self.role != Role::Auditor;
            let lets = gate.lets(|permission| self.role.reach_in(has_team, permission));
            if lets {
                // It may be somebody else's, about what is not for everybody, or shown once.
                self.look_at(&addresses[0], &[200, 403, 404, 410]).await;
            } else {
                self.look_at(&addresses[0], &[403]).await;
            }
        }
    }

    async fn look_at(&mut self, address: &str, statuses: &[u64]) {
        self.browser.goto(&self.world.url(address)).await;
        let status = self.browser.status().await;
        let role = self.role;
        if !statuses.contains(&status) {
            self.faults
                .push(format!("{role}: {address} is {status}, not one of {statuses:?}"));
        }
        if self.browser.ask(LIVE).await != 0 {
            self.faults
                .push(format!("{role}: something is alive on {address}"));
        }
        self.pictures += usize::from(self.browser.text().await.contains(PICTURE));
        let known = status != 200 && std::mem::replace(&mut self.refused, true);
        let looks = if known { &[] } else { self.looks };
        for (size, scheme) in looks {
            let faults = self.browser.faults(*size, *scheme).await;
            self.faults
                .extend(faults.iter().map(|fault| format!("{role}: {fault}")));
        }
        let complaints = self.browser.complaints().await;
        self.faults
            .extend(complaints.iter().map(|what| format!("{role}: {address}: {what}")));
    }

    /// Goes through some pages with the Tab key, in both windows.
    async fn tab_through(&mut self, paths: &[&str]) {
        for path in paths {
            for size in [DESKTOP, PHONE] {
                self.browser.show(size, Scheme::Light).await;
                self.browser.goto(&self.world.url(path)).await;
                self.faults.extend(self.browser.tab_through().await);
            }
        }
    }

    /// What was found in the end.
    async fn end(self) -> (BTreeMap<&'static str, Vec<String>>, usize, Vec<String>) {
        self.browser.quit().await;
        (self.seen, self.pictures, self.faults)
    }
}

/// Makes a key, whose secret stands on a page that can be looked at once.
async fn see_a_new_key(walker: &mut Walker<'_>) {
    let browser = &walker.browser;
    browser.show(DESKTOP, Scheme::Light).await;
    browser.goto(&walker.world.url("/console/keys/new")).await;
    browser.fill("#name", PICTURE).await;
    browser
        .turning(browser.click("main form button[type=submit]"))
        .await;
    let mut faults = browser.complaints().await;
    for (size, scheme) in walker.looks {
        faults.extend(browser.faults(*size, *scheme).await);
    }
    let address = browser.address().await;
    let route = walker.route_of(&address).unwrap();
    walker.faults.extend(faults);
    walker.seen.entry(route.path).or_default().push(address);
}

async fn see_the_door(world: &World) -> Vec<String> {
    let browser = Browser::start(true).await;
    let mut faults = Vec::new();
    for address in ["/console/login", "/console/keys"] {
        browser.goto(&world.url(address)).await;
        for (size, scheme) in ALL_LOOKS {
            faults.extend(browser.faults(size, scheme).await);
        }
        faults.extend(browser.complaints().await);
    }
    browser.quit().await;
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_inert_for_everybody() {
    let world = world().await;
    let owners = async {
        let mut owner = Walker::of(&world, "admin", Role::Owner).await;
        owner.follow().await;
        see_a_new_key(&mut owner).await;
        let some = [
            "/console",
            "/console/keys",
            "/console/users",
            "/console/budgets/new",
        ];
        owner.tab_through(&some).await;
        owner.end().await
    };
    let others = async {
        let mut walkers = Vec::new();
        for (username, role) in [
            ("alan", Role::Auditor),
            ("mary", Role::TeamManager),
            ("grace", Role::Member),
        ] {
            let mut walker = Walker::of(&world, username, role).await;
            walker.follow().await;
            walkers.push(walker);
        }
        walkers
    };
    let ((seen, pictures, mut faults), others) = tokio::join!(owners, others);
    faults.extend(see_the_door(&world).await);
    for mut walker in others {
        walker.knock(&seen).await;
        faults.extend(walker.end().await.2);
    }
    let missed: Vec<&str> = pages()
        .iter()
        .map(|page| page.path)
        .filter(|path| !ELSEWHERE.contains(path) && !seen.contains_key(path))
        .collect();
    assert!(missed.is_empty(), "nobody looked at {missed:?}");
    assert!(pictures >= 15, "the name stands on {pictures} pages only");
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(pages().iter().any(|page| page.gate == Gate::SignedIn));
}
