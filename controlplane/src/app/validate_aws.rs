//! Rules about names of things in AWS.

use ccag_admin_api::GuardrailSpec;
use ccag_domain::{Code, Guardrail, Problem};
use url::{Host, Url};

/// The most conversations that an endpoint can get in relation to another one.
const MAX_WEIGHT: u32 = 10_000;

fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// An optional text without blanks around it; an empty one is none.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

/// Refuses what cannot be a region: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`. Which regions there are changes too
/// often to be a list.
pub(super) fn region(text: &str) -> Result<(), Problem> {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_region = match parts.as_slice() {
        [first, middle @ .., number] => {
            (2..=4).contains(&first.len())
                && letters(first)
                && (1..=3).contains(&middle.len())
                && middle.iter().all(letters)
                && (1..=2).contains(&number.len())
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    };
    if is_region && text.len() <= 32 {
        return Ok(());
    }
    Err(invalid(
        "region",
        "`region` is not the name of an AWS region, such as `us-east-1` or `us-gov-west-1`.",
    ))
}

/// The partition that a region belongs to (AWS general reference, "AWS partitions").
fn partition(region: &str) -> &'static str {
    if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else if region.starts_with("cn-") {
        "aws-cn"
    } else {
        "aws"
    }
}

/// Refuses what cannot be a role's ARN (IAM user guide, "IAM identifiers"), and a role of another partition than the region:
/// it could never be assumed.
pub(super) fn role_arn(text: &str, region: Option<&str>) -> Result<(), Problem> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [
        "arn",
        found @ ("aws" | "aws-us-gov" | "aws-cn"),
        "iam",
        "",
        account,
        resource,
    ] = parts.as_slice()
    else {
        return Err(invalid(
            "role_arn",
            "`role_arn` is not the ARN of a role: `arn:aws:iam::111122223333:role/name`, with `aws-us-gov` or `aws-cn` \
             instead of `aws` in those partitions.",
        ));
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if !is_account {
        return Err(invalid(
            "role_arn",
            "The account in `role_arn` must have 12 digits.",
        ));
    }
    let name = resource
        .strip_prefix("role/")
        .and_then(|path| path.rsplit('/').next());
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b);
    let is_role = name.is_some_and(|name| (1..=64).contains(&name.len()))
        && resource.bytes().all(fits)
        && resource.len() <= 600
        && !resource.contains("//");
    if !is_role {
        return Err(invalid(
            "role_arn",
            "`role_arn` does not name a role: after the account comes `role/` and the role's name.",
        ));
    }
    match region {
        Some(region) if partition(region) != *found => Err(invalid(
            "role_arn",
            format!(
                "The role is in the partition `{found}`, but the region `{region}` is in `{}`: the role cannot be used there.",
                partition(region)
            ),
        )),
        _ => Ok(()),
    }
}

/// Refuses what `AssumeRole` would (AWS STS API reference, "AssumeRole": 2 to 1,224 of `[\w+=,.@:\/-]`).
pub(super) fn external_id(text: &str, role: Option<&str>) -> Result<(), Problem> {
    if role.is_none() {
        return Err(invalid(
            "external_id",
            "`external_id` is only used together with `role_arn`: add the role or leave it out.",
        ));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b);
    if (2..=1_224).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(());
    }
    Err(invalid(
        "external_id",
        "`external_id` has 2 to 1,224 characters: letters, digits and `_+=,.@:/-`.",
    ))
}

/// Refuses what is not the base of a URL. Prompts travel there: only loopback may do without TLS.
pub(super) fn base_url(field: &str, text: &str) -> Result<(), Problem> {
    let url = Url::parse(text).map_err(|_| {
        invalid(
            field,
            format!("`{field}` is not a URL such as `https://host.example`."),
        )
    })?;
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    };
    let secure = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if !secure || url.host().is_none() {
        return Err(invalid(
            field,
            format!("`{field}` must be an `https://` URL; `http://` is accepted for this machine only."),
        ));
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(invalid(
            field,
            format!("`{field}` must be a plain base URL, without a user, a password, a query or a fragment."),
        ));
    }
    if text.len() > 500 {
        return Err(invalid(field, format!("`{field}` has more than 500 characters.")));
    }
    Ok(())
}

