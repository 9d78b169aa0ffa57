//! Secrets at rest: what the database holds of them is sealed under the master key.
//!
//! A sealed value says under which key: `ID.DIGITS`, both hexadecimal. Values without an id are from before there were ids.
//! Everything is sealed under the current key and opened with any key that is known, so that keys can be changed while the
//! gateway runs (`docs/secrets.md`).

use crate::master_key::OpenKeys;
use ccag_domain::SealKey;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What secrets are sealed as, so that each opens as itself alone: nobody who can write to the database can put one in the
/// place of another.
pub(crate) mod name {
    /// The key that search results are sealed with.
    pub(crate) const SEARCH_RESULTS: &str = "web_search_sealing_key";

    /// The API key of a search service.
    pub(crate) fn search_service(owner: &str, kind: &str) -> String {
        format!("API key of the search service {kind} of {owner}")
    }

    /// The credentials of an endpoint.
    pub(crate) fn endpoint(id: &str) -> String {
        format!("credentials of the endpoint {id}")
    }

    /// The password of an endpoint's proxy.
    pub(crate) fn proxy(id: &str) -> String {
        format!("proxy of the endpoint {id}")
    }

    /// The secret that a provider of identities has given us.
    pub(crate) fn provider(id: &str) -> String {
        format!("identity provider {id}")
    }

    /// What is secret of how a destination of notifications is reached.
    pub(crate) fn destination(id: &str) -> String {
        format!("destination {id}")
    }

    /// The same of its draft.
    pub(crate) fn destination_draft(id: &str) -> String {
        format!("draft of the destination {id}")
    }

    /// A key that tokens of clients are signed with.
    pub(crate) fn signing_key(id: &str) -> String {
        format!("signing key {id}")
    }

    /// The answer to a request that may be sent again.
    pub(crate) fn answer(id: &str) -> String {
        format!("answer to the request {id}")
    }

    /// What a sign-in that is under way will have to show to its provider.
    pub(crate) fn sign_in(digest: &str) -> String {
        format!("sign-in {digest}")
    }
}

/// Names a master key without saying anything of it: eight hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KeyId(String);

impl KeyId {
    /// The id of a key.
    pub(crate) fn of(master_key: &str) -> Self {
        let derived = SealKey::derive(master_key.as_bytes(), "id of a master key");
        Self(hex::encode(&derived.reveal()[..4]))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Debug)]
struct Held {
    id: KeyId,
    key: SealKey,
}

impl Held {
    fn new(master_key: &str) -> Self {
        Self {
            id: KeyId::of(master_key),
            key: SealKey::derive(master_key.as_bytes(), "secrets in the database"),
        }
    }
}

/// Seals and opens what the database must not hold in clear.
#[derive(Debug, Clone)]
pub(crate) struct Secrets(Arc<[Held]>);

/// What a sealed value is to the keys that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Under {
    /// This key opens it.
    Known(KeyId),
    /// It is sealed under a key that is not known.
    Unknown(KeyId),
    /// No key opens it: it is damaged, or from before there were ids and under a key that is not known.
    Nothing,
}

impl Secrets {
    /// Under these keys.
    pub(crate) fn new(keys: &OpenKeys) -> Self {
        Self(keys.each().map(Held::new).collect())
    }

    /// The key that everything is sealed under.
    pub(crate) fn current(&self) -> &KeyId {
        &self.0[0].id
    }

    /// The keys that are known, the current one first.
    pub(crate) fn known(&self) -> impl Iterator<Item = &KeyId> {
        self.0.iter().map(|held| &held.id)
    }

    /// A secret for a text column. `what` says which it is: one of [`name`].
    pub(crate) fn seal(&self, what: &str, secret: &[u8]) -> String {
        let Held { id, key } = &self.0[0];
        format!("{id}.{}", hex::encode(key.seal(what.as_bytes(), secret)))
    }

    /// Opens what [`Secrets::seal`] made; `None`, loudly, if it cannot be, as after a change of the master key.
    pub(crate) fn open(&self, what: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        match self.look(what, sealed) {
            Ok((_, secret)) => return Some(secret),
            Err(Some(id)) => tracing::error!(
                what,
                key = %id,
                "a secret in the database is sealed under a master key that is not known here: list it in \
                 CCAG_OTHER_MASTER_KEYS, or enter the secret again"
            ),
            Err(None) => tracing::error!(
                what,
                "a secret in the database cannot be opened: was the master key changed? List the one of before in \
                 CCAG_OTHER_MASTER_KEYS, or enter the secret again"
            ),
        }
        None
    }

