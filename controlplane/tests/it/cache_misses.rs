//! What is lost where prompts are not read from the cache, and why.

use crate::console::Browser;
use crate::seen::store;
use crate::support::{Caller, NOON, Plane, TestDb, on_both, record};
use ccag_domain::{
    Caching, EndpointId, ModelName, NanoUsd, Outcome, PriceBook, PromptFacts, Tokens, UsageRecord, catalogue,
};

on_both!(
    a_turn_that_misses_the_cache_says_why_and_what_it_cost,
    what_came_late_or_broke_off_is_held_against_nothing,
);

const MINUTE: i64 = 60_000;

const FACTS: PromptFacts = PromptFacts {
    conversation: 7,
    tools: 1,
    system: 2,
    has_history: true,
    caching: Caching::Minutes,
};

const WARM: Tokens = Tokens {
    input: 100,
    output: 50,
    cache_read: 44_000,
    cache_write_5m: 2_000,
    cache_write_1h: 0,
};

const COLD: Tokens = Tokens {
    input: 100,
    output: 50,
    cache_read: 0,
    cache_write_5m: 44_000,
    cache_write_1h: 0,
};

/// A turn at a minute of a conversation.
fn turn(seed: u64, minute: i64, tokens: Tokens, prompt: PromptFacts) -> UsageRecord {
    UsageRecord {
        started_at_ms: NOON - 200 * MINUTE + minute * MINUTE,
        tokens,
        prompt: Some(prompt),
        ..record(seed)
    }
}

/// Reasons with requests, tokens and what was lost.
async fn lost(admin: &Caller) -> Vec<(String, u64, u64, i64)> {
    let found = admin.get("/admin/analytics/cache-misses?days=2").await.json();
    let mut rows: Vec<_> = found["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let count = |name: &str| row[name].as_u64().unwrap();
            (
                row["reason"].as_str().unwrap().to_owned(),
                count("requests"),
                count("tokens"),
                row["lost_nano_usd"].as_i64().unwrap(),
            )
        })
        .collect();
    rows.sort();
    rows
}

/// What tokens of a class cost more than if they had been read.
fn more(written: u64, input: u64) -> i64 {
    let book = PriceBook::new(catalogue::prices());
    let of = record(1);
    let cost = |tokens: Tokens| {
        let cost = book.cost(&of.model, of.geography, of.surface, &tokens).unwrap();
        let NanoUsd(amount) = cost.amount;
        amount
    };
    let paid = Tokens {
        cache_write_5m: written,
        input,
        ..Tokens::default()
    };
    let read = Tokens {
        cache_read: written + input,
        ..Tokens::default()
    };
    cost(paid) - cost(read)
}

