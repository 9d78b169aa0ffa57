//! What a request may cost, before it is asked.

use ccag_domain::routing::Candidate;
use ccag_domain::{
    BudgetMode, Geography, Lane, Model, ModelName, NanoUsd, Price, PriceBook, TokenWeights, Tokens,
};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What an answer is taken for until some have been seen, in output tokens.
const FIRST_OUTPUT: u64 = 4_096;

/// How many answers a distribution remembers: above that all of them count half.
const REMEMBERED: u32 = 1_000;

/// What an answer is taken for where caution is due, until some have been seen.
const FIRST_CAUTIOUS_OUTPUT: u64 = 16_384;

/// So many of a hundred answers are at most as long as what is taken for likely, and where caution is due.
const LIKELY: u64 = 90;
const CAUTIOUS: u64 = 99;

/// How long answers are and what prompts cost, as learnt from those that have ended, by model.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// There are few models.
    by_model: Mutex<BTreeMap<ModelName, Shape>>,
}

/// The answers of one model.
#[derive(Debug, Clone, Default)]
struct Shape {
    /// How many answers had so many output tokens, by powers of the square root of two.
    output: Vec<u32>,
    count: u32,
    /// How many run: of them it is known only that they have not ended.
    running: u32,
    /// What a token of a prompt (as estimated) has cost, cached or not, in nano-USD: a running mean.
    input_nano: Option<i64>,
    /// How many thousandths of a token, for each that was estimated, came uncached, read and written: running means.
    classes: Option<[u64; 3]>,
}

/// What answers of a model have taught.
#[derive(Debug, Clone, Copy, Default)]
struct Taught {
    /// How long answers are likely to be, and will hardly exceed.
    output: Option<u64>,
    cautious_output: Option<u64>,
    input_nano: Option<i64>,
    classes: Option<[u64; 3]>,
}

/// The mean follows a rise at once and a fall slowly: rather too much than too little.
fn follow(mean: i64, new: i64) -> i64 {
    if new < mean {
        (mean.saturating_mul(15).saturating_add(new)) / 16
    } else {
        mean.midpoint(new)
    }
}

/// The bucket of a count: two for each power of two.
fn bucket(tokens: u64) -> usize {
    let log = tokens.max(1).ilog2();
    let half = u64::from(log > 0 && (tokens >> (log - 1)) & 1 == 1);
    usize::try_from(u64::from(log) * 2 + half).unwrap_or(0)
}

/// The largest count of a bucket.
fn bucket_end(bucket: usize) -> u64 {
    let power = 1u64 << (bucket / 2).min(40);
    if bucket.is_multiple_of(2) {
        power + power / 2 - u64::from(power > 1)
    } else {
        power * 2 - 1
    }
}

impl Shape {
    fn add(&mut self, output: u64) {
        let bucket = bucket(output);
        if self.output.len() <= bucket {
            self.output.resize(bucket + 1, 0);
        }
        self.output[bucket] += 1;
        self.count += 1;
        if self.count >= REMEMBERED {
            self.output.iter_mut().for_each(|n| *n /= 2);
            self.count = self.output.iter().sum();
        }
    }

    /// Those that run count as longer than all that have ended: short answers end first, and to look at those alone would
    /// be to take all answers for short.
    fn output(&self, percent: u64) -> Option<u64> {
        let wanted = ((u64::from(self.count) + u64::from(self.running)) * percent).div_ceil(100);
        let mut seen = 0;
        let at = self.output.iter().position(|n| {
            seen += u64::from(*n);
            seen >= wanted
        });
        (self.count >= 10).then(|| at.map(bucket_end)).flatten()
    }
}

/// What is known of a request's size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// About how many tokens the prompt has.
    pub(crate) input: u64,
    /// How many it has at most.
    pub(crate) most_input: u64,
    /// How many tokens were asked for.
    pub(crate) max_output: u64,
    /// Whether cache writes are priced as living an hour.
    pub(crate) writes_1h: bool,
}

