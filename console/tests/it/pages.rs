use crate::html::{Element, parse};
use ccag_console::access::ROUTES;
use ccag_console::page::{PAGE_SIZE, Section};
use ccag_console::sample::{self, HOSTILE, Sample};
use ccag_console::{Theme, render};
use ccag_domain::Role;
use ccag_domain::gate::row;
use std::collections::BTreeSet;

fn rendered() -> Vec<(Sample, String, Element)> {
    sample::all()
        .into_iter()
        .map(|sample| {
            let html = render(sample.page.as_ref(), &sample.context);
            let root = parse(&html).unwrap_or_else(|e| panic!("{}: {e}\n{html}", sample.name));
            (sample, html, root)
        })
        .collect()
}

#[test]
fn every_page_is_well_formed_and_has_one_heading_and_its_landmarks() {
    for (sample, _, root) in rendered() {
        let name = sample.name;
        assert_eq!(root.name, "html", "{name}");
        assert_eq!(root.get("lang"), Some("en"), "{name}");
        assert_eq!(root.named("main").len(), 1, "{name}");
        assert_eq!(root.named("h1").len(), 1, "{name}");
        let title = root.named("head")[0].named("title")[0].text();
        assert_eq!(title, format!("{} · CCAG", sample.page.title()), "{name}");
        let skip = root
            .named("a")
            .into_iter()
            .find(|a| a.get("class") == Some("skip"));
        assert_eq!(skip.unwrap().get("href"), Some("#content"), "{name}");
        for nav in root.named("nav") {
            assert!(nav.get("aria-label").is_some(), "{name}: a nav without a name");
        }
    }
}

#[test]
fn names_of_samples_are_unique() {
    let samples = sample::all();
    let names: BTreeSet<_> = samples.iter().map(|s| s.name).collect();
    assert_eq!(names.len(), samples.len());
}

#[test]
fn ids_are_unique_and_every_reference_hits_one() {
    for (sample, _, root) in rendered() {
        let mut ids = BTreeSet::new();
        for id in root.all().iter().filter_map(|e| e.get("id")) {
            assert!(ids.insert(id), "{}: {id} twice", sample.name);
        }
        for element in root.all() {
            let references = [
                "for",
                "aria-describedby",
                "aria-labelledby",
                "list",
                "popovertarget",
                "data-copy",
            ];
            let mut wanted: Vec<&str> = references
                .iter()
                .filter_map(|a| element.get(a))
                .flat_map(str::split_whitespace)
                .collect();
            wanted.extend(element.get("href").and_then(|h| h.strip_prefix('#')));
            for id in wanted {
                assert!(
                    ids.contains(id),
                    "{}: {} refers to {id}",
                    sample.name,
                    element.name
                );
            }
        }
    }
}

#[test]
fn every_control_has_a_name() {
    for (sample, _, root) in rendered() {
        let labelled: BTreeSet<_> = root
            .named("label")
            .iter()
            .map(|l| l.get("for").unwrap().to_owned())
            .collect();
        for element in root.all() {
            let named = match element.name.as_str() {
                "input" if element.get("type") == Some("hidden") => true,
                "input" | "select" | "textarea" => element.get("id").is_some_and(|id| labelled.contains(id)),
                "button" | "a" | "summary" => !element.text().trim().is_empty(),
                "img" => element.get("alt").is_some(),
                "svg" => element.get("aria-hidden").is_some() || element.get("aria-label").is_some(),
                _ => true,
            };
            assert!(named, "{}: {element:?} has no name", sample.name);
        }
    }
}

#[test]
fn refused_fields_say_why_and_point_at_the_reason() {
    let mut refused = 0;
    for (sample, _, root) in rendered() {
        for field in root.all().iter().filter(|e| e.get("aria-invalid").is_some()) {
            refused += 1;
            let id = field.get("id").unwrap();
            let described = field.get("aria-describedby").unwrap();
            assert!(
                described.contains(&format!("{id}-error")),
                "{}: {id}",
                sample.name
            );
            let link = format!("#{id}");
            assert!(
                root.named("a").iter().any(|a| a.get("href") == Some(&link)),
                "{}: no link to {id}",
                sample.name
            );
        }
    }
    assert!(refused >= 5);
}

/// Whether an address is one of the gateway's own that pages lead to.
fn is_ours(address: &str) -> bool {
    ["/console", "/device", "/auth/oidc/", "/setup/"]
        .iter()
        .any(|start| address.starts_with(start))
}

