use Geography::{Apac, Au, Ca, Eu, Global, In, InRegion, Jp, Us, UsGov};
use ccag_domain::{Geography, ModelName, NanoUsd, PriceBook, Tokens, catalogue};

fn cost(model: &str, geography: Geography, tokens: [u64; 5]) -> i64 {
    let [input, output, cache_read, cache_write_5m, cache_write_1h] = tokens;
    let tokens = Tokens {
        input,
        output,
        cache_read,
        cache_write_5m,
        cache_write_1h,
    };
    let cost = PriceBook::new(catalogue::prices())
        .cost(&ModelName::canonical(model), geography, &tokens)
        .unwrap();
    assert!(!cost.assumed, "{model} has no price");
    cost.amount.0
}

/// Dollars per million tokens through the global profile (for models without one: at all), as published: input, output,
/// cache reads, five-minute writes, one-hour writes.
const PUBLISHED: [(&str, [&str; 5]); 20] = [
    ("claude-fable-5-2", ["8", "40", "0.2", "10", "16"]),
    ("claude-fable-5-1", ["10", "50", "0.25", "12.5", "20"]),
    ("claude-fable-5", ["10", "50", "1", "12.5", "20"]),
    ("claude-mythos-5-1", ["10", "50", "0.25", "12.5", "20"]),
    ("claude-mythos-5", ["10", "50", "0.25", "12.5", "20"]),
    ("claude-mythos-preview", ["27.5", "137.5", "2.75", "34.375", "55"]),
    ("claude-opus-5-5", ["4", "20", "0.2", "5", "8"]),
    ("claude-opus-5", ["5", "25", "0.5", "6.25", "10"]),
    ("claude-opus-4-8", ["5", "25", "0.5", "6.25", "10"]),
    ("claude-opus-4-7", ["5", "25", "0.5", "6.25", "10"]),
    ("claude-opus-4-6", ["5", "25", "0.5", "6.25", "10"]),
    ("claude-opus-4-5", ["5", "25", "0.5", "6.25", "10"]),
    ("claude-opus-4-1", ["15", "75", "1.5", "18.75", "30"]),
    ("claude-sonnet-5-5", ["2", "10", "0.1", "2.5", "4"]),
    ("claude-sonnet-5", ["2", "10", "0.2", "2.5", "4"]),
    ("claude-sonnet-4-6", ["3", "15", "0.3", "3.75", "6"]),
    ("claude-sonnet-4-5", ["3", "15", "0.3", "3.75", "6"]),
    ("claude-sonnet-4", ["3", "15", "0.3", "3.75", "6"]),
    ("claude-haiku-5-5", ["0.1", "0.5", "0.01", "0.125", "0.2"]),
    ("claude-haiku-4-5", ["1", "5", "0.1", "1.25", "2"]),
];

#[test]
fn every_class_of_token_costs_what_is_published() {
    assert_eq!(PUBLISHED.len(), catalogue::prices().len());
    for (model, published) in PUBLISHED {
        for (class, dollars) in published.into_iter().enumerate() {
            // A thousand tokens: below every threshold of long prompts.
            let mut tokens = [0; 5];
            tokens[class] = 1_000;
            let expected = NanoUsd::parse_usd(dollars).unwrap().0 / 1_000;
            assert_eq!(cost(model, Global, tokens), expected, "{model}, class {class}");
        }
    }
}

