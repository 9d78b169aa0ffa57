//! Costs against a golden file whose figures were computed by hand from published prices.

use ccag_domain::{
    CostLines, Geography, Lane, ModelName, NanoUsd, Price, PriceBook, PriceId, Rates, Tokens, catalogue,
};
use std::collections::HashSet;

#[derive(serde::Deserialize)]
struct Golden {
    models: Vec<Published>,
    vectors: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Published {
    model: String,
    source: String,
    nano_per_token: [i64; 5],
    long_above: Option<u64>,
    long_nano_per_token: Option<[i64; 5]>,
}

#[derive(serde::Deserialize)]
struct Vector {
    what: String,
    model: String,
    geography: Geography,
    lane: Lane,
    tokens: [u64; 5],
    /// The arithmetic, as text: products of counts and rates.
    sum: String,
    permille: i64,
    #[serde(default)]
    searches: u32,
    search_work: Option<String>,
    cost: i64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("costs.json")).unwrap()
}

fn tokens([input, output, cache_read, cache_write_5m, cache_write_1h]: [u64; 5]) -> Tokens {
    Tokens {
        input,
        output,
        cache_read,
        cache_write_5m,
        cache_write_1h,
    }
}

/// Works out `3*4000+7*20000`.
fn worked_out(text: &str) -> i64 {
    let product = |term: &str| -> i64 { term.split('*').map(|n| n.parse::<i64>().unwrap()).product() };
    text.split('+').map(product).sum()
}

#[test]
fn every_figure_of_the_golden_file_follows_from_its_arithmetic() {
    for vector in golden().vectors {
        let scaled = worked_out(&vector.sum) * vector.permille;
        let searches = vector.search_work.as_deref().map_or(0, worked_out);
        let by_hand = scaled / 1_000 + i64::from(scaled % 1_000 > 0) + searches;
        assert_eq!(vector.cost, by_hand, "{}: {}", vector.model, vector.what);
    }
}

#[test]
fn usage_costs_what_was_computed_by_hand_to_the_nano_dollar() {
    // Ten dollars for a thousand searches.
    let search = NanoUsd(10_000_000);
    let book = PriceBook::new(catalogue::prices());
    for vector in golden().vectors {
        let model = ModelName::canonical(&vector.model);
        let cost = book
            .cost(&model, vector.geography, vector.lane, &tokens(vector.tokens))
            .unwrap();
        assert!(!cost.assumed, "{model} has no price");
        assert_eq!(
            cost.amount + search.times(vector.searches),
            NanoUsd(vector.cost),
            "{} in {} through {}, {}: {}",
            vector.model,
            vector.geography,
            vector.lane,
            vector.what,
            vector.sum
        );
    }
}

#[test]
fn the_lines_of_a_cost_add_up_to_it_to_the_nano_dollar() {
    let search = NanoUsd(10_000_000);
    let book = PriceBook::new(catalogue::prices());
    for vector in golden().vectors {
        let model = ModelName::canonical(&vector.model);
        let price = book.find(&model).unwrap();
        let used = tokens(vector.tokens);
        let total = price.cost(vector.geography, vector.lane, &used) + search.times(vector.searches);
        assert_eq!(total, NanoUsd(vector.cost));
        let way = (vector.geography, vector.lane);
        let lines = CostLines::new(price, way, &used, vector.searches, total);
        let what = format!("{}: {}", vector.model, vector.what);
        assert_eq!((lines.sum(), lines.total_nano_usd), (total, total), "{what}");
        assert_eq!(lines.unexplained_nano_usd, NanoUsd::ZERO, "{what}");
        assert!((0..=5).contains(&lines.rounding_nano_usd.0), "{what}");
        assert_eq!(i64::from(lines.permille), vector.permille, "{what}");
        assert_eq!(lines.searches.is_some(), vector.searches > 0, "{what}");
        let classes = vector.tokens.iter().filter(|n| **n > 0).count();
        assert_eq!(lines.lines.len(), classes, "{what}");
    }
}

