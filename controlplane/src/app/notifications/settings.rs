//! How destinations are reached: what was entered, checked; and what is stored, opened.

use crate::app::validate_aws;
use crate::secrets::{Secrets, name};
use crate::store::StoreError;
use crate::store::entity::notification_destination as row;
use crate::store::rows::read;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ccag_admin_api::{DestinationSettings, DestinationSpec, Secret};
use ccag_domain::{Code, DestinationKind, MailSecurity, Problem, Rng};
use ccag_search::guard::{Reach, check_url};
use zeroize::Zeroizing;

/// The longest text of any field, in characters.
const MAX_TEXT: usize = 2_000;

/// The most mailboxes of a destination.
const MAX_MAILBOXES: usize = 50;

/// What the secret of a webhook begins with (Standard Webhooks, "Signature scheme").
pub(super) const SECRET_PREFIX: &str = "whsec_";

/// What is secret of how a destination is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Hidden {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signing_secret: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) slack_url: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_key_id: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_access_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Secret>,
}

/// How a destination is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) settings: DestinationSettings,
    pub(super) hidden: Hidden,
}

impl Way {
    /// One that has no secrets.
    pub(super) fn new(kind: DestinationKind) -> Self {
        Self {
            settings: DestinationSettings {
                kind,
                url: None,
                arn: None,
                role_arn: None,
                external_id: None,
                access_key_id_ends: None,
                host: None,
                port: None,
                security: None,
                username: None,
                from: None,
                to: Vec::new(),
                ca_certificates: None,
                allow_private_address: false,
            },
            hidden: Hidden::default(),
        }
    }

    /// How far requests may reach.
    pub(super) const fn reach(&self) -> Reach {
        if self.settings.allow_private_address {
            Reach::Private
        } else {
            Reach::Public
        }
    }
}

/// Reads settings.
pub(super) fn settings(text: Option<&str>) -> Result<Option<DestinationSettings>, StoreError> {
    text.map(|text| {
        read(
            "notification_destinations",
            "settings",
            serde_json::from_str(text).ok(),
        )
    })
    .transpose()
}

/// How a destination is reached that is in force; `None` if it is not.
pub(super) fn active(secrets: &Secrets, row: &row::Model) -> Result<Option<Way>, StoreError> {
    open(
        secrets,
        row.active.as_deref(),
        row.active_secrets.as_deref(),
        &name::destination(&row.id),
    )
}

/// How a destination is to be reached.
pub(super) fn draft(secrets: &Secrets, row: &row::Model) -> Result<Option<Way>, StoreError> {
    open(
        secrets,
        row.draft.as_deref(),
        row.draft_secrets.as_deref(),
        &name::destination_draft(&row.id),
    )
}

fn open(
    secrets: &Secrets,
    text: Option<&str>,
    sealed: Option<&str>,
    what: &str,
) -> Result<Option<Way>, StoreError> {
    let Some(settings) = settings(text)? else {
        return Ok(None);
    };
    let hidden = match sealed {
        None => Hidden::default(),
        Some(sealed) => {
            let opened = secrets.open(what, sealed);
            let read_hidden = opened.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            read("notification_destinations", "secrets", read_hidden)?
        }
    };
    Ok(Some(Way { settings, hidden }))
}

/// Writes how a destination is to be reached.
pub(super) fn put_draft(secrets: &Secrets, row: &mut row::Model, way: &Way) {
    row.draft = serde_json::to_string(&way.settings).ok();
    row.draft_secrets = seal(secrets, &name::destination_draft(&row.id), &way.hidden);
}

/// Puts a draft into force.
pub(super) fn put_active(secrets: &Secrets, row: &mut row::Model, way: &Way) {
    row.active = serde_json::to_string(&way.settings).ok();
    row.active_secrets = seal(secrets, &name::destination(&row.id), &way.hidden);
    row.draft = None;
    row.draft_secrets = None;
}

fn seal(secrets: &Secrets, what: &str, hidden: &Hidden) -> Option<String> {
    if *hidden == Hidden::default() {
        return None;
    }
    let bytes = Zeroizing::new(serde_json::to_vec(hidden).ok()?);
    Some(secrets.seal(what, &bytes))
}

pub(super) fn invalid(field: &str, message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// What was entered, with the secrets that are stored where it gives none.
pub(super) fn complete(spec: DestinationSpec, stored: Option<Way>) -> Result<Way, Problem> {
    let kind = spec.kind.ok_or_else(|| {
        let kinds: Vec<&str> = DestinationKind::ALL.iter().map(|kind| kind.as_str()).collect();
        invalid("kind", format!("Say what it is: one of {}.", kinds.join(", ")))
    })?;
    let stored = stored.filter(|stored| stored.settings.kind == kind);
    let mut way = Way::new(kind);
    way.settings.allow_private_address = spec.allow_private_address == Some(true);
    match kind {
        DestinationKind::Webhook => webhook(&mut way, spec, stored)?,
        DestinationKind::Slack => slack(&mut way, spec, stored)?,
        DestinationKind::Sns | DestinationKind::EventBridge => aws(&mut way, spec, stored)?,
        DestinationKind::Smtp => smtp(&mut way, spec, stored)?,
    }
    Ok(way)
}

fn filled(field: &'static str, text: Option<String>) -> Result<Option<String>, Problem> {
    let text = text
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) => Err(invalid(
            field,
            format!("`{field}` is longer than {MAX_TEXT} characters or holds a line break."),
        )),
        text => Ok(text),
    }
}