/// What a request may cost.
#[derive(Debug, Clone)]
pub(crate) struct Quote {
    model: ModelName,
    price: Price,
    /// Of one web search.
    search: NanoUsd,
    size: Size,
    /// The most that it could cost, by the dearest geography that it may be served in.
    pub(crate) most: NanoUsd,
    /// Of that, what comes of the prompt.
    pub(crate) most_of_prompt: NanoUsd,
    /// What it is likely to cost, rather too much than too little.
    pub(crate) likely: NanoUsd,
    /// What it will hardly exceed: what counts when little is left.
    pub(crate) cautious: NanoUsd,
    /// What it will have cost as soon as Bedrock has read the prompt.
    pub(crate) prompt: NanoUsd,
    taught: Taught,
}

impl Quote {
    /// `None` if nothing has a price.
    pub(crate) fn new(
        (prices, search): (&PriceBook, NanoUsd),
        model: &Model,
        route: &[Candidate],
        size: Size,
        learnt: &Learnt,
    ) -> Option<Self> {
        let (price, _) = prices.applied(&model.name)?;
        let mut size = size;
        size.most_input = size.most_input.min(u64::from(model.context_tokens));
        let dearest = |tokens: &Tokens| dearest(price, route, tokens);
        let most_of_prompt = dearest_prompt(size.most_input, size.writes_1h)
            .iter()
            .map(dearest)
            .max()
            .unwrap_or_default();
        let most = dearest_prompt(size.most_input, size.writes_1h)
            .map(|prompt| Tokens {
                output: size.max_output,
                ..prompt
            })
            .iter()
            .map(dearest)
            .max()
            .unwrap_or_default();
        let taught = learnt.of(&model.name);
        let prompt = match taught.input_nano {
            Some(nano) => NanoUsd(nano.saturating_mul(i64::try_from(size.input).unwrap_or(i64::MAX))),
            None => dearest(&written(size.input, size.writes_1h)),
        };
        let answer = |output: u64| {
            dearest(&Tokens {
                output: output.min(size.max_output),
                ..Tokens::default()
            })
        };
        let likely = prompt + answer(taught.output.unwrap_or(FIRST_OUTPUT));
        let cautious = prompt + answer(taught.cautious_output.unwrap_or(FIRST_CAUTIOUS_OUTPUT));
        Some(Self {
            model: model.name.clone(),
            price: price.clone(),
            search,
            size,
            most,
            most_of_prompt,
            likely: likely.min(most),
            cautious: cautious.max(likely).min(most),
            prompt: prompt.min(most_of_prompt),
            taught,
        })
    }

    /// What has to be set aside in a budget of this kind, of which little is left or not.
    pub(crate) fn need(&self, mode: BudgetMode, is_scarce: bool) -> NanoUsd {
        match mode {
            BudgetMode::Balanced if is_scarce => self.cautious,
            BudgetMode::Balanced => self.likely,
            BudgetMode::Hard | BudgetMode::Fitting => self.most,
        }
    }

