//! What explains a request, on its way in the request's record.

mod write;

pub(super) use write::encode;

use crate::v1;
use ccag_domain::explanation::{
    AskedFor, Attempted, BudgetChecked, CandidateSeen, Ended, KeyShown, LeftOut, LimitChecked, NotTried,
    Routed, Translated, Word,
};
use ccag_domain::{Explanation, NanoUsd, UsageRecord};
use prost::Message;

/// What explains the request of a record, by the bytes that came with it; `None` if they are none of a [`v1::Explanation`].
pub(super) fn decode(bytes: &[u8], record: &UsageRecord) -> Option<Explanation> {
    let message = v1::Explanation::decode(bytes).ok()?;
    let mut explanation = Explanation::from(message);
    explanation.of_record(record);
    Some(explanation)
}

/// The same in the words of earlier releases.
pub(super) fn read(json: &[u8]) -> Option<Explanation> {
    Explanation::read(std::str::from_utf8(json).ok()?).ok()
}

fn word(text: String) -> Word {
    text.into()
}

fn known(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<v1::Explanation> for Explanation {
    /// Without what only the record knows.
    fn from(message: v1::Explanation) -> Self {
        Self {
            version: message.version,
            revision: message.revision,
            key: KeyShown {
                team_by: known(message.team_by).map(word),
                header: message.header.into(),
                verdict: message.verdict.into(),
                ..KeyShown::default()
            },
            asked: message.asked.map(AskedFor::from).unwrap_or_default(),
            limits: message.limits.into_iter().map(LimitChecked::from).collect(),
            budgets: message.budgets.into_iter().map(BudgetChecked::from).collect(),
            route: message.route.map(Routed::from).unwrap_or_default(),
            attempts: message.attempts.into_iter().map(Attempted::from).collect(),
            translation: message.translation.map(Translated::from).unwrap_or_default(),
            left_out: message.left_out.into_iter().map(LeftOut::from).collect(),
            ended: Ended::default(),
            ..Self::default()
        }
    }
}

impl From<v1::AskedFor> for AskedFor {
    fn from(message: v1::AskedFor) -> Self {
        Self {
            said: message.said,
            input_estimate: message.input_estimate,
            max_output: message.max_output,
            lowered_to: message.lowered_to,
            ..Self::default()
        }
    }
}

impl From<v1::LimitChecked> for LimitChecked {
    fn from(message: v1::LimitChecked) -> Self {
        Self {
            limit: message.limit,
            kind: message.kind.into(),
            amount: message.amount,
            needed: message.needed,
            verdict: message.verdict.into(),
        }
    }
}

impl From<v1::BudgetChecked> for BudgetChecked {
    fn from(message: v1::BudgetChecked) -> Self {
        Self {
            id: message.id,
            scope: message.scope.into(),
            period: message.period.into(),
            mode: message.mode.into(),
            limit_nano_usd: NanoUsd(message.limit),
            ceiling_nano_usd: message.ceiling.map(NanoUsd),
            spent_nano_usd: NanoUsd(message.spent),
            needed_nano_usd: message.needed.map(NanoUsd),
            basis: message.basis.into(),
            verdict: message.verdict.into(),
            drawn_nano_usd: None,
        }
    }
}

impl From<v1::Routed> for Routed {
    fn from(message: v1::Routed) -> Self {
        let candidate = |one: v1::CandidateSeen| CandidateSeen {
            endpoint_id: one.endpoint_id,
            endpoint: one.endpoint,
            weight: one.weight,
            geography: one.geography.into(),
            in_trouble: one.in_trouble,
            throttled: one.throttled,
            quota: known(one.quota).map(word),
        };
        let not_tried = |one: v1::NotTried| NotTried {
            endpoint_id: one.endpoint_id,
            endpoint: one.endpoint,
            why: one.why.into(),
        };
        Self {
            strategy: message.strategy.into(),
            affinity: message.affinity.into(),
            pool: message.pool.into(),
            moved: message.moved,
            waited_for_room_ms: message.waited_for_room_ms,
            candidates: message.candidates.into_iter().map(candidate).collect(),
            not_tried: message.not_tried.into_iter().map(not_tried).collect(),
        }
    }
}

impl From<v1::Attempted> for Attempted {
    fn from(message: v1::Attempted) -> Self {
        Self {
            endpoint_id: message.endpoint_id,
            endpoint: message.endpoint,
            lane: message.lane.into(),
            bedrock_model: message.bedrock_model,
            region: message.region,
            geography: message.geography.into(),
            status: u16::try_from(message.status).ok().filter(|status| *status != 0),
            error: known(message.error),
            reached: message.reached,
            took_ms: message.took_ms,
            aws_request_id: known(message.aws_request_id),
            then: known(message.then).map(word),
            without: known(message.without),
        }
    }
}

impl From<v1::Translated> for Translated {
    fn from(message: v1::Translated) -> Self {
        Self {
            surface: message.surface,
            version: message.version,
            pinned: message.pinned,
            lessons: message.lessons,
            betas_sent: message.betas_sent,
            betas_removed: message.betas_removed,
            dropped: message.dropped,
            unknown_passed: message.unknown_passed,
        }
    }
}

impl From<v1::LeftOut> for LeftOut {
    fn from(message: v1::LeftOut) -> Self {
        Self {
            list: message.list.into(),
            count: message.count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::usage::tests::record;
    use ccag_domain::explanation::RefusedFor;
    use proptest::prelude::*;

    /// Every part, with these words and numbers in it.
    fn filled(words: &[String], n: u32, there: bool) -> Explanation {
        let text = |at: usize| words.get(at % words.len().max(1)).cloned().unwrap_or_default();
        let some = |at: usize| Some(text(at)).filter(|text| there && !text.is_empty());
        let amount = NanoUsd(i64::from(n) - 1_000);
        let attempt = Attempted {
            endpoint_id: text(0),
            endpoint: text(1),
            lane: text(2).into(),
            bedrock_model: text(3),
            region: text(4),
            geography: text(5).into(),
            status: there.then_some(503),
            error: some(6),
            reached: there,
            took_ms: there.then_some(u64::from(n)),
            aws_request_id: some(7),
            then: some(8).map(Into::into),
            without: some(9),
        };
        Explanation {
            version: n,
            request_id: text(0),
            at_ms: 7,
            status: 499,
            outcome: text(1).into(),
            replica_id: text(2),
            revision: u64::from(n) << 20,
            refusal: there.then(RefusedFor::default),
            key: KeyShown {
                id: text(4),
                user_id: some(5),
                team_id: some(6),
                team_by: some(7).map(Into::into),
                header: text(8).into(),
                verdict: text(9).into(),
            },
            asked: AskedFor {
                said: text(6),
                model: text(7),
                streaming: there,
                input_estimate: n.into(),
                max_output: u64::MAX,
                lowered_to: there.then_some(0),
            },
            limits: vec![
                LimitChecked {
                    limit: text(1),
                    kind: text(2).into(),
                    amount: n.into(),
                    needed: u64::MAX,
                    verdict: text(3).into(),
                };
                n as usize % 3
            ],
            budgets: vec![BudgetChecked {
                id: text(7),
                scope: text(8).into(),
                period: text(9).into(),
                mode: text(10).into(),
                limit_nano_usd: amount,
                ceiling_nano_usd: there.then_some(NanoUsd(0)),
                spent_nano_usd: amount,
                needed_nano_usd: there.then_some(amount),
                basis: text(11).into(),
                verdict: text(12).into(),
                drawn_nano_usd: None,
            }],
            route: Routed {
                strategy: text(13).into(),
                affinity: text(14).into(),
                pool: text(15).into(),
                moved: there,
                waited_for_room_ms: there.then_some(0),
                candidates: vec![CandidateSeen {
                    endpoint_id: text(16),
                    endpoint: text(17),
                    weight: n,
                    geography: text(18).into(),
                    in_trouble: there,
                    throttled: n,
                    quota: some(19).map(Into::into),
                }],
                not_tried: vec![NotTried {
                    endpoint_id: text(20),
                    endpoint: text(21),
                    why: text(22).into(),
                }],
            },
            attempts: vec![attempt; 2],
            translation: Translated {
                surface: text(0),
                version: text(1),
                pinned: there,
                lessons: words.to_vec(),
                betas_sent: vec![String::new(); 2],
                betas_removed: words.to_vec(),
                dropped: words.to_vec(),
                unknown_passed: words.to_vec(),
            },
            ended: Ended::default(),
            left_out: vec![LeftOut {
                list: text(10).into(),
                count: n,
            }],
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_with_what_the_record_says(
            words in proptest::collection::vec(any::<String>(), 1..9),
            n: u32,
            there: bool,
        ) {
            let (explanation, record) = (filled(&words, n, there), record());
            let bytes = encode(&explanation);
            let mut expected = explanation;
            expected.of_record(&record);
            expected.refusal = None;
            prop_assert_eq!(decode(&bytes, &record), Some(expected));
        }
    }

    #[test]
    fn parts_of_any_length_are_read_back() {
        for length in [
            0, 1, 126, 127, 128, 129, 16_370, 16_382, 16_383, 16_384, 16_385, 40_000,
        ] {
            let explanation = Explanation {
                translation: Translated {
                    dropped: vec!["x".repeat(length), "y".into()],
                    ..Translated::default()
                },
                left_out: vec![LeftOut {
                    list: "after".into(),
                    count: 1,
                }],
                ..Explanation::default()
            };
            let read = decode(&encode(&explanation), &record()).unwrap();
            assert_eq!(read.translation, explanation.translation, "{length}");
            assert_eq!(read.left_out, explanation.left_out, "{length}");
        }
    }

    #[test]
    fn of_a_record_nothing_is_said_twice() {
        let mut explanation = Explanation::default();
        let nothing = encode(&explanation);
        explanation.of_record(&record());
        assert_eq!(encode(&explanation), nothing);
    }

    #[test]
    fn what_is_no_explanation_is_none() {
        assert_eq!(decode(br#"{"version":1}"#, &record()), None);
        assert_eq!(decode(&[0xff], &record()), None);
        assert_eq!(read(b"\xff"), None);
        assert_eq!(read(br#"{"version":1}"#).map(|told| told.version), Some(1));
    }
}