fn secret(field: &'static str, text: Option<Secret>) -> Result<Option<Secret>, Problem> {
    Ok(filled(field, text.map(|text| text.reveal().to_owned()))?.map(Secret::new))
}

fn needed<T>(field: &'static str, value: Option<T>, message: &str) -> Result<T, Problem> {
    value.ok_or_else(|| invalid(field, message))
}

/// Checks an address that requests will be sent to.
fn checked(field: &'static str, url: &str, way: &Way) -> Result<(), Problem> {
    let checked = check_url(url, way.reach()).map_err(|failure| {
        let message = match failure {
            ccag_search::Failure::PrivateAddress => {
                "The address is in a private network or on this machine. If that is meant, allow private addresses for \
                 this destination."
                    .to_owned()
            }
            other => format!("This cannot be used: {other}."),
        };
        invalid(field, message)
    })?;
    if checked.scheme() != "https" && !way.settings.allow_private_address {
        return Err(invalid(
            field,
            "The address must begin with https://. Plain http:// is for destinations whose private address is allowed.",
        ));
    }
    Ok(())
}

fn webhook(way: &mut Way, spec: DestinationSpec, stored: Option<Way>) -> Result<(), Problem> {
    let url = needed(
        "url",
        filled("url", spec.url)?,
        "A webhook needs the address that it is posted to.",
    )?;
    checked("url", &url, way)?;
    let entered = secret("signing_secret", spec.signing_secret)?;
    if let Some(secret) = &entered {
        signing_key(secret).ok_or_else(|| {
            invalid(
                "signing_secret",
                "A secret is `whsec_` followed by 24 to 64 bytes in Base64. Leave it empty to have one made.",
            )
        })?;
    }
    way.hidden.signing_secret = entered.or_else(|| {
        stored
            .filter(|stored| stored.settings.url.as_ref() == Some(&url))
            .and_then(|stored| stored.hidden.signing_secret)
    });
    way.settings.url = Some(url);
    Ok(())
}

/// The key in a webhook's secret.
pub(super) fn signing_key(secret: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.reveal().strip_prefix(SECRET_PREFIX)?;
    let key = Zeroizing::new(STANDARD.decode(text).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

/// A new secret for a webhook.
pub(super) fn make_signing_secret(rng: &dyn Rng) -> Secret {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill(&mut *key);
    Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(*key)))
}

fn slack(way: &mut Way, spec: DestinationSpec, stored: Option<Way>) -> Result<(), Problem> {
    let entered = secret("slack_url", spec.slack_url)?;
    let url = entered.or_else(|| stored.and_then(|stored| stored.hidden.slack_url));
    let url = needed(
        "slack_url",
        url,
        "Slack needs the address of an incoming webhook: https://hooks.slack.com/services/…",
    )?;
    checked("slack_url", url.reveal(), way)?;
    way.hidden.slack_url = Some(url);
    Ok(())
}

fn aws(way: &mut Way, spec: DestinationSpec, stored: Option<Way>) -> Result<(), Problem> {
    let kind = way.settings.kind;
    way.settings.allow_private_address = false;
    let (service, example) = match kind {
        DestinationKind::Sns => ("sns", "arn:aws:sns:eu-central-1:111122223333:ccag"),
        _ => (
            "events",
            "arn:aws:events:eu-central-1:111122223333:event-bus/default",
        ),
    };
    let message = format!("{} needs an ARN, such as `{example}`.", kind.title());
    let arn = needed("arn", filled("arn", spec.arn)?, &message)?;
    let arn_region = Arn::read(&arn, service)
        .ok_or_else(|| invalid("arn", &message))?
        .region
        .to_owned();
    let role_arn = filled("role_arn", spec.role_arn)?;
    if let Some(role) = &role_arn {
        validate_aws::role_arn(role, Some(&arn_region))?;
    }
    let external_id = filled("external_id", spec.external_id)?;
    if let Some(id) = &external_id {
        validate_aws::external_id(id, role_arn.as_deref())?;
    }
    let id = secret("access_key_id", spec.access_key_id)?;
    let key = secret("secret_access_key", spec.secret_access_key)?;
    let kept = stored.filter(|stored| stored.settings.arn.as_ref() == Some(&arn));
    match (id, key) {
        (Some(id), Some(key)) => {
            let text = id.reveal();
            let ends = text.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
            way.settings.access_key_id_ends = Some(text[ends..].to_owned());
            way.hidden.access_key_id = Some(id);
            way.hidden.secret_access_key = Some(key);
        }
        (None, None) => {
            if let Some(kept) = kept {
                way.settings.access_key_id_ends = kept.settings.access_key_id_ends;
                way.hidden = kept.hidden;
            }
        }
        (None, Some(_)) => {
            return Err(invalid(
                "access_key_id",
                "The secret needs the access key id that it belongs to.",
            ));
        }
        (Some(_), None) => {
            return Err(invalid(
                "secret_access_key",
                "The access key id needs its secret.",
            ));
        }
    }
    way.settings.arn = Some(arn);
    way.settings.role_arn = role_arn;
    way.settings.external_id = external_id;
    Ok(())
}