    /// How many tokens it is likely to use, by these weights, rather too many than too few.
    pub(super) fn tokens(&self, weights: &TokenWeights) -> i64 {
        let (input, output) = (self.size.input, self.taught.output.unwrap_or(FIRST_OUTPUT));
        let output = output.min(self.size.max_output);
        let count = match self.taught.classes {
            None => weights.uncached(input, output),
            Some(classes) => {
                let [fresh, read, written] = classes.map(|share| input.saturating_mul(share).div_ceil(1_000));
                weights.count(&Tokens {
                    input: fresh,
                    cache_read: read,
                    cache_write_5m: written,
                    output,
                    ..Tokens::default()
                })
            }
        };
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// What it costs in the end, or so far.
    pub(crate) fn cost(
        &self,
        (geography, lane): (Geography, Lane),
        tokens: &Tokens,
        searches: u32,
    ) -> NanoUsd {
        self.price.cost(geography, lane, tokens) + self.search.times(searches)
    }

    /// How many output tokens could be asked for with so much money; `None` if not even the prompt is paid for.
    pub(crate) fn affordable_output(&self, left: NanoUsd, route: &[Candidate]) -> Option<u64> {
        let for_output = left - self.most_of_prompt;
        let thousand = dearest(
            &self.price,
            route,
            &Tokens {
                output: 1_000,
                ..Tokens::default()
            },
        );
        let tokens = i128::from(for_output.0) * 1_000 / i128::from(thousand.0.max(1));
        u64::try_from(tokens).ok().filter(|tokens| *tokens > 0)
    }

    /// A request begins, or ends, to run.
    pub(super) fn runs(&self, learnt: &Learnt, runs: bool) {
        learnt.with(&self.model, |shape| {
            shape.running = if runs {
                shape.running + 1
            } else {
                shape.running.saturating_sub(1)
            };
        });
    }

    /// A request has ended whole: what is to be learnt of it.
    pub(crate) fn learn(&self, learnt: &Learnt, (geography, lane): (Geography, Lane), tokens: &Tokens) {
        let prompt = Tokens { output: 0, ..*tokens };
        let cost = self.price.cost(geography, lane, &prompt).0;
        learnt.add(&self.model, tokens, cost, self.size.input);
    }
}

/// A prompt in each of the forms that it may be billed in: which is the dearest, the price says.
fn dearest_prompt(tokens: u64, writes_1h: bool) -> [Tokens; 2] {
    [
        Tokens {
            input: tokens,
            ..Tokens::default()
        },
        written(tokens, writes_1h),
    ]
}

fn written(tokens: u64, writes_1h: bool) -> Tokens {
    if writes_1h {
        Tokens {
            cache_write_1h: tokens,
            ..Tokens::default()
        }
    } else {
        Tokens {
            cache_write_5m: tokens,
            ..Tokens::default()
        }
    }
}

fn dearest(price: &Price, route: &[Candidate], tokens: &Tokens) -> NanoUsd {
    // Which of its lanes an endpoint takes is decided when it is asked.
    let ways = route.iter().flat_map(|candidate| {
        let lanes = candidate.endpoint.lanes.as_slice();
        lanes.iter().map(|lane| (candidate.model.geography, *lane))
    });
    ways.map(|(geography, lane)| price.cost(geography, lane, tokens))
        .max()
        .unwrap_or_default()
}

impl Learnt {
    /// Likely and cautious lengths of an answer, and what a token of a prompt costs.
    fn of(&self, model: &ModelName) -> Taught {
        let by_model = self.by_model.lock().unwrap_or_else(PoisonError::into_inner);
        by_model.get(model).map_or(Taught::default(), |shape| Taught {
            output: shape.output(LIKELY),
            cautious_output: shape.output(CAUTIOUS),
            input_nano: shape.input_nano,
            classes: shape.classes,
        })
    }

    fn with(&self, model: &ModelName, change: impl FnOnce(&mut Shape)) {
        let mut by_model = self.by_model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shape) = by_model.get_mut(model) {
            return change(shape);
        }
        change(by_model.entry(model.clone()).or_default());
    }

