//! Nothing of a team's leaves through an endpoint that is not its own, whatever is changed meanwhile: what the simulated
//! accounts were asked is the truth, and it is held against what was configured at the time.

use crate::harness::{Admin, ControlPlane, DataPlane, Sim, database};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

const CHANGES: usize = 200;
const SEED: u64 = 0x5eed_0fca_ca0b_0b5e;

/// Where nobody's role is assumed: the simulator's own account.
const OWN_ACCOUNT: &str = "111122223333";
const ACCOUNTS: [&str; 3] = ["444455556666", "555566667777", "666677778888"];
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const MODELS: [&str; 2] = ["claude-haiku-4-5", "claude-opus-5-5"];
const TEAMS: usize = 4;
const CLIENTS_PER_TEAM_AND_PLANE: usize = 1;

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// xorshift64*: the same changes in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let n = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(n).unwrap() % sides
    }

    fn choose<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// One account and region, which no two endpoints share.
#[derive(Clone)]
struct Place {
    id: String,
    account: String,
    region: String,
    enabled: bool,
    is_default: bool,
}

/// What holds for routes, as this test understands it. Empty: everything.
#[derive(Clone, Default)]
struct Rules {
    models: Option<Vec<&'static str>>,
    geographies: Option<Vec<&'static str>>,
    regions: Option<Vec<&'static str>>,
}

#[derive(Clone, Default)]
struct TeamRules {
    endpoints: Vec<String>,
    rules: Rules,
}

/// What is configured.
#[derive(Clone)]
struct Config {
    places: Vec<Place>,
    teams: Vec<TeamRules>,
    organisation: Rules,
}

/// A configuration, and from when until when some data plane may have gone by it.
struct Held {
    config: Config,
    from_ms: i64,
    until_ms: i64,
}

/// What an account was asked on behalf of a team.
struct Seen {
    team: usize,
    sent_ms: i64,
    at_ms: i64,
    account: String,
    region: String,
    model: &'static str,
    /// The profile's geography; `None` for what invokes no profile.
    geography: Option<String>,
}

impl Config {
    fn allows(&self, seen: &Seen) -> bool {
        let team = &self.teams[seen.team];
        let found = self
            .places
            .iter()
            .find(|place| place.account == seen.account && place.region == seen.region);
        let Some(place) = found else { return false };
        let is_theirs = match team.endpoints.is_empty() {
            true => place.is_default,
            false => team.endpoints.contains(&place.id),
        };
        let holds = |own: &Option<Vec<&str>>, all: &Option<Vec<&str>>, fits: &dyn Fn(&str) -> bool| {
            let list = own.as_ref().or(all.as_ref());
            list.is_none_or(|list| list.is_empty() || list.iter().any(|one| fits(one)))
        };
        let (own, all) = (&team.rules, &self.organisation);
        let in_region = |one: &str| seen.region == one || one.ends_with('-') && seen.region.starts_with(one);
        place.enabled
            && is_theirs
            && holds(&own.models, &all.models, &|one| one == seen.model)
            && holds(&own.regions, &all.regions, &in_region)
            && seen
                .geography
                .as_ref()
                .is_none_or(|ran| holds(&own.geographies, &all.geographies, &|one| one == ran))
    }
}

impl Seen {
    /// Whether some configuration that a data plane may have gone by between the request's beginning and now allows it.
    fn is_allowed(&self, history: &[Held]) -> bool {
        history
            .iter()
            .filter(|held| held.from_ms <= self.at_ms && self.sent_ms <= held.until_ms)
            .any(|held| held.config.allows(self))
    }
}

fn some_rules(dice: &mut Dice) -> (Rules, Value) {
    let models: [Option<Vec<&str>>; 3] = [None, Some(vec![]), Some(vec![MODELS[0]])];
    let geographies: [Option<Vec<&str>>; 6] = [
        None,
        None,
        Some(vec!["eu"]),
        Some(vec!["us"]),
        Some(vec!["global"]),
        Some(vec!["eu", "global"]),
    ];
    let regions: [Option<Vec<&str>>; 5] = [None, None, None, Some(vec!["eu-"]), Some(vec!["us-east-1"])];
    let strategies = [
        "sticky",
        "primary_fallback",
        "round_robin",
        "weighted",
        "least_throttled",
    ];
    let rules = Rules {
        models: dice.choose(&models).clone(),
        geographies: dice.choose(&geographies).clone(),
        regions: dice.choose(&regions).clone(),
    };
    let body = json!({
        "strategy": dice.choose(&strategies), "models": rules.models,
        "geographies": rules.geographies, "regions": rules.regions,
    });
    (rules, body)
}

