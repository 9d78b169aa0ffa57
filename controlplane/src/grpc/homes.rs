//! Where conversations have moved to, as data planes tell it: handed on to all others.
//!
//! Nothing of it is stored. What is lost costs a cold cache, and after an hour nothing is worth knowing any more.

use ccag_proto::v1::MovedConversation;
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;
use tokio::time::Instant;

/// What is older is forgotten: no prompt is cached for longer.
const REST: Duration = Duration::from_secs(3_600);

/// So many are remembered for data planes that connect later.
const MAX_REMEMBERED: usize = 50_000;

/// So many go into a hint to the other control planes, which has at most 8,000 bytes.
const IN_A_HINT: usize = 80;

/// The longest name of an endpoint that is handed on: an id has 30 characters.
const MAX_ID: usize = 60;

/// The moves of the last hour, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Homes(VecDeque<(Instant, MovedConversation)>);

impl Homes {
    /// Remembers moves.
    pub(super) fn remember(&mut self, moved: &[MovedConversation]) {
        let now = Instant::now();
        while self.0.front().is_some_and(|(at, _)| now - *at > REST) {
            self.0.pop_front();
        }
        self.0.extend(moved.iter().map(|one| (now, one.clone())));
        let surplus = self.0.len().saturating_sub(MAX_REMEMBERED);
        self.0.drain(..surplus);
    }

    /// All that is remembered, in the order in which it happened.
    pub(super) fn all(&self) -> Vec<MovedConversation> {
        self.0.iter().map(|(_, one)| one.clone()).collect()
    }
}

/// Whether it can be handed on: what a data plane says may be anything.
pub(super) fn is_sound(one: &MovedConversation) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    one.conversation.len() == 16 && one.endpoint_id.len() <= MAX_ID && one.endpoint_id.bytes().all(plain)
}

/// What the other control planes are told: who says so, and the moves.
pub(super) fn hints<'m>(
    instance: &'m str,
    moved: &'m [MovedConversation],
) -> impl Iterator<Item = String> + use<'m> {
    moved.chunks(IN_A_HINT).map(move |some| {
        let mut text = format!("moved {instance}");
        for one in some {
            text.push(' ');
            for byte in &one.conversation {
                // A string takes all that is written to it.
                let _ = write!(text, "{byte:02x}");
            }
            text.push_str(&one.endpoint_id);
        }
        text
    })
}

/// Reads what another control plane has told; `None` if it is our own or something else.
pub(super) fn read(instance: &str, hint: &str) -> Option<Vec<MovedConversation>> {
    let mut words = hint.split(' ');
    if words.next() != Some("moved") || words.next() == Some(instance) {
        return None;
    }
    let one = |word: &str| {
        let (hex, endpoint_id) = word.split_at_checked(32)?;
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let conversation: Vec<u8> = (0..32).step_by(2).map(byte).collect::<Option<_>>()?;
        let one = MovedConversation {
            conversation: conversation.into(),
            endpoint_id: endpoint_id.to_owned(),
        };
        is_sound(&one).then_some(one)
    };
    Some(words.filter_map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(count: u8) -> Vec<MovedConversation> {
        (0..count)
            .map(|n| MovedConversation {
                conversation: vec![n; 16].into(),
                endpoint_id: format!("end_01JD0000000000000000000{n:03}"),
            })
            .collect()
    }

    #[test]
    fn another_control_plane_reads_what_one_has_told() {
        let moved = moves(200);
        let hints: Vec<_> = hints("one", &moved).collect();
        assert!(hints.iter().all(|hint| hint.len() < 8_000));
        assert!(read("one", &hints[0]).is_none());
        let heard: Vec<_> = hints.iter().flat_map(|hint| read("two", hint).unwrap()).collect();
        assert_eq!(heard, moved);
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        assert!(read("two", "something else").is_none());
        let hint = format!("moved one zz {} {}", "ab".repeat(16), "é".repeat(40));
        assert_eq!(read("two", &hint).unwrap().len(), 1);
        let odd = MovedConversation {
            endpoint_id: "end 1".to_owned(),
            ..moves(1).remove(0)
        };
        assert!(!is_sound(&odd));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut homes = Homes::default();
        for _ in 0..300 {
            homes.remember(&moves(250));
        }
        assert_eq!(homes.all().len(), MAX_REMEMBERED);
    }
}