    fn add(&self, model: &ModelName, tokens: &Tokens, prompt_nano: i64, input: u64) {
        let input = input.max(1);
        let each = prompt_nano / i64::try_from(input).unwrap_or(i64::MAX);
        let written = tokens.cache_write_5m.saturating_add(tokens.cache_write_1h);
        let shares = [tokens.input, tokens.cache_read, written]
            .map(|count| count.saturating_mul(1_000).div_ceil(input));
        self.with(model, |shape| {
            shape.add(tokens.output);
            shape.input_nano = Some(shape.input_nano.map_or(each, |mean| follow(mean, each)));
            shape.classes = Some(match shape.classes {
                None => shares,
                Some(means) => std::array::from_fn(|class| {
                    let [mean, new] = [means, shares].map(|of| i64::try_from(of[class]).unwrap_or(i64::MAX));
                    follow(mean, new).unsigned_abs()
                }),
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::catalogue;

    fn model(name: &str) -> Model {
        catalogue::models()
            .into_iter()
            .find(|m| m.name == ModelName::canonical(name))
            .unwrap()
    }

    fn quote(size: Size, learnt: &Learnt, route: &[Candidate]) -> Quote {
        let prices = PriceBook::new(catalogue::prices());
        Quote::new(
            (&prices, NanoUsd::ZERO),
            &model("claude-opus-5-5"),
            route,
            size,
            learnt,
        )
        .unwrap()
    }

    fn route(geography: Geography) -> Vec<Candidate> {
        let mut candidate = crate::bedrock::sample::candidate(1, "anthropic.claude-opus-5-5");
        candidate.model.geography = geography;
        vec![candidate]
    }

    const SIZE: Size = Size {
        input: 1_000,
        most_input: 3_500,
        max_output: 128_000,
        writes_1h: false,
    };

    #[test]
    fn the_most_is_the_whole_answer_after_a_prompt_that_is_written_to_the_cache() {
        // Opus 5.5: 20 dollars per million output tokens, 5 for cache writes; 8 for those of an hour.
        let quote = quote(SIZE, &Learnt::default(), &route(Geography::Global));
        assert_eq!(quote.most, NanoUsd(128_000 * 20_000 + 3_500 * 5_000));
        assert_eq!(quote.likely, NanoUsd(4_096 * 20_000 + 1_000 * 5_000));
        let size = Size {
            writes_1h: true,
            ..SIZE
        };
        let quote = super::tests::quote(size, &Learnt::default(), &route(Geography::Us));
        assert_eq!(quote.most.0 * 10, (128_000 * 20_000 + 3_500 * 8_000) * 11);
    }

    #[test]
    fn the_dearest_of_the_lanes_that_an_endpoint_may_use_is_set_aside() {
        let mut route = route(Geography::Global);
        route[0].endpoint.lanes = ccag_domain::Lanes::new([Lane::Mantle]);
        let quote = quote(SIZE, &Learnt::default(), &route);
        assert_eq!(quote.most.0 * 10, (128_000 * 20_000 + 3_500 * 5_000) * 11);
        let one = Tokens {
            output: 10,
            ..Tokens::default()
        };
        assert_eq!(
            quote.cost((Geography::Global, Lane::Mantle), &one, 0),
            NanoUsd(220_000)
        );
        assert_eq!(
            quote.cost((Geography::Global, Lane::InvokeModel), &one, 0),
            NanoUsd(200_000)
        );
    }

    #[test]
    fn what_is_left_says_how_much_may_be_asked_for() {
        let route = route(Geography::Global);
        let quote = quote(SIZE, &Learnt::default(), &route);
        assert_eq!(
            quote.affordable_output(NanoUsd(3_500 * 5_000 + 100 * 20_000), &route),
            Some(100)
        );
        assert_eq!(quote.affordable_output(NanoUsd(3_500 * 5_000), &route), None);
    }

    #[test]
    fn what_is_likely_is_learnt_and_stays_above_most_answers() {
        let (learnt, route) = (Learnt::default(), route(Geography::Global));
        let first = quote(SIZE, &learnt, &route);
        for n in 0..100u64 {
            let tokens = Tokens {
                output: if n % 20 == 0 { 9_000 } else { 300 + n },
                cache_read: 1_000,
                ..Tokens::default()
            };
            first.learn(&learnt, (Geography::Global, Lane::InvokeModel), &tokens);
        }
        let later = quote(SIZE, &learnt, &route);
        let output = (later.likely - later.prompt).0 / 20_000;
        assert!((399..600).contains(&output), "{output}");
        // All of it was read from the cache: a fifth of a micro-dollar each.
        assert_eq!(later.prompt, NanoUsd(1_000 * 200));
    }

    #[test]
    fn short_answers_that_end_first_are_not_taken_for_all() {
        let (learnt, route) = (Learnt::default(), route(Geography::Global));
        let first = quote(SIZE, &learnt, &route);
        let short = Tokens {
            output: 100,
            ..Tokens::default()
        };
        for _ in 0..100 {
            first.runs(&learnt, true);
        }
        for _ in 0..50 {
            first.runs(&learnt, false);
            first.learn(&learnt, (Geography::Global, Lane::InvokeModel), &short);
        }
        assert!(quote(SIZE, &learnt, &route).likely.0 >= 4_096 * 20_000);
        for _ in 0..49 {
            first.runs(&learnt, false);
            first.learn(&learnt, (Geography::Global, Lane::InvokeModel), &short);
        }
        assert!(quote(SIZE, &learnt, &route).likely.0 < 300 * 20_000);
    }

    #[test]
    fn buckets_hold_what_they_say() {
        for tokens in (1..5_000).chain([128_000, 1_000_000]) {
            let end = bucket_end(bucket(tokens));
            assert!(end >= tokens && end < tokens * 2, "{tokens} {end}");
        }
    }
}
