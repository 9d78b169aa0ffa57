//! What is looked at before a provider is stored.

use crate::app::validate;
use crate::store::Tx;
use ccag_admin_api::ProviderRules;
use ccag_domain::{Code, Problem};
use url::{Host, Url};

/// The longest address and list.
const MAX_URL: usize = 1_000;
const MAX_LIST: usize = 500;

/// The rules as they are stored; everything in them is looked at.
///
/// # Errors
/// [`Code::InvalidRequest`].
pub(super) async fn checked(tx: &Tx, mut rules: ProviderRules) -> Result<ProviderRules, Problem> {
    let lists = [
        ("rules.scopes", &mut rules.scopes),
        ("rules.allowed_domains", &mut rules.allowed_domains),
        ("rules.allowed_groups", &mut rules.allowed_groups),
    ];
    for (field, list) in lists {
        if list.len() > MAX_LIST {
            return Err(invalid(field, format!("A list has at most {MAX_LIST} entries.")));
        }
        for entry in list.iter_mut() {
            *entry = validate::name(field, entry)?;
        }
    }
    for (field, claim) in [
        ("rules.user_claim", &mut rules.user_claim),
        ("rules.email_claim", &mut rules.email_claim),
        ("rules.groups_claim", &mut rules.groups_claim),
    ] {
        *claim = match claim
            .take()
            .map(|text| validate::optional_name(field, &text))
            .transpose()?
        {
            Some(text) if text.is_empty() => None,
            other => other,
        };
    }
    rules.jwks_url = match rules.jwks_url.take().filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(secure_url("rules.jwks_url", &text)?.into()),
        None => None,
    };
    if rules.group_mappings.len() > MAX_LIST {
        let message = format!("There are at most {MAX_LIST} mappings of groups.");
        return Err(invalid("rules.group_mappings", message));
    }
    let mut teams: Vec<_> = rules.default_team_id.iter().collect();
    teams.extend(
        rules
            .group_mappings
            .iter()
            .filter_map(|mapping| mapping.team_id.as_ref()),
    );
    for team in teams {
        if tx.find_team(team.as_str()).await?.is_none() {
            return Err(invalid("rules", format!("There is no team `{team}`.")));
        }
    }
    for mapping in &mut rules.group_mappings {
        mapping.group = validate::name("rules.group_mappings", &mapping.group)?;
        if mapping.role.is_none() && mapping.team_id.is_none() {
            let message = format!("The group `{}` gives neither a role nor a team.", mapping.group);
            return Err(invalid("rules.group_mappings", message));
        }
    }
    Ok(rules)
}

/// An issuer exactly as its tokens say it, which may end with a slash or not.
pub(super) fn issuer(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let bare = text
        .strip_suffix("/.well-known/openid-configuration")
        .unwrap_or(text);
    let url = secure_url("issuer_url", bare)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(
            "issuer_url",
            "An issuer has no query and no fragment.".to_owned(),
        ));
    }
    Ok(bare.to_owned())
}

fn secure_url(field: &str, text: &str) -> Result<Url, Problem> {
    let url = Url::parse(text.trim())
        .ok()
        .filter(|url| url.has_host() && text.len() <= MAX_URL)
        .ok_or_else(|| {
            invalid(
                field,
                "This is not a web address, such as https://login.example.com".to_owned(),
            )
        })?;
    if url.scheme() == "https" || (url.scheme() == "http" && is_local(url.as_str())) {
        return Ok(url);
    }
    Err(invalid(
        field,
        "An identity provider is asked over https only, except on this machine.".to_owned(),
    ))
}

/// Whether an address is on this machine.
pub(super) fn is_local(url: &str) -> bool {
    let url = Url::parse(url).ok();
    match url.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

pub(super) fn invalid(field: &str, message: String) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}