#[test]
fn every_post_form_names_its_target_and_carries_the_token() {
    let mut forms = 0;
    for (sample, _, root) in rendered() {
        for form in root.named("form") {
            let action = form.get("action").unwrap();
            assert!(is_ours(action), "{}: {action}", sample.name);
            if form.get("method") == Some("post") {
                forms += 1;
                let token = form
                    .named("input")
                    .into_iter()
                    .find(|i| i.get("name") == Some("csrf"))
                    .unwrap_or_else(|| panic!("{}: {action} without a token", sample.name));
                assert_eq!(token.get("value"), Some(sample.context.csrf.as_str()));
            } else {
                assert_eq!(form.get("method"), Some("get"), "{}", sample.name);
            }
        }
    }
    assert!(forms > 20);
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (sample, _, root) in rendered() {
        let name = sample.name;
        assert!(root.named("style").is_empty(), "{name}");
        for script in root.named("script") {
            assert!(script.get("src").is_some() && script.text().is_empty(), "{name}");
        }
        for element in root.all() {
            for (attribute, value) in &element.attributes {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{name}: {attribute}"
                );
                if ["href", "src", "action"].contains(&attribute.as_str()) {
                    let ours = is_ours(value) || value.starts_with('#');
                    assert!(ours && !value.contains("//"), "{name}: {attribute}={value}");
                }
            }
        }
    }
}

#[test]
fn names_that_hold_markup_only_stand_there() {
    let mut shown = 0;
    for (sample, html, root) in rendered() {
        assert!(!html.contains("<img src=x"), "{}", sample.name);
        assert!(root.named("img").iter().all(|i| i.get("onerror").is_none()));
        shown += usize::from(root.text().contains(HOSTILE));
    }
    assert!(shown >= 10, "only {shown} samples show it as text");
}

#[test]
fn passwords_are_never_put_back() {
    for (sample, html, root) in rendered() {
        for input in root.named("input") {
            if input.get("type") == Some("password") {
                assert_eq!(input.get("value"), None, "{}", sample.name);
            }
        }
        assert!(!html.contains("never shown again"), "{}", sample.name);
    }
}

#[test]
fn a_secret_stands_on_its_own_page_only() {
    for (sample, html, _) in rendered() {
        let holds = html.contains("sk-ccag-3q2-7wAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk");
        assert_eq!(holds, sample.name == "key-created", "{}", sample.name);
    }
}

#[test]
fn navigation_marks_where_one_is_and_hides_what_members_may_not_see() {
    for (sample, html, root) in rendered() {
        let here = root
            .all()
            .into_iter()
            .filter(|e| e.get("aria-current") == Some("page"))
            .count();
        let expected = usize::from(sample.context.viewer.is_some() && sample.page.section().is_some());
        assert_eq!(here, expected, "{}", sample.name);
        let role = sample.context.viewer.as_ref().map(|viewer| viewer.role);
        let all = matches!(role, Some(Role::Owner | Role::Admin | Role::Auditor));
        let users = all || role == Some(Role::TeamManager);
        assert_eq!(html.contains("href=\"/console/fleet\""), all, "{}", sample.name);
        assert_eq!(html.contains("href=\"/console/users\""), users, "{}", sample.name);
    }
    assert!(
        sample::all()
            .iter()
            .any(|s| s.page.section() == Some(Section::Fleet))
    );
}

/// Pages that people see who may not change what is on them.
const SEEN: [(Role, &[&str]); 3] = [
    (
        Role::Auditor,
        &[
            "overview",
            "keys",
            "key",
            "teams",
            "users",
            "budgets",
            "budget",
            "limits",
            "sessions",
            "endpoints",
            "endpoint",
            "endpoint-models",
            "models",
            "model",
            "prices",
            "fleet",
            "audit",
            "quarantine",
            "capabilities",
            "routing",
            "team-routing",
            "team-endpoints",
            "team-guardrail",
            "team-budget",
            "team-sessions",
            "sign-in",
            "provider-tested",
            "policies",
            "policy-wrong",
            "devices",
        ],
    ),
    (
        Role::TeamManager,
        &[
            "overview",
            "keys",
            "key",
            "teams",
            "users",
            "budgets",
            "limits",
            "sessions",
            "models",
            "team-budget",
            "team-sessions",
        ],
    ),
    (
        Role::Member,
        &[
            "keys",
            "key",
            "models",
            "sessions-member",
            "devices-empty",
            "device-confirm",
        ],
    ),
];