/// Changes something, here and there.
async fn change(dice: &mut Dice, config: &mut Config, teams: &[String], admin: &Admin) {
    match dice.roll(6) {
        0 => {
            let n = dice.roll(config.places.len());
            let place = &mut config.places[n];
            // Most are there most of the time.
            place.enabled = !place.enabled || dice.roll(2) == 0;
            let path = format!("/admin/endpoints/{}", place.id);
            admin.patch(&path, &json!({"enabled": place.enabled})).await;
        }
        1 => {
            let path = format!("/admin/endpoints/{}", dice.choose(&config.places).id);
            admin.patch(&path, &json!({"weight": dice.roll(4)})).await;
        }
        2 | 3 => {
            let team = dice.roll(TEAMS);
            let mut chosen: Vec<String> = Vec::new();
            for _ in 0..dice.roll(4) {
                let id = &dice.choose(&config.places).id;
                if !chosen.contains(id) {
                    chosen.push(id.clone());
                }
            }
            let endpoints: Vec<_> = chosen.iter().map(|id| json!({"endpoint_id": id})).collect();
            config.teams[team].endpoints = chosen;
            let path = format!("/admin/teams/{}/endpoints", teams[team]);
            admin.put(&path, &json!({"endpoints": endpoints})).await;
        }
        4 => {
            let team = dice.roll(TEAMS);
            let (rules, body) = some_rules(dice);
            config.teams[team].rules = rules;
            let path = format!("/admin/teams/{}/routing", teams[team]);
            admin.put(&path, &body).await;
        }
        _ => {
            let (mut rules, mut body) = some_rules(dice);
            // Most of the time the organisation leaves it to the teams.
            if dice.roll(4) > 0 {
                rules = Rules::default();
                body = json!({});
            }
            config.organisation = rules;
            admin.put("/admin/settings/routing", &body).await;
        }
    }
}

/// When each request was sent, by its mark.
type Sent = HashMap<String, i64>;

/// A client of a team that asks on and on: also what makes a request walk along its whole route, and for counts.
async fn ask_on(
    url: String,
    secret: String,
    mark: String,
    stop: Arc<AtomicBool>,
) -> (Sent, HashMap<u16, u32>) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut sent, mut statuses) = (Sent::new(), HashMap::new());
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mark = format!("{mark}-{n}!");
        let flaky = if n % 3 == 0 { "flaky" } else { "calm" };
        let mut body = json!({
            "model": MODELS[n % MODELS.len()], "max_tokens": 64, "stream": n % 2 == 0,
            "messages": [{"role": "user", "content": format!("{mark} {flaky} [sim: text=40, events=2]")}],
        });
        let mut path = "/v1/messages";
        if n % 5 == 0 {
            path = "/v1/messages/count_tokens";
            body = json!({"model": body["model"], "messages": body["messages"]});
        }
        sent.insert(mark, now_ms());
        let request = http.post(format!("{url}{path}")).header("x-api-key", &secret);
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        assert!(
            matches!(status, 200 | 429 | 529)
                || status == 400 && text.contains("policy_blocked")
                || status == 404,
            "{status}: {text}"
        );
        *statuses.entry(status).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    (sent, statuses)
}

/// The number between two parts of a text.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

fn seen(received: bedrock_sim::Received, sent: &Sent) -> Option<Seen> {
    let tag = between(&received.body, "mark-", "!")?;
    let mark = format!("mark-{tag}!");
    let team = tag.split('-').next()?.parse().unwrap();
    let id = between(&received.path, "/model/", "/").unwrap();
    let geography = id
        .split_once(".anthropic.")
        .map(|(geography, _)| geography.to_owned());
    Some(Seen {
        team,
        sent_ms: sent[&mark],
        at_ms: received.at_ms,
        account: received.account,
        region: received.region,
        model: MODELS.iter().find(|model| id.contains(*model)).unwrap(),
        geography,
    })
}

