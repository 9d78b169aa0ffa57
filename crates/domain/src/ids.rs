//! Typed identifiers: a prefix that says what it names, and a body that sorts by time of making.
//!
//! The body is a ULID in Crockford's base 32 (48 bits of milliseconds, 80 random bits), so that ids made later compare
//! greater and databases append rather than scatter.

use crate::{Clock, Rng};

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Makes the 26-character ULID body of an id.
#[must_use]
pub fn ulid(clock: &dyn Clock, rng: &dyn Rng) -> String {
    let mut random = [0u8; 16];
    rng.fill(&mut random[6..]);
    let ms = clock.now_ms().max(0).to_be_bytes();
    random[..6].copy_from_slice(&ms[2..]);
    ulid_of(u128::from_be_bytes(random))
}

/// Writes 128 bits, such as those of a UUID, as the 26-character body of an id.
#[must_use]
pub fn ulid_of(mut bits: u128) -> String {
    let mut text = [0u8; 26];
    for slot in text.iter_mut().rev() {
        *slot = CROCKFORD[(bits & 31) as usize];
        bits >>= 5;
    }
    // All of it is ASCII.
    String::from_utf8_lossy(&text).into_owned()
}

/// The 128 bits of the 26-character body of an id; `None` if it is none.
#[must_use]
pub fn bits_of(ulid: &str) -> Option<u128> {
    if ulid.len() != 26 {
        return None;
    }
    ulid.bytes().try_fold(0_u128, |bits, byte| {
        let digit = CROCKFORD.iter().position(|known| *known == byte)?;
        // The first digit has three bits.
        bits.checked_mul(32)?.checked_add(digit as u128)
    })
}

/// The text is not an id of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a {kind} id: it must start with `{prefix}` and have at most 64 letters, digits, `_` or `-`"
)]
pub struct InvalidId {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

fn is_id_body(body: &str) -> bool {
    !body.is_empty()
        && body.len() <= 64
        && body
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("pattern" = concat!("^", $prefix, "[A-Za-z0-9_-]{1,64}$"))))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;

            /// Makes a new id.
            #[must_use]
            pub fn generate(clock: &dyn Clock, rng: &dyn Rng) -> Self {
                Self(format!("{}{}", Self::PREFIX, ulid(clock, rng)))
            }

            /// Reads an id.
            ///
            /// # Errors
            /// [`InvalidId`] if the prefix is another or the body holds other than letters, digits, `_` and `-`.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                match text.strip_prefix($prefix) {
                    Some(body) if is_id_body(body) => Ok(Self(text.to_owned())),
                    _ => Err(InvalidId {
                        text: text.chars().take(80).collect(),
                        kind: $kind,
                        prefix: $prefix,
                    }),
                }
            }

            /// The whole id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// Names a virtual key.
    KeyId, "key_", "key"
);
id!(
    /// Names a team.
    TeamId, "team_", "team"
);
id!(
    /// Names a user.
    UserId, "user_", "user"
);
id!(
    /// Names an endpoint: one AWS account, region and role.
    EndpointId, "end_", "endpoint"
);
id!(
    /// Names one row of the price book.
    PriceId, "price_", "price"
);
id!(
    /// Names one finished request in the ledger; made by the data plane that served it.
    UsageId, "use_", "usage record"
);
id!(
    /// Names one running data plane.
    ReplicaId, "rep_", "replica"
);
id!(
    /// Names one signed-in session of the console or the admin API.
    SessionId, "ses_", "session"
);
id!(
    /// Names a provider of identities.
    ProviderId, "idp_", "identity provider"
);
id!(
    /// Names a policy.
    PolicyId, "pol_", "policy"
);
id!(
    /// Names a budget.
    BudgetId, "bud_", "budget"
);
id!(
    /// Names a limit of requests, tokens or concurrency.
    LimitId, "lim_", "limit"
);
id!(
    /// Names one pause of a session that ran away.
    PauseId, "pau_", "paused session"
);
id!(
    /// Names a rule that an admin has laid over the shipped ones.
    RuleId, "rule_", "rule"
);
id!(
    /// Names one request in answers and logs. Claude Code shows it only if it has the form `req_` and at most 36
    /// letters, digits, `_` or `-`.
    RequestId, "req_", "request"
);

id!(
    /// Names a destination of notifications.
    DestinationId, "dst_", "destination"
);
id!(
    /// Names something that happened and that destinations are told of.
    EventId, "evt_", "event"
);
id!(
    /// Names the telling of one destination of one event.
    DeliveryId, "dlv_", "delivery"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SequenceRng;
    use crate::time::FixedClock;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let rng = SequenceRng::new(1);
        let early = KeyId::generate(&FixedClock(1_000), &rng);
        let late = KeyId::generate(&FixedClock(2_000), &rng);
        assert!(early < late);
        assert_eq!(early.as_str().len(), "key_".len() + 26);
    }

    #[test]
    fn bits_survive_an_id() {
        for bits in [0, 1, u128::MAX, 0x3000_0000_0000_4000_8000_0000_0000_0001] {
            assert_eq!(bits_of(&ulid_of(bits)), Some(bits));
        }
        for none in [
            "",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "0000000000000000000000000U",
            "1",
        ] {
            assert_eq!(bits_of(none), None, "{none}");
        }
    }

    #[test]
    fn ids_of_another_kind_are_refused() {
        assert!(KeyId::parse("team_01ABC").is_err());
        assert!(KeyId::parse("key_").is_err());
        assert!(KeyId::parse("key_a b").is_err());
        assert!(serde_json::from_str::<KeyId>("\"user_1\"").is_err());
        assert_eq!(KeyId::parse("key_01ABC").unwrap().to_string(), "key_01ABC");
    }
}
