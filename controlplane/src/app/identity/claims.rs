//! From what a provider says of somebody to who they are, and whether they may come in. Pure.

use super::groups;
use ccag_admin_api::ProviderRules;
use ccag_domain::{Code, Problem};
use serde_json::{Map, Value};

/// The claims that a name is taken from, where the provider's rules name none.
const NAMES: [&str; 5] = ["email", "preferred_username", "upn", "name", "sub"];

/// The longest text that is taken from a claim, in characters.
const MAX_TEXT: usize = 200;

/// The most groups that are looked at.
const MAX_GROUPS: usize = 2_000;

/// Somebody, as a provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Who they are to the provider, for good.
    pub(super) subject: String,
    /// What to call them here.
    pub(super) username: String,
    /// Their e-mail address, if the provider stands by it.
    pub(super) email: Option<String>,
    /// Their name, for people.
    pub(super) display_name: Option<String>,
    /// Their groups; `None` if the provider says nothing of groups.
    pub(super) groups: Option<Vec<String>>,
}

/// A claim by its name, or by a path such as `realm_access.roles`.
fn claim<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(found) = claims.get(name) {
        return Some(found).filter(|value| !value.is_null());
    }
    let (first, rest) = name.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}

fn text(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let value = claim(claims, name)?.as_str()?.trim();
    let usable =
        !value.is_empty() && value.chars().count() <= MAX_TEXT && !value.chars().any(char::is_control);
    usable.then(|| value.to_owned())
}

/// Whether the rules leave anything to groups.
pub(super) fn needs_groups(rules: &ProviderRules) -> bool {
    !rules.allowed_groups.is_empty() || !rules.group_mappings.is_empty()
}

/// Whether what is there suffices, or the provider has to be asked for more.
pub(super) fn is_enough(rules: &ProviderRules, claims: &Map<String, Value>) -> bool {
    let email = rules.email_claim.as_deref().unwrap_or("email");
    let groups = rules.groups_claim.as_deref().unwrap_or("groups");
    let has = |name: &str| claim(claims, name).is_some();
    has(email)
        && (!needs_groups(rules) || has(groups))
        && rules.user_claim.as_deref().is_none_or(has)
        && (has("name") || has("given_name"))
}

/// Whether the provider says that the groups are too many to be named (Microsoft Entra ID, "Groups overage claim").
fn has_too_many_groups(claims: &Map<String, Value>, name: &str) -> bool {
    claims.get("hasgroups").and_then(Value::as_bool) == Some(true)
        || claims
            .get("_claim_names")
            .and_then(Value::as_object)
            .is_some_and(|names| names.contains_key(name))
}

impl Person {
    /// Reads the claims of a token that has been verified.
    ///
    /// # Errors
    /// [`Code::Forbidden`] if there is nothing to call somebody, or the rules leave something to groups that cannot be told.
    pub(super) fn read(rules: &ProviderRules, claims: &Map<String, Value>) -> Result<Self, Problem> {
        let subject =
            text(claims, "sub").ok_or_else(|| refused("The provider does not say who you are (`sub`)."))?;
        let username = match rules.user_claim.as_deref() {
            Some(name) => text(claims, name).ok_or_else(|| {
                refused(&format!(
                    "The provider does not send the claim `{name}`, which users are named after here."
                ))
            })?,
            None => NAMES
                .iter()
                .find_map(|name| text(claims, name))
                .unwrap_or_else(|| subject.clone()),
        };
        let groups_claim = rules.groups_claim.as_deref().unwrap_or("groups");
        let groups = claim(claims, groups_claim).map(named_groups);
        if groups.is_none() && needs_groups(rules) && has_too_many_groups(claims, groups_claim) {
            return Err(refused(
                "You are in more groups than the provider can name, so it cannot be told what you may do here. Let the \
                 provider send only the groups that are assigned to this application.",
            ));
        }
        let given = || {
            let parts = [text(claims, "given_name"), text(claims, "family_name")];
            let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            (!name.is_empty()).then_some(name)
        };
        Ok(Self {
            subject,
            username,
            email: email(rules, claims),
            display_name: text(claims, "name").or_else(given),
            groups,
        })
    }