#[test]
fn usage_as_bedrock_reports_it_costs_this_to_the_nano_dollar() {
    // A turn of Claude Code: 2,000 new tokens, 900 out, 60,000 from the cache, 1,500 written for 5 minutes, 500 for an hour.
    // Opus 5.5: 2,000 × 4,000 + 900 × 20,000 + 60,000 × 200 + 1,500 × 5,000 + 500 × 8,000 nano-dollars.
    let turn = [2_000, 900, 60_000, 1_500, 500];
    // Input, output, reads, 5-minute writes, 1-hour writes.
    let rows: &[(&str, Geography, [u64; 5], i64)] = &[
        ("claude-opus-5-5", Global, turn, 49_500_000),
        ("claude-opus-5-5", Us, turn, 54_450_000),
        ("claude-opus-5-5", Eu, turn, 54_450_000),
        ("claude-opus-5-5", Jp, turn, 54_450_000),
        ("claude-opus-5-5", Au, turn, 54_450_000),
        ("claude-opus-5-5", Apac, turn, 54_450_000),
        ("claude-opus-5-5", In, turn, 54_450_000),
        ("claude-opus-5-5", Ca, turn, 54_450_000),
        ("claude-opus-5-5", UsGov, turn, 59_400_000),
        // Every way to say it meets the same price.
        ("claude-opus-5-5[1m]", Us, turn, 54_450_000),
        ("us.anthropic.claude-opus-5-5", Us, turn, 54_450_000),
        // 3 × 5,000 + 5 × 25,000 + 7 × 500 + 11 × 6,250 + 13 × 10,000 = 342,250; and a tenth more.
        ("claude-opus-4-8", Global, [3, 5, 7, 11, 13], 342_250),
        ("claude-opus-4-8", Apac, [3, 5, 7, 11, 13], 376_475),
        // 27,500 + 137,500 + 2,750 + 34,375 + 55,000 = 257,125; a tenth more is 282,837.5, rounded up.
        ("claude-mythos-preview", Us, [1, 1, 1, 1, 1], 282_838),
        // Cache reads of Fable 5.1 cost a fortieth of input: 7 × 250, and a tenth more.
        ("claude-fable-5-1", Global, [0, 0, 7, 0, 0], 1_750),
        ("claude-fable-5-1", Eu, [0, 0, 7, 0, 0], 1_925),
        // Half a nano-dollar is a whole one: 125 × 1.1 = 137.5.
        ("claude-haiku-5-5", Us, [0, 0, 0, 1, 0], 138),
        // Models from before 4.5 cost the same everywhere.
        ("claude-opus-4-1", Us, [1, 1, 0, 0, 0], 90_000),
        ("claude-sonnet-4", Eu, [1, 1, 0, 0, 0], 18_000),
        // Without a profile: 10 × 1,000 + 2 × 5,000.
        ("claude-haiku-4-5", InRegion, [10, 2, 0, 0, 0], 20_000),
        ("claude-haiku-4-5-20251001", Us, [10, 2, 0, 0, 0], 22_000),
        // Haiku 5.5 up to 100,000 tokens of prompt: 40,000 × 100 + 1,000 × 500 + 60,000 × 10.
        (
            "claude-haiku-5-5",
            Global,
            [40_000, 1_000, 60_000, 0, 0],
            5_100_000,
        ),
        // One more, and everything costs five times as much: 40,001 × 500 + 1,000 × 2,500 + 60,000 × 50.
        (
            "claude-haiku-5-5",
            Global,
            [40_001, 1_000, 60_000, 0, 0],
            25_500_500,
        ),
        ("claude-haiku-5-5", Jp, [40_001, 1_000, 60_000, 0, 0], 28_050_550),
        // Writes are part of the prompt: 1 × 500 + 100,000 × 625; an hour's: 1 × 500 + 100,000 × 1,000.
        ("claude-haiku-5-5", Global, [1, 0, 0, 100_000, 0], 62_500_500),
        ("claude-haiku-5-5", Global, [1, 0, 0, 0, 100_000], 100_000_500),
        // Output is not: 100,000 × 100 + 200,000 × 500.
        (
            "claude-haiku-5-5",
            Global,
            [100_000, 200_000, 0, 0, 0],
            110_000_000,
        ),
        // Sonnet 4.5 up to 200,000: 200,000 × 3,000; above: 200,001 × 6,000 + 100 × 22,500, and a fifth more in GovCloud.
        ("claude-sonnet-4-5", Global, [200_000, 0, 0, 0, 0], 600_000_000),
        (
            "claude-sonnet-4-5",
            Global,
            [200_001, 100, 0, 0, 0],
            1_202_256_000,
        ),
        ("claude-sonnet-4-5", UsGov, [200_001, 100, 0, 0, 0], 1_442_707_200),
        // Long reads and writes: 1 × 6,000 + 150,000 × 600 + 40,000 × 7,500 + 10,000 × 12,000.
        (
            "claude-sonnet-4-5",
            Global,
            [1, 0, 150_000, 40_000, 10_000],
            510_006_000,
        ),
        // Sonnet 4.6 and the generation of 5 have a million tokens without a threshold: 900,000 × 3,000.
        ("claude-sonnet-4-6", Global, [900_000, 0, 0, 0, 0], 2_700_000_000),
        ("claude-sonnet-5-5", Global, [900_000, 0, 0, 0, 0], 1_800_000_000),
        ("claude-sonnet-5-5", Us, [0, 0, 0, 0, 0], 0),
    ];
    for (model, geography, tokens, expected) in rows {
        assert_eq!(
            cost(model, *geography, *tokens),
            *expected,
            "{model} in {geography}: {tokens:?}"
        );
    }
}