async fn endpoints(admin: &Admin) -> Vec<Place> {
    let mut places = Vec::new();
    for account in ACCOUNTS {
        for region in REGIONS {
            let body = json!({"name": format!("{account}-{region}"), "region": region,
                "role_arn": format!("arn:aws:iam::{account}:role/ccag")});
            let made = admin.post("/admin/endpoints", &body).await;
            places.push(Place {
                id: made["id"].as_str().unwrap().to_owned(),
                account: account.to_owned(),
                region: region.to_owned(),
                enabled: true,
                is_default: false,
            });
        }
    }
    let list = admin.get("/admin/endpoints").await;
    let all = list["endpoints"].as_array().unwrap();
    let default = all.iter().find(|one| one["is_default"] == true).unwrap();
    places.push(Place {
        id: default["id"].as_str().unwrap().to_owned(),
        account: OWN_ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        enabled: true,
        is_default: true,
    });
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_and_two_hundred_changes_no_request_leaves_through_an_endpoint_that_its_team_may_not_use()
{
    let sim = Sim::start().await;
    sim.script(bedrock_sim::Rule {
        matches: bedrock_sim::Match {
            text: Some("flaky".into()),
            ..bedrock_sim::Match::default()
        },
        ..bedrock_sim::Rule::always(bedrock_sim::Action::Error {
            status: 503,
            error_type: "ServiceUnavailableException".into(),
            message: "Bedrock is unable to process your request.".into(),
        })
    });
    let control = ControlPlane::start("control", &database()).await;
    let admin = control.admin().await;
    let places = endpoints(&admin).await;
    let (mut teams, mut secrets) = (Vec::new(), Vec::new());
    for n in 0..TEAMS {
        let team = admin
            .post("/admin/teams", &json!({"name": format!("team-{n}")}))
            .await;
        let team = team["id"].as_str().unwrap().to_owned();
        let key = admin
            .post(
                "/admin/keys",
                &json!({"name": format!("of-{n}"), "team_id": team}),
            )
            .await;
        secrets.push(key["key"].as_str().unwrap().to_owned());
        teams.push(team);
    }
    let mut planes = Vec::new();
    for name in ["data-1", "data-2"] {
        planes.push(DataPlane::start(name, &[&control], &sim).await);
    }
    admin.fleet_of(2).await;

    let mut config = Config {
        places,
        teams: vec![TeamRules::default(); TEAMS],
        organisation: Rules::default(),
    };
    let mut history = vec![Held {
        config: config.clone(),
        from_ms: now_ms(),
        until_ms: i64::MAX,
    }];
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients: Vec<JoinHandle<_>> = Vec::new();
    for (plane, place) in planes.iter().zip(0..) {
        for (team, secret) in secrets.iter().enumerate() {
            for client in 0..CLIENTS_PER_TEAM_AND_PLANE {
                let mark = format!("mark-{team}-{place}-{client}");
                let asking = ask_on(plane.http.clone(), secret.clone(), mark, Arc::clone(&stop));
                clients.push(tokio::spawn(asking));
            }
        }
    }
    let mut dice = Dice(SEED);
    let began = now_ms();
    for _ in 0..CHANGES {
        let from_ms = now_ms();
        change(&mut dice, &mut config, &teams, &admin).await;
        admin.fleet_of(2).await;
        // From here on nobody goes by what was before.
        history.last_mut().unwrap().until_ms = now_ms();
        history.push(Held {
            config: config.clone(),
            from_ms,
            until_ms: i64::MAX,
        });
    }
    eprintln!("{CHANGES} changes took {} ms", now_ms() - began);
    stop.store(true, Ordering::Relaxed);
    let (mut sent, mut statuses) = (Sent::new(), HashMap::<u16, u32>::new());
    for client in clients {
        let (more, counts) = client.await.unwrap();
        sent.extend(more);
        for (status, count) in counts {
            *statuses.entry(status).or_default() += count;
        }
    }
    let all: Vec<Seen> = sim
        .requests()
        .into_iter()
        .filter_map(|one| seen(one, &sent))
        .collect();
    eprintln!(
        "{} requests, answered {statuses:?}, in {} calls",
        sent.len(),
        all.len()
    );
    let bad: Vec<String> = all
        .iter()
        .filter(|one| !one.is_allowed(&history))
        .map(|one| {
            format!(
                "team {} at {} {} for {} {:?}",
                one.team, one.account, one.region, one.model, one.geography
            )
        })
        .collect();
    assert!(
        bad.is_empty(),
        "{} of {}: {:?}",
        bad.len(),
        all.len(),
        &bad[..bad.len().min(5)]
    );

    // It was no idle run: all accounts were asked, much was refused, and the same calls would be wrong for another team.
    let used: BTreeSet<_> = all.iter().map(|one| (&one.account, &one.region)).collect();
    assert_eq!(used.len(), 7, "{used:?}");
    assert!(statuses[&200] > 300 && statuses[&400] > 50, "{statuses:?}");
    let for_another = all.into_iter().map(|one| Seen {
        team: (one.team + 1) % TEAMS,
        ..one
    });
    let wrong = for_another.filter(|one| !one.is_allowed(&history)).count();
    assert!(wrong > 100, "only {wrong} would be wrong for another team");
}