    /// Under which key something is sealed.
    pub(crate) fn under(&self, what: &str, sealed: &str) -> Under {
        match self.look(what, sealed) {
            Ok((id, _)) => Under::Known(id.clone()),
            Err(Some(id)) => Under::Unknown(id),
            Err(None) => Under::Nothing,
        }
    }

    /// The same secret under the current key; `None` if it is so already, or cannot be opened.
    pub(crate) fn reseal(&self, what: &str, sealed: &str) -> Option<String> {
        let mine = sealed
            .split_once('.')
            .is_some_and(|(id, _)| id == self.current().0);
        if mine {
            return None;
        }
        let (_, secret) = self.look(what, sealed).ok()?;
        Some(self.seal(what, &secret))
    }

    /// The secret with the key that opens it, or the id of one that would.
    fn look(&self, what: &str, sealed: &str) -> Result<(&KeyId, Zeroizing<Vec<u8>>), Option<KeyId>> {
        let (id, digits) = match sealed.split_once('.') {
            Some((id, digits)) => (Some(KeyId(id.to_owned())), digits),
            None => (None, sealed),
        };
        let bytes = hex::decode(digits).map_err(|_| None)?;
        let opens = |held: &Held| held.key.open(what.as_bytes(), &bytes);
        match id {
            None => self
                .0
                .iter()
                .find_map(|held| Some((&held.id, opens(held)?)))
                .ok_or(None),
            Some(id) => match self.0.iter().find(|held| held.id == id) {
                Some(held) => opens(held).map(|secret| (&held.id, secret)).ok_or(None),
                None => Err(Some(id)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn under(keys: &[&str]) -> Secrets {
        let mut keys = keys.iter().map(|key| (*key).to_owned().into());
        Secrets::new(&OpenKeys {
            current: keys.next().unwrap(),
            others: keys.collect(),
        })
    }

    /// As versions sealed that knew one key and no ids.
    fn sealed_before(key: &str, what: &str, secret: &[u8]) -> String {
        let sealed = under(&[key]).seal(what, secret);
        sealed.split_once('.').unwrap().1.to_owned()
    }

    #[test]
    fn a_secret_opens_under_its_own_name_and_key_alone() {
        let secrets = under(&["master"]);
        let sealed = secrets.seal("a", b"hush");
        assert!(!sealed.contains("hush") && sealed.starts_with(&format!("{}.", secrets.current())));
        assert_eq!(secrets.open("a", &sealed).unwrap().as_slice(), b"hush");
        assert!(secrets.open("b", &sealed).is_none());
        assert!(under(&["other"]).open("a", &sealed).is_none());
        assert!(secrets.open("a", "zz").is_none());
        // The id says which key, and does not make another key's seal good.
        let digits = sealed.split_once('.').unwrap().1;
        let forged = format!("{}.{digits}", KeyId::of("other"));
        assert!(under(&["other", "master"]).open("a", &forged).is_none());
    }

    #[test]
    fn every_key_opens_and_the_current_one_seals() {
        let (old, both, new) = (under(&["old"]), under(&["new", "old"]), under(&["new"]));
        for sealed in [old.seal("a", b"hush"), sealed_before("old", "a", b"hush")] {
            assert_eq!(both.open("a", &sealed).unwrap().as_slice(), b"hush");
            assert_eq!(both.under("a", &sealed), Under::Known(KeyId::of("old")));
            assert!(new.open("a", &sealed).is_none());
            let again = both.reseal("a", &sealed).unwrap();
            assert_eq!(new.open("a", &again).unwrap().as_slice(), b"hush");
            assert_eq!(both.reseal("a", &again), None, "once");
            assert_eq!(new.reseal("a", &sealed), None, "it cannot be opened");
        }
        assert_eq!(
            new.under("a", &old.seal("a", b"x")),
            Under::Unknown(KeyId::of("old"))
        );
        assert_eq!(new.under("a", &sealed_before("old", "a", b"x")), Under::Nothing);
        // What is from before there were ids gets one, also under the same key.
        let before = sealed_before("new", "a", b"hush");
        let again = new.reseal("a", &before).unwrap();
        assert_eq!(new.under("a", &again), Under::Known(KeyId::of("new")));
    }

    #[test]
    fn a_key_that_is_listed_twice_is_one() {
        let secrets = under(&["a", "b", "a"]);
        assert_eq!(secrets.known().count(), 2);
    }
}