/// Refuses what cannot be a guardrail: a request with one that Bedrock does not know is refused there.
pub(super) fn guardrail(spec: Option<GuardrailSpec>) -> Result<Option<Guardrail>, Problem> {
    let Some(spec) = spec else { return Ok(None) };
    if !Guardrail::is_id(&spec.id) {
        return Err(invalid(
            "guardrail.id",
            "A guardrail is named by its id, lower-case letters and digits, or by its ARN.",
        ));
    }
    if !Guardrail::is_version(&spec.version) {
        return Err(invalid(
            "guardrail.version",
            "A guardrail's version is `DRAFT` or a number from 1 on.",
        ));
    }
    Ok(Some(spec.into()))
}

/// Refuses an absurd weight.
pub(super) fn weight(weight: u32) -> Result<i64, Problem> {
    if weight > MAX_WEIGHT {
        return Err(invalid(
            "weight",
            format!("`weight` is a number from 0 to {MAX_WEIGHT}."),
        ));
    }
    Ok(i64::from(weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_partition_are_known_by_their_form() {
        for good in [
            "us-east-1",
            "us-gov-west-1",
            "ap-southeast-14",
            "cn-northwest-1",
            "eusc-de-east-1",
            "us-iso-east-1",
        ] {
            assert!(region(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "us",
            "us-east",
            "us-1",
            "US-EAST-1",
            "us-east-1a",
            "us--1",
            "us-east-123",
            "us-east-1.evil.example",
            "us east 1",
        ] {
            assert_eq!(region(bad).unwrap_err().field.as_deref(), Some("region"), "{bad}");
        }
    }

    #[test]
    fn roles_belong_to_the_partition_of_the_region() {
        let role = |p: &str| format!("arn:{p}:iam::111122223333:role/team/ccag");
        assert!(role_arn(&role("aws"), Some("eu-west-1")).is_ok());
        assert!(role_arn(&role("aws-us-gov"), Some("us-gov-east-1")).is_ok());
        assert!(role_arn(&role("aws-cn"), Some("cn-north-1")).is_ok());
        assert!(role_arn(&role("aws-cn"), None).is_ok());
        assert!(role_arn(&role("aws"), Some("us-gov-east-1")).is_err());
        for bad in [
            "",
            "ccag",
            "arn:aws:iam::1111:role/x",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:user/x",
            "arn:aws:iam:us-east-1:111122223333:role/x",
            "arn:aws-mars:iam::111122223333:role/x",
            "arn:aws:iam::111122223333:role/x y",
            "arn:aws:iam::111122223333:role//x",
            "arn:aws:sts::111122223333:role/x",
        ] {
            assert_eq!(
                role_arn(bad, None).unwrap_err().field.as_deref(),
                Some("role_arn"),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_external_id_needs_a_role() {
        assert!(external_id("abc", Some("r")).is_ok());
        assert!(external_id("abc", None).is_err());
        assert!(external_id("a", Some("r")).is_err());
        assert!(external_id("a b", Some("r")).is_err());
    }

    #[test]
    fn prompts_leave_this_machine_over_tls_only() {
        for good in [
            "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            "http://127.0.0.1:4000",
            "http://localhost:4000/",
            "http://[::1]:1",
        ] {
            assert!(base_url("runtime_url", good).is_ok(), "{good}");
        }
        for bad in [
            "http://bedrock.example",
            "ftp://localhost",
            "bedrock",
            "https://user:pw@host.example",
            "https://host.example/?x=1",
            "https://host.example/#x",
            "file:///etc/passwd",
        ] {
            assert!(base_url("runtime_url", bad).is_err(), "{bad}");
        }
    }
}