#[test]
fn nobody_is_shown_a_link_or_a_button_that_is_not_for_them() {
    let mut seen = 0;
    for (role, names) in SEEN {
        let may = |method: &str, address: &str| {
            let path = address.split(['?', '#']).next().unwrap();
            row(ROUTES, method, path)
                .is_none_or(|route| route.gate.lets(|permission| role.reach_in(true, permission)))
        };
        for mut sample in sample::all()
            .into_iter()
            .filter(|sample| names.contains(&sample.name))
        {
            seen += 1;
            sample.context.viewer.as_mut().unwrap().role = role;
            let html = render(sample.page.as_ref(), &sample.context);
            let root = parse(&html).unwrap();
            for link in root.named("a").iter().filter_map(|a| a.get("href")) {
                assert!(may("GET", link), "{} shows {role} a link to {link}", sample.name);
            }
            for form in root.named("form") {
                let method = form.get("method").unwrap_or("get").to_uppercase();
                let action = form.get("action").unwrap();
                assert!(
                    may(&method, action),
                    "{} offers {role} {method} {action}",
                    sample.name
                );
            }
        }
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn charts_have_a_table_with_the_same_numbers() {
    let (_, _, root) = rendered()
        .into_iter()
        .find(|(s, ..)| s.name == "overview")
        .unwrap();
    let bars = root
        .all()
        .into_iter()
        .filter(|e| e.get("class") == Some("bar"))
        .count();
    let twin = root
        .named("details")
        .into_iter()
        .find(|d| d.get("class") == Some("twin"))
        .unwrap();
    assert_eq!(bars, 30);
    assert_eq!(twin.named("tr").len(), 31);
}

#[test]
fn times_are_machine_readable_and_money_is_exact() {
    for (sample, _, root) in rendered() {
        for time in root.named("time") {
            let at = time.get("datetime").unwrap();
            assert!(at.ends_with('Z') && at.len() == 20, "{}: {at}", sample.name);
        }
        for data in root.named("data") {
            assert!(
                data.get("value").is_some_and(|v| !v.is_empty()),
                "{}",
                sample.name
            );
        }
    }
    let (_, _, root) = rendered().into_iter().find(|(s, ..)| s.name == "keys").unwrap();
    let money: Vec<_> = root
        .named("data")
        .into_iter()
        .map(|d| (d.text(), d.get("value"), d.get("title")))
        .collect();
    let laptop = (
        "$310.44".to_owned(),
        Some("310.44012"),
        Some("exactly $310.44012"),
    );
    assert!(money.contains(&laptop), "{money:?}");
    assert!(
        money.contains(&("$0.000004".to_owned(), Some("0.000004"), None)),
        "{money:?}"
    );
}

#[test]
fn lists_say_where_one_is_and_lead_on_without_losing_the_filter() {
    let (_, _, root) = rendered().into_iter().find(|(s, ..)| s.name == "keys").unwrap();
    // Six rows are on it.
    let place = format!("{}–{} of 131 keys", PAGE_SIZE + 1, PAGE_SIZE + 6);
    assert!(root.text().contains(&place));
    let links: Vec<_> = root
        .named("a")
        .into_iter()
        .filter_map(|a| a.get("href"))
        .collect();
    assert!(links.contains(&"/console/keys?state=all"), "{links:?}");
    let next = "/console/keys?state=all&page=3&after=%3D1793481100000~key_6";
    assert!(links.contains(&next), "{links:?}");
    assert!(links.contains(&"/console/keys?state=all&order=asc"), "{links:?}");
}

#[test]
fn pages_are_the_same_every_time() {
    for (sample, html, _) in rendered() {
        assert_eq!(
            html,
            render(sample.page.as_ref(), &sample.context),
            "{}",
            sample.name
        );
    }
}

#[test]
fn the_chosen_theme_is_on_the_document() {
    let sample = &sample::all()[0];
    for (theme, attribute) in [
        (Theme::System, None),
        (Theme::Light, Some("light")),
        (Theme::Dark, Some("dark")),
    ] {
        let mut context = sample.context.clone();
        context.theme = theme;
        let root = parse(&render(sample.page.as_ref(), &context)).unwrap();
        assert_eq!(root.get("data-theme"), attribute);
    }
}

#[test]
fn availability_is_told_in_words_with_what_helps() {
    let (_, html, _) = rendered()
        .into_iter()
        .find(|(sample, ..)| sample.name == "endpoint-models")
        .unwrap();
    for badge in [
        r#"<span class="badge good">available</span>"#,
        r#"<span class="badge warn">not in this region</span>"#,
        r#"<span class="badge warn">agreement failed</span>"#,
        r#"<span class="badge muted">unknown</span>"#,
    ] {
        assert!(html.contains(badge), "{badge}\n{html}");
    }
    assert!(html.contains("only an inference profile can reach it"), "{html}");
}
