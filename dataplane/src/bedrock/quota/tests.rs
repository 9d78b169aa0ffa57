use super::*;
use crate::bedrock::sample;
use ccag_domain::{Geography, Offers, Quota, QuotaKind, QuotaScope, TeamId, UserId, catalogue};
use ccag_domain::{KeyId, ModelName};
use ccag_proto::v1;

fn model() -> Arc<Model> {
    let name = ModelName::canonical("claude-opus-5-5");
    Arc::new(catalogue::models().into_iter().find(|m| m.name == name).unwrap())
}

fn tokens(limit: u64) -> Quota {
    Quota {
        code: "L-1".into(),
        name: String::new(),
        model: Some("Claude Opus 5.5".into()),
        scope: QuotaScope::CrossRegion,
        kind: QuotaKind::TokensPerMinute,
        limit,
    }
}

/// An endpoint in a region of its own.
fn candidate(n: u32, quotas: Vec<Quota>) -> Candidate {
    let mut candidate = sample::candidate(n, "us.anthropic.claude-opus-5-5");
    candidate.endpoint.region = Some(format!("us-east-{n}"));
    candidate.endpoint.offers = Arc::new(Offers {
        quotas,
        ..Offers::default()
    });
    candidate
}

fn asking(party: u64, tokens: u64) -> Asking {
    Asking {
        model: model(),
        party: Party {
            digest: party,
            is_team: true,
        },
        tokens,
        is_warm: false,
        is_first: true,
    }
}

fn names(route: &[Candidate]) -> String {
    route.iter().map(|one| one.endpoint.name.as_str()).collect()
}

async fn admit(quotas: &Quotas, route: &mut [Candidate], asking: &Asking) -> Judged {
    let admitted = quotas.admit(route, asking, |_| false).await;
    admitted.map_err(|refused| refused.fault.detail).unwrap()
}

#[tokio::test]
async fn where_there_is_no_room_is_tried_after_where_there_is() {
    let quotas = Arc::new(Quotas::new());
    let three = || {
        vec![1, 2, 3]
            .into_iter()
            .map(|n| candidate(n, vec![tokens(1_000)]))
    };
    let first = quotas.reserve(&three().next().unwrap(), &asking(1, 900)).unwrap();
    let mut route: Vec<_> = three().collect();
    let judged = admit(&quotas, &mut route, &asking(1, 200)).await;
    assert_eq!(names(&route), "231");
    assert_eq!(judged.of(&EndpointId::parse("end_1").unwrap()), Verdict::NoRoom);
    // What fits, fits; and where it fits nowhere, the order stays.
    for (tokens, order) in [(100, "123"), (1_001, "123")] {
        let mut route: Vec<_> = three().collect();
        admit(&quotas, &mut route, &asking(1, tokens)).await;
        assert_eq!(names(&route), order, "{tokens}");
    }
    drop(first);
    let mut route: Vec<_> = three().collect();
    admit(&quotas, &mut route, &asking(1, 200)).await;
    assert_eq!(names(&route), "123");
}

#[tokio::test]
async fn where_nothing_is_known_nothing_changes() {
    let quotas = Arc::new(Quotas::new());
    let other = Quota {
        model: Some("Claude Haiku 4.5".into()),
        ..tokens(1)
    };
    let global = Quota {
        scope: QuotaScope::Global,
        ..tokens(1)
    };
    let nothing = tokens(0);
    for unknown in [vec![], vec![other], vec![global]] {
        let mut route = vec![candidate(1, unknown.clone()), candidate(2, unknown)];
        assert!(quotas.reserve(&route[0], &asking(1, 5_000)).is_none());
        admit(&quotas, &mut route, &asking(1, 5_000)).await;
        assert_eq!(names(&route), "12");
    }
    let mut route = vec![candidate(3, vec![nothing]), candidate(2, Vec::new())];
    admit(&quotas, &mut route, &asking(1, 5_000)).await;
    assert_eq!(names(&route), "32");
}

#[tokio::test]
async fn a_cached_conversation_waits_a_moment_and_stays_where_it_is() {
    let quotas = Arc::new(Quotas::new());
    let both = || vec![candidate(1, vec![tokens(1_000)]), candidate(2, vec![])];
    let held = quotas.reserve(&both()[0], &asking(1, 900)).unwrap();
    let warm = Asking {
        is_warm: true,
        ..asking(1, 200)
    };
    // Nobody waits because of an estimate alone.
    let mut route = both();
    let judged = admit(&quotas, &mut route, &warm).await;
    assert_eq!((names(&route).as_str(), judged.waited), ("12", None));
    quotas.throttled(&both()[0], &warm.model);
    let mut route = both();
    let judged = admit(&quotas, &mut route, &warm).await;
    assert_eq!(names(&route), "12");
    assert!(judged.waited.unwrap() >= PATIENCE);
    let end_1 = EndpointId::parse("end_1").unwrap();
    assert_eq!(
        judged.of(&end_1),
        Verdict::NoRoom,
        "Bedrock is asked all the same"
    );
    // As soon as there is room it goes on.
    let mut route = both();
    let used = Tokens {
        input: 100,
        ..Tokens::default()
    };
    let (judged, ()) = tokio::join!(admit(&quotas, &mut route, &warm), async { held.settle(&used) });
    assert_eq!(judged.of(&end_1), Verdict::Room);
    assert!(judged.waited.is_some());
    // Nobody waits for what is in trouble.
    let _held = quotas.reserve(&both()[0], &asking(1, 900)).unwrap();
    let judged = quotas.admit(&mut both(), &warm, |_| true).await;
    assert!(judged.is_ok_and(|judged| judged.waited.is_none()));
}