#[test]
fn a_ledger_that_was_changed_by_hand_is_not_explained_away() {
    let price = catalogue::prices().remove(0);
    let used = tokens([10, 20, 30, 40, 50]);
    let cost = price.cost(Geography::Us, Lane::InvokeModel, &used);
    for (searches, total) in [(0, cost + NanoUsd(7)), (2, cost - NanoUsd(7)), (0, NanoUsd::ZERO)] {
        let lines = CostLines::new(&price, (Geography::Us, Lane::InvokeModel), &used, searches, total);
        assert_eq!(lines.unexplained_nano_usd, total - cost);
        assert_eq!(lines.sum(), total);
    }
}

#[test]
fn the_golden_file_has_every_model_class_geography_lane_and_tier() {
    let golden = golden();
    let rates = |[input, output, cache_read, cache_write_5m, cache_write_1h]: [i64; 5]| {
        let per_million = |n: i64| NanoUsd(n * 1_000_000);
        Rates {
            input: per_million(input),
            output: per_million(output),
            cache_read: per_million(cache_read),
            cache_write_5m: per_million(cache_write_5m),
            cache_write_1h: per_million(cache_write_1h),
        }
    };
    let prices = catalogue::prices();
    assert_eq!(golden.models.len(), prices.len());
    for published in golden.models {
        assert!(!published.source.is_empty());
        let name = ModelName::canonical(&published.model);
        let price = prices.iter().find(|p| p.model == name).unwrap();
        assert_eq!(price.rates, rates(published.nano_per_token), "{name}");
        let long = price.long_context.as_ref();
        assert_eq!(
            long.map(|l| l.above_prompt_tokens),
            published.long_above,
            "{name}"
        );
        assert_eq!(
            long.map(|l| l.rates),
            published.long_nano_per_token.map(rates),
            "{name}"
        );

        let of_model = || golden.vectors.iter().filter(|v| v.model == published.model);
        for class in 0..5 {
            let alone = |v: &&Vector| v.tokens.iter().enumerate().all(|(i, n)| (*n > 0) == (i == class));
            assert!(of_model().any(|v| alone(&v)), "{name}: class {class} alone");
        }
        let model = catalogue::models().into_iter().find(|m| m.name == name).unwrap();
        let seen: HashSet<_> = of_model().map(|v| v.geography).collect();
        for geography in model.geographies {
            assert!(seen.contains(&geography), "{name} in {geography}");
        }
        let lanes: HashSet<_> = of_model().map(|v| v.lane).collect();
        assert_eq!(lanes.len(), Lane::ALL.len(), "{name}");
        if let Some(above) = published.long_above {
            for prompt in [above, above + 1] {
                let is = |v: &Vector| tokens(v.tokens).prompt() == prompt;
                let with_cache = |v: &Vector| is(v) && v.tokens[2..].iter().all(|n| *n > 0);
                assert!(
                    of_model().any(is) && of_model().any(with_cache),
                    "{name} at {prompt}"
                );
            }
        }
    }
}

#[test]
fn fractions_of_a_nano_dollar_are_rounded_up_once_for_the_whole_request() {
    // 0.0000015 dollars per million tokens: 0.0015 nano-dollars each.
    let price = Price {
        rates: Rates {
            input: NanoUsd(1_500),
            output: NanoUsd(1_500),
            cache_read: NanoUsd(1_500),
            cache_write_5m: NanoUsd(1_500),
            cache_write_1h: NanoUsd(1_500),
        },
        id: PriceId::parse("price_small").unwrap(),
        ..catalogue::prices().remove(0)
    };
    for (counts, geography, nano) in [
        ([1, 0, 0, 0, 0], Geography::Global, 1),
        ([1, 1, 1, 1, 1], Geography::Global, 1),
        // 2,000 × 0.0015 = 3 exactly; one more is 3.0015.
        ([400, 400, 400, 400, 400], Geography::Global, 3),
        ([401, 400, 400, 400, 400], Geography::Global, 4),
        // 3 × 1.1 = 3.3.
        ([400, 400, 400, 400, 400], Geography::Us, 4),
    ] {
        let cost = price.cost(geography, Lane::InvokeModel, &tokens(counts));
        assert_eq!(cost, NanoUsd(nano), "{counts:?} in {geography}");
    }
}