/// The parts of an ARN that matter.
pub(super) struct Arn<'a> {
    pub(super) region: &'a str,
}

impl<'a> Arn<'a> {
    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
    pub(super) fn read(text: &'a str, service: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, of, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        let named = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let sound = arn == "arn"
            && partition.starts_with("aws")
            && named(partition)
            && of == service
            && named(region)
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && !resource.is_empty()
            && !resource.contains(char::is_whitespace)
            && (service != "events" || resource.starts_with("event-bus/"));
        sound.then_some(Self { region })
    }
}

fn smtp(way: &mut Way, spec: DestinationSpec, stored: Option<Way>) -> Result<(), Problem> {
    let host = needed(
        "host",
        filled("host", spec.host)?,
        "E-mail needs the name of a mail server.",
    )?;
    let is_host = host
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'_'));
    if !is_host || host.len() > 253 {
        return Err(invalid(
            "host",
            "This is not the name of a server: give it without scheme, port and path.",
        ));
    }
    if let Ok(address) = host.parse()
        && !way.reach().admits(address)
    {
        return Err(invalid(
            "host",
            "The server is in a private network or on this machine. If that is meant, allow private addresses for this \
             destination.",
        ));
    }
    let security = spec.security.unwrap_or_default();
    let username = filled("username", spec.username)?;
    let password = match secret("password", spec.password)? {
        Some(password) => Some(password),
        None => stored
            .filter(|stored| {
                stored.settings.host.as_ref() == Some(&host) && stored.settings.username == username
            })
            .and_then(|stored| stored.hidden.password),
    };
    if username.is_some() && password.is_none() {
        return Err(invalid(
            "password",
            "Signing in to the mail server takes a password.",
        ));
    }
    if username.is_some() && security == MailSecurity::None {
        return Err(invalid(
            "security",
            "A password is not sent over a connection that is not protected: choose `starttls` or `tls`.",
        ));
    }
    let from = needed(
        "from",
        filled("from", spec.from)?,
        "E-mail needs an address that the mails are from.",
    )?;
    let to: Vec<String> = spec
        .to
        .unwrap_or_default()
        .into_iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    if to.is_empty() || to.len() > MAX_MAILBOXES {
        return Err(invalid(
            "to",
            format!("E-mail goes to 1 to {MAX_MAILBOXES} addresses."),
        ));
    }
    super::send::smtp::mailbox(&from).map_err(|_| invalid("from", not_a_mailbox(&from)))?;
    for one in &to {
        super::send::smtp::mailbox(one).map_err(|_| invalid("to", not_a_mailbox(one)))?;
    }
    way.hidden.password = password.filter(|_| username.is_some());
    way.settings.host = Some(host);
    way.settings.port = Some(spec.port.unwrap_or(match security {
        MailSecurity::StartTls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::None => 25,
    }));
    way.settings.security = Some(security);
    way.settings.ca_certificates = super::send::smtp::authorities(spec.ca_certificates)
        .map_err(|message| invalid("ca_certificates", message))?;
    way.settings.username = username;
    way.settings.from = Some(from);
    way.settings.to = to;
    Ok(())
}

fn not_a_mailbox(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    format!("`{shown}` is not an e-mail address: `ops@example.com` or `Ops <ops@example.com>`.")
}

/// What `BUDGET_NOTIFICATION_URL` says, as the CCAG of before read it: a web address, a topic or an event bus.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn of_environment(text: &str) -> Result<(), Problem> {
    way_of_environment(text).map(|_| ())
}

pub(super) fn way_of_environment(text: &str) -> Result<Way, Problem> {
    let kind = if text.starts_with("arn:") && text.contains(":sns:") {
        DestinationKind::Sns
    } else if text.starts_with("arn:") {
        DestinationKind::EventBridge
    } else {
        DestinationKind::Webhook
    };
    let text = Some(text.to_owned());
    let spec = match kind {
        DestinationKind::Webhook => DestinationSpec {
            kind: Some(kind),
            url: text,
            // Whoever sets the variable is who runs the gateway.
            allow_private_address: Some(true),
            ..DestinationSpec::default()
        },
        _ => DestinationSpec {
            kind: Some(kind),
            arn: text,
            ..DestinationSpec::default()
        },
    };
    complete(spec, None)
}