#[tokio::test]
async fn whoever_has_their_share_everywhere_is_refused_and_told_for_how_long() {
    let quotas = Arc::new(Quotas::new());
    let both = || {
        vec![
            candidate(1, vec![tokens(1_000)]),
            candidate(2, vec![tokens(1_000)]),
        ]
    };
    let _modest = quotas.reserve(&both()[0], &asking(2, 100)).unwrap();
    let greedy = quotas.reserve(&both()[0], &asking(1, 700)).unwrap();
    greedy.settle(&Tokens {
        input: 700,
        ..Tokens::default()
    });
    // Elsewhere there is room.
    let mut route = both();
    admit(&quotas, &mut route, &asking(1, 200)).await;
    assert_eq!(names(&route), "21");
    // Now it has its share there too.
    let _there = [asking(1, 850), asking(2, 40)].map(|one| quotas.reserve(&both()[1], &one));
    let Err(refused) = quotas.admit(&mut both(), &asking(1, 200), |_| false).await else {
        panic!("let in");
    };
    let problem = &refused.fault.error.problem;
    assert_eq!(problem.code, Code::RateLimited);
    assert!((1..=20).contains(&problem.retry_after_s.unwrap()), "{problem:?}");
    // Not in the middle of an answer; and not who has less.
    let later = Asking {
        is_first: false,
        ..asking(1, 200)
    };
    admit(&quotas, &mut both(), &later).await;
    admit(&quotas, &mut both(), &asking(2, 200)).await;
    // A minute later it may again.
    quotas.ahead.fetch_add(13, std::sync::atomic::Ordering::Relaxed);
    admit(&quotas, &mut both(), &asking(1, 200)).await;
}

#[tokio::test]
async fn what_is_held_survives_a_change_of_the_configuration() {
    let quotas = Arc::new(Quotas::new());
    let before = candidate(1, vec![tokens(1_000)]);
    let held = quotas.reserve(&before, &asking(1, 900)).unwrap();
    let after = candidate(1, vec![tokens(1_100)]);
    let judge = |tokens| quotas.judge(&after, &asking(1, tokens));
    assert_eq!((judge(200), judge(201)), (Verdict::Room, Verdict::NoRoom));
    drop(held);
    assert_eq!(judge(1_100), Verdict::Room);
    assert_eq!(quotas.places.each().len(), 1);
    quotas.keep(|_| false);
    assert!(quotas.places.each().is_empty());
}

#[tokio::test]
async fn data_planes_know_what_the_others_use() {
    let [one, two] = [(); 2].map(|()| Arc::new(Quotas::new()));
    let here = candidate(1, vec![tokens(1_000)]);
    let _held = one.reserve(&here, &asking(1, 700)).unwrap();
    assert_eq!(two.judge(&here, &asking(2, 400)), Verdict::Room);
    two.heard(v1::QuotaShares {
        others: one.told(),
        data_planes: 2,
        known: 1,
    });
    assert_eq!(two.judge(&here, &asking(2, 400)), Verdict::NoRoom);
    assert!(two.told().is_empty());
    // Nobody says so any more: each has its part.
    two.heard.lock().unwrap().at = Instant::now().checked_sub(HEARSAY);
    assert_eq!(two.judge(&here, &asking(2, 500)), Verdict::Room);
    assert_eq!(two.judge(&here, &asking(2, 501)), Verdict::NoRoom);
}

#[test]
fn a_lane_with_quotas_of_its_own_and_reserved_capacity_do_not_count() {
    use ccag_domain::{Access, Lane, Lanes, ServiceTier};
    let quotas = Arc::new(Quotas::new());
    let mut mantle = candidate(1, vec![tokens(1_000)]);
    mantle.endpoint.lanes = Lanes::new([Lane::Mantle]);
    assert_eq!(quotas.judge(&mantle, &asking(1, 5_000)), Verdict::Room);
    mantle.lane = Lane::Mantle;
    assert!(quotas.reserve(&mantle, &asking(1, 5_000)).is_none());
    mantle.lane = Lane::InvokeModel;
    assert!(quotas.reserve(&mantle, &asking(1, 5_000)).is_some());
    let mut reserved = candidate(2, vec![tokens(1_000)]);
    reserved.endpoint.access = Arc::new(Access {
        service_tier: Some(ServiceTier::Reserved),
        ..Access::default()
    });
    assert!(quotas.reserve(&reserved, &asking(1, 5_000)).is_none());
    let mut in_region = candidate(3, vec![tokens(1_000)]);
    in_region.model.geography = Geography::InRegion;
    assert!(quotas.reserve(&in_region, &asking(1, 5_000)).is_none());
}

#[test]
fn whoever_has_no_team_counts_as_one_of_their_own() {
    let caller = |team: Option<&str>, user: Option<&str>| Caller {
        key_id: KeyId::parse("key_1").unwrap(),
        user_id: user.map(|id| UserId::parse(id).unwrap()),
        team_id: team.map(|id| TeamId::parse(id).unwrap()),
    };
    let of = |team, user| Party::of(&caller(team, user));
    assert_eq!(
        of(Some("team_1"), Some("user_1")),
        of(Some("team_1"), Some("user_2"))
    );
    assert_ne!(of(None, Some("user_1")), of(None, Some("user_2")));
    assert_ne!(of(None, Some("user_1")), of(None, None));
}
