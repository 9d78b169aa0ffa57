//! Ids that providers know from the existing gateway: UUIDs, of which ours are made (see [`crate::app::import`]).

use crate::app::import;
use ccag_domain::ids::bits_of;
use ccag_scim::Kind;

/// The id here of what a provider names; a UUID is one of the existing gateway.
pub(crate) fn ours(kind: Kind, id: &str) -> String {
    let prefix = match kind {
        Kind::User => "user_",
        Kind::Group => "grp_",
    };
    let is_uuid = id.len() == 36 && id.bytes().filter(|b| *b == b'-').count() == 4;
    let known = is_uuid.then(|| import::id(prefix, id)).flatten();
    known.unwrap_or_else(|| id.to_owned())
}

/// The UUID that a user had in the existing gateway, if they come from there.
pub(crate) fn theirs(id: &str) -> Option<String> {
    let bits = bits_of(id.strip_prefix("user_")?)?;
    let digits = format!("{bits:032x}");
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default().to_owned();
    Some([part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_ours_and_everything_else_is_as_it_was() {
        let uuid = "30000000-0000-4000-8000-00000000abcd";
        let id = ours(Kind::User, uuid);
        assert!(id.starts_with("user_") && id.len() == 31, "{id}");
        assert_eq!(theirs(&id).as_deref(), Some(uuid));
        assert_eq!(ours(Kind::User, &id), id);
        assert_eq!(ours(Kind::Group, "x"), "x");
        assert!(ours(Kind::Group, uuid).starts_with("grp_"));
        assert_eq!(theirs("user_1"), None);
    }
}