async fn a_turn_that_misses_the_cache_says_why_and_what_it_cost(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let facts = FACTS;
    let elsewhere = |record: UsageRecord| UsageRecord {
        endpoint_id: EndpointId::parse("end_other").unwrap(),
        ..record
    };
    let first = PromptFacts {
        has_history: false,
        ..facts
    };
    let conversation = |conversation: u64| PromptFacts {
        conversation,
        ..facts
    };
    let beginning = |seed, conversation: u64| {
        turn(
            seed,
            0,
            COLD,
            PromptFacts {
                conversation,
                ..first
            },
        )
    };
    // The first turn of a conversation has nothing to read, and a warm one loses nothing.
    store(&plane, &[turn(1, 0, COLD, first), turn(2, 1, WARM, facts)]).await;
    assert_eq!(lost(&admin).await, []);
    // It moves, in a batch of its own; what was cached before is 46,000 tokens.
    let longer = Tokens {
        cache_write_5m: 46_500,
        ..COLD
    };
    store(&plane, &[elsewhere(turn(3, 2, longer, facts))]).await;
    let moved = [("moved".to_owned(), 1, 46_000, more(46_000, 0))];
    assert_eq!(lost(&admin).await, moved);
    // The same once more changes nothing.
    store(&plane, &[elsewhere(turn(3, 2, longer, facts))]).await;
    assert_eq!(lost(&admin).await, moved);

    let others = [
        // Six minutes later, where five are kept.
        beginning(10, 10),
        turn(11, 6, COLD, conversation(10)),
        // Twenty minutes later, where an hour is kept: not because of the time.
        turn(
            12,
            0,
            COLD,
            PromptFacts {
                conversation: 11,
                caching: Caching::Hour,
                ..first
            },
        ),
        turn(
            13,
            20,
            COLD,
            PromptFacts {
                caching: Caching::Hour,
                ..conversation(11)
            },
        ),
        // Other tools, another system prompt.
        beginning(14, 12),
        turn(
            15,
            1,
            COLD,
            PromptFacts {
                tools: 9,
                ..conversation(12)
            },
        ),
        beginning(16, 13),
        turn(
            17,
            1,
            COLD,
            PromptFacts {
                system: 9,
                ..conversation(13)
            },
        ),
        // A part is read: 44,000 could be, 10,000 were.
        beginning(18, 14),
        turn(
            19,
            1,
            Tokens {
                cache_read: 10_000,
                cache_write_5m: 36_000,
                ..COLD
            },
            conversation(14),
        ),
        // Another model.
        beginning(20, 15),
        UsageRecord {
            model: ModelName::canonical("claude-haiku-4-5"),
            ..turn(21, 1, COLD, conversation(15))
        },
        // Nothing was asked of the cache: all is paid in full.
        turn(
            22,
            0,
            Tokens {
                input: 9_000,
                output: 5,
                ..Tokens::default()
            },
            PromptFacts {
                conversation: 16,
                caching: Caching::NotAsked,
                ..first
            },
        ),
        turn(
            23,
            1,
            Tokens {
                input: 9_500,
                output: 5,
                ..Tokens::default()
            },
            PromptFacts {
                caching: Caching::NotAsked,
                ..conversation(16)
            },
        ),
        // Too short.
        turn(
            24,
            0,
            Tokens {
                input: 700,
                output: 5,
                ..Tokens::default()
            },
            PromptFacts {
                conversation: 17,
                ..first
            },
        ),
        turn(
            25,
            1,
            Tokens {
                input: 900,
                output: 5,
                ..Tokens::default()
            },
            conversation(17),
        ),
    ];
    store(&plane, &others).await;
    let found = lost(&admin).await;
    let of = |reason: &str| {
        let row = found.iter().find(|row| row.0 == reason);
        row.map(|row| (row.1, row.2, row.3))
    };
    assert_eq!(of("moved"), Some((1, 46_000, more(46_000, 0))));
    assert_eq!(of("expired"), Some((1, 44_000, more(44_000, 0))));
    assert_eq!(of("unexplained"), Some((1, 44_000, more(44_000, 0))));
    assert_eq!(of("tools_changed"), Some((1, 44_000, more(44_000, 0))));
    assert_eq!(of("system_changed"), Some((1, 44_000, more(44_000, 0))));
    assert_eq!(of("history_changed"), Some((1, 34_000, more(34_000, 0))));
    assert_eq!(of("not_asked"), Some((1, 9_000, more(0, 9_000))));
    assert_eq!(of("too_short"), Some((1, 700, more(0, 700))));
    let changed = of("model_changed").unwrap();
    assert_eq!((changed.0, changed.1), (1, 44_000));
    assert!(changed.2 > 0 && changed.2 < more(44_000, 0));
    assert_eq!(found.len(), 9);

    let page = Browser::of(&admin)
        .get("/console/analytics/models?range=7d")
        .await
        .text;
    assert!(page.contains("Lost to cache misses") && page.contains("Waited too long"));
    let haiku = admin
        .get("/admin/analytics/cache-misses?days=2&model=claude-haiku-4-5")
        .await
        .json();
    assert_eq!(haiku["reasons"].as_array().unwrap().len(), 1);
    plane.stop().await;
}

async fn what_came_late_or_broke_off_is_held_against_nothing(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let first = PromptFacts {
        has_history: false,
        ..FACTS
    };
    let cut = UsageRecord {
        outcome: Outcome::Cut,
        estimated: true,
        ..turn(2, 1, COLD, FACTS)
    };
    let searching = UsageRecord {
        web_searches: 1,
        ..turn(3, 2, COLD, FACTS)
    };
    store(&plane, &[turn(1, 0, COLD, first), cut, searching]).await;
    // The turn at minute four comes before that at minute three.
    store(&plane, &[turn(5, 4, WARM, FACTS)]).await;
    store(&plane, &[turn(4, 3, COLD, FACTS)]).await;
    assert_eq!(lost(&admin).await, []);
    plane.stop().await;
}
