//! With what an endpoint is called: what was entered, checked, with what is stored where a secret was not entered again.

use super::super::{App, validate_aws};
use super::network;
use crate::store::access::{OpenAccess, open, put, put_credentials};
use crate::store::entity::endpoint;
use ccag_admin_api::{CredentialSpec, Patch, Secret};
use ccag_domain::{
    AccessKeys, Code, CredentialKind, CredentialSource, Problem, ServiceSecret, ServiceTier, SessionTags,
};

/// The most characters of a secret: session tokens and Bedrock API keys have up to some thousands.
const MAX_SECRET: usize = 8_000;

/// What is to be. Credentials that are kept are those of the row.
pub(super) struct Wish {
    pub(super) credentials: Patch<CredentialSpec>,
    pub(super) session_tags: SessionTags,
    pub(super) service_tier: Option<ServiceTier>,
    pub(super) request_metadata: bool,
    pub(super) network: network::Wish,
}

fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// Writes the wish into the row, whose other fields are those that will be. `urls` are the addresses that it had before.
pub(super) fn edit(
    app: &App,
    mut row: endpoint::Model,
    wish: Wish,
    urls: (Option<String>, Option<String>),
) -> Result<endpoint::Model, Problem> {
    let is_another_way = network::edit(app, &mut row, wish.network)?;
    let stored = open(&row)?;
    let mut open = OpenAccess {
        session_tags: wish.session_tags,
        service_tier: wish.service_tier,
        request_metadata: wish.request_metadata,
        ..stored.clone()
    };
    let entered = match wish.credentials {
        Patch::Keep => None,
        Patch::Clear => Some(CredentialSource::Process),
        Patch::Set(spec) => read(spec, &stored)?,
    };
    match &entered {
        Some(source) => put_credentials(app.store.secrets(), &mut row, &mut open, source, app.now_ms()),
        // A key goes where it was meant for, and not to an address that was entered later.
        None if open.kind == CredentialKind::ApiKey && (is_another_way || is_elsewhere(&row, &urls)) => {
            return Err(invalid(
                "credentials.api_key",
                "Enter the Bedrock API key again: requests that carry it would go to another URL, or another way, than before.",
            ));
        }
        None => {}
    }
    let has_role = validate_aws::filled(row.role_arn.clone()).is_some();
    if has_role && open.kind == CredentialKind::ApiKey {
        return Err(invalid(
            "role_arn",
            "A role cannot be assumed with a Bedrock API key: use an access key or a profile, or leave the role out.",
        ));
    }
    if !has_role && open.session_tags != SessionTags::Off {
        return Err(invalid(
            "session_tags",
            "Session tags need a role: they are given to its sessions. Name a role, or choose `off`.",
        ));
    }
    put(&mut row, &open);
    Ok(row)
}

fn is_elsewhere(row: &endpoint::Model, (runtime, mantle): &(Option<String>, Option<String>)) -> bool {
    let differs = |now: &Option<String>, before: &Option<String>| {
        let now = validate_aws::filled(now.clone());
        now.is_some() && now != *before
    };
    differs(&row.runtime_url, runtime) || differs(&row.mantle_url, mantle)
}

/// The credentials that were entered; `None` if those that are stored stay.
fn read(spec: CredentialSpec, stored: &OpenAccess) -> Result<Option<CredentialSource>, Problem> {
    let kind = spec.kind;
    let wanted = |field: &'static str, value: Option<Secret>| secret(field, value);
    let id = wanted("access_key_id", spec.access_key_id)?;
    let key = wanted("secret_access_key", spec.secret_access_key)?;
    let token = wanted("session_token", spec.session_token)?;
    let api_key = wanted("api_key", spec.api_key)?;
    let profile = validate_aws::filled(spec.profile);
    let given = [
        ("access_key_id", CredentialKind::Keys, id.is_some()),
        ("secret_access_key", CredentialKind::Keys, key.is_some()),
        ("session_token", CredentialKind::Keys, token.is_some()),
        ("profile", CredentialKind::Profile, profile.is_some()),
        ("api_key", CredentialKind::ApiKey, api_key.is_some()),
    ];
    if let Some((field, of, _)) = given.iter().find(|(_, of, given)| *given && *of != kind) {
        return Err(invalid(
            &format!("credentials.{field}"),
            format!(
                "This belongs to credentials of the kind `{}`, and `{}` is chosen: leave it out, or choose the other kind.",
                of.as_str(),
                kind.as_str()
            ),
        ));
    }
    let is_kept = stored.kind == kind && stored.set_at_ms.is_some();
    Ok(Some(match kind {
        CredentialKind::Process => CredentialSource::Process,
        CredentialKind::Profile => CredentialSource::Profile(profile_name(profile)?),
        CredentialKind::ApiKey => match api_key {
            None if is_kept => return Ok(None),
            None => {
                return Err(invalid(
                    "credentials.api_key",
                    "Give the Bedrock API key in `api_key`.",
                ));
            }
            some => CredentialSource::ApiKey(some),
        },
        CredentialKind::Keys => match (id, key) {
            (None, None) if is_kept && token.is_none() => return Ok(None),
            (Some(id), Some(secret)) => CredentialSource::Keys(Some(keys(id, secret, token)?)),
            (None, _) => {
                return Err(invalid(
                    "credentials.access_key_id",
                    "Give the access key id in `access_key_id`, together with its secret.",
                ));
            }
            (Some(_), None) => {
                return Err(invalid(
                    "credentials.secret_access_key",
                    "Give the secret of this access key in `secret_access_key`.",
                ));
            }
        },
    }))
}

