//! Every request is explained by some sixty short fields, most of them words that are fixed in the program. The messages that are
//! generated for them own their texts, so that each word would be copied twice; this writes them where they belong at once,
//! which a request can afford. What is written is read by the generated messages, and tests hold one to the other.

use ccag_domain::explanation::{Attempted, BudgetChecked, LimitChecked, Routed, Translated};
use ccag_domain::{Explanation, NanoUsd};

/// Room for that of an ordinary request under a few budgets, so that it is written without being moved.
const USUAL_BYTES: usize = 1_536;

/// How many bytes are kept free for the length of a message in another one. Its varint may be longer than it has to be:
/// readers take it (Protocol Buffers, "Encoding": a varint has at most ten bytes).
const LENGTH_BYTES: usize = 2;

/// Wire types (Protocol Buffers, "Encoding").
const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

/// A [`v1::Explanation`] that is being written. Fields have numbers below 16, so that each key is one byte.
struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn some_number(&mut self, field: u8, value: Option<u64>) {
        if let Some(value) = value {
            self.0.push(field << 3 | VARINT);
            self.varint(value);
        }
    }

    fn number(&mut self, field: u8, value: impl Into<u64>) {
        self.some_number(field, Some(value.into()).filter(|value| *value != 0));
    }

    fn flag(&mut self, field: u8, value: bool) {
        self.number(field, value);
    }

    fn some_amount(&mut self, field: u8, amount: Option<NanoUsd>) {
        self.some_number(field, amount.map(|amount| amount.0.cast_unsigned()));
    }

    fn amount(&mut self, field: u8, amount: NanoUsd) {
        self.number(field, amount.0.cast_unsigned());
    }

    /// One that stands in a list is written even where it is empty.
    fn item(&mut self, field: u8, text: &str) {
        self.0.push(field << 3 | LENGTH_DELIMITED);
        self.varint(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, field: u8, text: &str) {
        if !text.is_empty() {
            self.item(field, text);
        }
    }

    fn some_text(&mut self, field: u8, text: Option<&str>) {
        self.text(field, text.unwrap_or_default());
    }

    fn message(&mut self, field: u8, write: impl FnOnce(&mut Self)) {
        self.0.push(field << 3 | LENGTH_DELIMITED);
        let begin = self.0.len() + LENGTH_BYTES;
        self.0.resize(begin, 0);
        write(self);
        let mut length = self.0.len() - begin;
        if let Some(place) = self.0.get_mut(begin - LENGTH_BYTES..begin)
            && length < 1 << (7 * LENGTH_BYTES)
        {
            for byte in place.iter_mut() {
                *byte = length.to_le_bytes()[0] | 0x80;
                length >>= 7;
            }
            if let Some(last) = place.last_mut() {
                *last &= 0x7f;
            }
        } else {
            // Longer than anything that data planes write.
            let inside = self.0.split_off(begin);
            self.0.truncate(begin - LENGTH_BYTES);
            self.varint(inside.len() as u64);
            self.0.extend_from_slice(&inside);
        }
    }
}

/// The bytes of what explains a request, without what its record says.
pub(in crate::convert) fn encode(explanation: &Explanation) -> Vec<u8> {
    let Explanation {
        version,
        request_id: _,
        at_ms: _,
        status: _,
        outcome: _,
        replica_id: _,
        revision,
        // There is no record of what was refused.
        refusal: _,
        key,
        asked,
        limits,
        budgets,
        route,
        attempts,
        translation,
        ended: _,
        left_out,
    } = explanation;
    let mut to = Writer(Vec::with_capacity(USUAL_BYTES));
    to.number(1, *version);
    to.number(2, *revision);
    to.some_text(3, key.team_by.as_deref());
    to.text(4, &key.header);
    to.text(5, &key.verdict);
    to.message(6, |to| {
        to.text(1, &asked.said);
        to.number(2, asked.input_estimate);
        to.number(3, asked.max_output);
        to.some_number(4, asked.lowered_to);
    });
    for one in limits {
        to.message(7, |to| limit(to, one));
    }
    for one in budgets {
        to.message(8, |to| budget(to, one));
    }
    to.message(9, |to| routed(to, route));
    for one in attempts {
        to.message(10, |to| attempted(to, one));
    }
    to.message(11, |to| translated(to, translation));
    for one in left_out {
        to.message(12, |to| {
            to.text(1, &one.list);
            to.number(2, one.count);
        });
    }
    to.0
}

fn limit(to: &mut Writer, limit: &LimitChecked) {
    to.text(1, &limit.limit);
    to.text(2, &limit.kind);
    to.number(3, limit.amount);
    to.number(4, limit.needed);
    to.text(5, &limit.verdict);
}

fn budget(to: &mut Writer, budget: &BudgetChecked) {
    to.text(1, &budget.id);
    to.text(2, &budget.scope);
    to.text(3, &budget.period);
    to.text(4, &budget.mode);
    to.amount(5, budget.limit_nano_usd);
    to.some_amount(6, budget.ceiling_nano_usd);
    to.amount(7, budget.spent_nano_usd);
    to.some_amount(8, budget.needed_nano_usd);
    to.text(9, &budget.basis);
    to.text(10, &budget.verdict);
}

fn routed(to: &mut Writer, route: &Routed) {
    to.text(1, &route.strategy);
    to.text(2, &route.affinity);
    to.text(3, &route.pool);
    to.flag(4, route.moved);
    to.some_number(5, route.waited_for_room_ms);
    for one in &route.candidates {
        to.message(6, |to| {
            to.text(1, &one.endpoint_id);
            to.text(2, &one.endpoint);
            to.number(3, one.weight);
            to.text(4, &one.geography);
            to.flag(5, one.in_trouble);
            to.number(6, one.throttled);
            to.some_text(7, one.quota.as_deref());
        });
    }
    for one in &route.not_tried {
        to.message(7, |to| {
            to.text(1, &one.endpoint_id);
            to.text(2, &one.endpoint);
            to.text(3, &one.why);
        });
    }
}

fn attempted(to: &mut Writer, attempt: &Attempted) {
    to.text(1, &attempt.endpoint_id);
    to.text(2, &attempt.endpoint);
    to.text(3, &attempt.lane);
    to.text(4, &attempt.bedrock_model);
    to.text(5, &attempt.region);
    to.text(6, &attempt.geography);
    to.number(7, attempt.status.unwrap_or_default());
    to.some_text(8, attempt.error.as_deref());
    to.flag(9, attempt.reached);
    to.some_number(10, attempt.took_ms);
    to.some_text(11, attempt.aws_request_id.as_deref());
    to.some_text(12, attempt.then.as_deref());
    to.some_text(13, attempt.without.as_deref());
}

fn translated(to: &mut Writer, translation: &Translated) {
    to.text(1, &translation.surface);
    to.text(2, &translation.version);
    to.flag(3, translation.pinned);
    let lists = [
        (4, &translation.lessons),
        (5, &translation.betas_sent),
        (6, &translation.betas_removed),
        (7, &translation.dropped),
        (8, &translation.unknown_passed),
    ];
    for (field, list) in lists {
        for text in list {
            to.item(field, text);
        }
    }
}