    /// Whether the rules let somebody in.
    ///
    /// # Errors
    /// [`Code::Forbidden`], with what is missing.
    pub(super) fn check(&self, rules: &ProviderRules) -> Result<(), Problem> {
        if !rules.allowed_domains.is_empty() {
            let domain = self.email.as_deref().and_then(|email| email.rsplit_once('@'));
            let Some((_, domain)) = domain else {
                return Err(refused(
                    "The provider does not say an e-mail address of yours that is verified, and only some domains may sign in \
                     here.",
                ));
            };
            let allowed = |named: &String| named.trim_start_matches('@').eq_ignore_ascii_case(domain);
            if !rules.allowed_domains.iter().any(allowed) {
                return Err(refused(&format!(
                    "E-mail addresses of {domain} may not sign in here. Use the account that you have at work."
                )));
            }
        }
        if !rules.allowed_groups.is_empty()
            && !groups::any_of(self.groups.as_deref().unwrap_or_default(), &rules.allowed_groups)
        {
            return Err(refused(
                "You are in none of the groups that may sign in here. Ask your administrator to be added to one.",
            ));
        }
        Ok(())
    }
}

/// The e-mail address, unless the provider says that it is not verified. Providers for one organisation often say nothing of
/// that; whether that suffices is for the rules to say.
fn email(rules: &ProviderRules, claims: &Map<String, Value>) -> Option<String> {
    let said = match claim(claims, "email_verified") {
        Some(Value::Bool(verified)) => Some(*verified),
        Some(Value::String(text)) => Some(text.eq_ignore_ascii_case("true")),
        _ => None,
    };
    let stands = said.unwrap_or(!rules.require_verified_email);
    let address = text(claims, rules.email_claim.as_deref().unwrap_or("email"))?;
    (stands && address.contains('@')).then_some(address)
}

fn named_groups(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .take(MAX_GROUPS)
            .map(str::to_owned)
            .collect(),
        Value::String(one) if !one.is_empty() => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn refused(message: &str) -> Problem {
    Problem::new(Code::Forbidden, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn read(rules: &ProviderRules, value: Value) -> Result<Person, Problem> {
        Person::read(rules, &claims(value))
    }

    #[test]
    fn a_person_is_named_after_the_first_claim_that_is_there() {
        let rules = ProviderRules::default();
        let entra =
            json!({"sub": "x1", "preferred_username": "ada@corp.example", "name": "Ada L", "upn": "a"});
        let person = read(&rules, entra).unwrap();
        assert_eq!(person.username, "ada@corp.example");
        assert_eq!((person.email, person.groups), (None, None));
        assert_eq!(read(&rules, json!({"sub": "only"})).unwrap().username, "only");
        assert!(read(&rules, json!({"name": "nobody"})).is_err());
    }

    #[test]
    fn claims_are_found_along_paths_and_a_name_with_dots_counts_first() {
        let rules = ProviderRules {
            groups_claim: Some("realm_access.roles".into()),
            user_claim: Some("https://corp.example/name".into()),
            ..ProviderRules::default()
        };
        let keycloak = json!({
            "sub": "1", "https://corp.example/name": "ada", "realm_access": {"roles": ["a", 5, "b"]}
        });
        let person = read(&rules, keycloak).unwrap();
        assert_eq!(person.username, "ada");
        assert_eq!(person.groups, Some(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn an_address_that_is_not_verified_is_none() {
        let mut rules = ProviderRules::default();
        let said = |verified: Value| json!({"sub": "1", "email": "a@b.example", "email_verified": verified});
        assert!(read(&rules, said(json!(true))).unwrap().email.is_some());
        assert!(read(&rules, said(json!("true"))).unwrap().email.is_some());
        assert!(read(&rules, said(json!(false))).unwrap().email.is_none());
        assert!(read(&rules, said(Value::Null)).unwrap().email.is_some());
        rules.require_verified_email = true;
        assert!(read(&rules, said(Value::Null)).unwrap().email.is_none());
    }

    #[test]
    fn domains_and_groups_decide_who_may_come_in() {
        let rules = ProviderRules {
            allowed_domains: vec!["Corp.example".into()],
            allowed_groups: vec!["claude".into()],
            ..ProviderRules::default()
        };
        let person = |email: &str, groups: Value| {
            read(&rules, json!({"sub": "1", "email": email, "groups": groups})).unwrap()
        };
        assert!(person("a@corp.EXAMPLE", json!(["/Claude"])).check(&rules).is_ok());
        assert!(
            person("a@sub.corp.example", json!(["claude"]))
                .check(&rules)
                .is_err()
        );
        assert!(person("a@corp.example", json!([])).check(&rules).is_err());
        assert!(person("nonsense", json!(["claude"])).check(&rules).is_err());
    }

    #[test]
    fn too_many_groups_to_name_are_not_none() {
        let rules = ProviderRules {
            allowed_groups: vec!["claude".into()],
            ..ProviderRules::default()
        };
        let overage = json!({"sub": "1", "_claim_names": {"groups": "src1"}});
        let problem = read(&rules, overage.clone()).unwrap_err();
        assert!(problem.message.contains("more groups"), "{}", problem.message);
        assert!(read(&ProviderRules::default(), overage).is_ok());
    }
}