/// An access key (IAM API reference, "AccessKey": ids have 16 to 128 word characters; temporary ones begin with `ASIA`).
fn keys(
    id: ServiceSecret,
    secret: ServiceSecret,
    session_token: Option<ServiceSecret>,
) -> Result<AccessKeys, Problem> {
    let text = id.reveal();
    let is_id =
        (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_id {
        return Err(invalid(
            "credentials.access_key_id",
            "This is not an access key id, such as `AKIAIOSFODNN7EXAMPLE`.",
        ));
    }
    if text.starts_with("ASIA") && session_token.is_none() {
        return Err(invalid(
            "credentials.session_token",
            "This access key is a temporary one: give its session token, or use a lasting key.",
        ));
    }
    Ok(AccessKeys {
        id,
        secret,
        session_token,
    })
}

fn profile_name(name: Option<String>) -> Result<String, Problem> {
    let fits =
        |name: &String| name.len() <= 200 && !name.chars().any(|c| c.is_control() || matches!(c, '[' | ']'));
    name.filter(fits).ok_or_else(|| {
        invalid(
            "credentials.profile",
            "Give the name of a profile in the AWS configuration files of the machines that the planes run on.",
        )
    })
}

/// A secret as it was entered; an empty one is none.
fn secret(field: &'static str, value: Option<Secret>) -> Result<Option<ServiceSecret>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let text = value.reveal().trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > MAX_SECRET || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(invalid(
            &format!("credentials.{field}"),
            "This has blanks, or characters that AWS uses in no key: was it copied whole, and alone?",
        ));
    }
    Ok(Some(ServiceSecret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(kind: CredentialKind) -> CredentialSpec {
        CredentialSpec {
            kind,
            ..CredentialSpec::default()
        }
    }

    fn refused(spec: CredentialSpec, stored: &OpenAccess) -> String {
        read(spec, stored).unwrap_err().field.unwrap()
    }

    #[test]
    fn what_is_missing_or_does_not_belong_is_named() {
        let none = OpenAccess::default();
        assert_eq!(
            refused(spec(CredentialKind::Keys), &none),
            "credentials.access_key_id"
        );
        assert_eq!(
            refused(spec(CredentialKind::ApiKey), &none),
            "credentials.api_key"
        );
        assert_eq!(
            refused(spec(CredentialKind::Profile), &none),
            "credentials.profile"
        );
        let stray = CredentialSpec {
            api_key: Some(Secret::new("k")),
            ..spec(CredentialKind::Process)
        };
        assert_eq!(refused(stray, &none), "credentials.api_key");
        let with = |id: &str, secret: &str| CredentialSpec {
            access_key_id: Some(Secret::new(id)),
            secret_access_key: Some(Secret::new(secret)),
            ..spec(CredentialKind::Keys)
        };
        assert_eq!(refused(with("AKIA", "s"), &none), "credentials.access_key_id");
        assert_eq!(
            refused(with("AKIAIOSFODNN7EXAMPLE", ""), &none),
            "credentials.secret_access_key"
        );
        assert_eq!(
            refused(with("AKIAIOSFODNN7EXAMPLE", "a b"), &none),
            "credentials.secret_access_key"
        );
        assert_eq!(
            refused(with("ASIAIOSFODNN7EXAMPLE", "s"), &none),
            "credentials.session_token"
        );
        assert!(matches!(
            read(with("AKIAIOSFODNN7EXAMPLE", "s"), &none),
            Ok(Some(CredentialSource::Keys(Some(_))))
        ));
    }

    #[test]
    fn a_kind_without_its_secrets_keeps_those_that_are_stored_of_the_same_kind() {
        let stored = OpenAccess {
            kind: CredentialKind::Keys,
            set_at_ms: Some(1),
            ..OpenAccess::default()
        };
        assert_eq!(read(spec(CredentialKind::Keys), &stored).unwrap(), None);
        assert!(read(spec(CredentialKind::ApiKey), &stored).is_err());
        assert_eq!(
            read(spec(CredentialKind::Process), &stored).unwrap(),
            Some(CredentialSource::Process)
        );
    }
}
