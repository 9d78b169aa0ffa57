//! The fields of a destination of notifications.

use crate::form::{Choice, Field};
use crate::part::field::{Ask, checkbox, input, select, textarea, yes_box};
use ccag_domain::{Category, DestinationKind};
use leptos::prelude::*;

const NAME: Ask = Ask::line("name", "Name", "For people, here and in the history.", true, 0);
const TEAM: Ask = Ask::line(
    "team",
    "Team",
    "The name of a team, to be told of what is about that team alone. Empty: of the whole organisation.",
    false,
    0,
);
const URL: Ask = Ask::line(
    "url",
    "Address",
    "https://, where events are posted to.",
    true,
    2_000,
);
const SIGNING_SECRET: Ask = Ask::line(
    "signing_secret",
    "Signing secret",
    "whsec_ and 24 to 64 bytes in Base64. Empty: the one that there is stays, or one is made and shown once.",
    false,
    200,
);
const SLACK_URL: Ask = Ask::line(
    "slack_url",
    "Address of the incoming webhook",
    "https://hooks.slack.com/services/… It is a secret. Empty: the one that there is stays.",
    false,
    2_000,
);
const ARN: Ask = Ask::line("arn", "ARN", "Of the topic, or of the event bus.", true, 2_000);
const ROLE_ARN: Ask = Ask::line("role_arn", "Role to assume", "Its ARN.", false, 2_000);
const EXTERNAL_ID: Ask = Ask::line(
    "external_id",
    "External id",
    "What the role's trust policy asks for.",
    false,
    1_224,
);
const ACCESS_KEY_ID: Ask = Ask::line(
    "access_key_id",
    "Access key id",
    "Empty: what the gateway finds for itself, or the key that there is.",
    false,
    200,
);
const SECRET_ACCESS_KEY: Ask = Ask::line("secret_access_key", "Secret access key", "", false, 200);
const HOST: Ask = Ask::line("host", "Mail server", "Its name.", true, 253);
const PORT: Ask = Ask::line("port", "Port", "Empty: the usual one.", false, 5);
const SECURITY: Ask = Ask::line("security", "Protection", "", false, 0);
const USERNAME: Ask = Ask::line(
    "username",
    "User name",
    "To sign in to the mail server. Empty: without signing in.",
    false,
    0,
);
const PASSWORD_OF_SERVER: Ask = Ask::line(
    "password",
    "Password",
    "Empty: the one that there is stays.",
    false,
    0,
);
const FROM: Ask = Ask::line(
    "from",
    "From",
    "ccag@example.com or CCAG <ccag@example.com>.",
    true,
    0,
);
const TO: Ask = Ask::line("to", "To", "One address a line.", true, 8_000);

const CA_CERTIFICATES: Ask = Ask::line(
    "ca_certificates",
    "Certificates of authorities",
    "In PEM, whom to trust besides those that the machine trusts: for a mail server with a certificate of your own authority.",
    false,
    100_000,
);

/// What a destination is called and told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationAbout {
    /// Its name.
    pub name: Field,
    /// The team, by name.
    pub team: Field,
    /// The names of the categories that are ticked.
    pub categories: Vec<String>,
    /// What is wrong with them.
    pub categories_error: Field,
    /// Whether it is told anything.
    pub enabled: bool,
}

/// How a destination is to be reached, as it stands in the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestinationWay {
    /// Where events are posted to.
    pub url: Field,
    /// What signatures are made with.
    pub signing_secret: Field,
    /// The address of Slack's webhook.
    pub slack_url: Field,
    /// The topic or the event bus.
    pub arn: Field,
    /// The role.
    pub role_arn: Field,
    /// What its trust policy asks for.
    pub external_id: Field,
    /// The access key.
    pub access_key_id: Field,
    /// Its secret.
    pub secret_access_key: Field,
    /// The mail server.
    pub host: Field,
    /// Its port.
    pub port: Field,
    /// How the connection is protected.
    pub security: Field,
    /// As whom to sign in.
    pub username: Field,
    /// With which password.
    pub password: Field,
    /// From whom the mails are.
    pub from: Field,
    /// To whom they go.
    pub to: Field,
    /// Whom to trust besides those that the machine trusts.
    pub ca_certificates: Field,
    /// Whether it may be in a private network.
    pub allow_private_address: bool,
}

impl DestinationWay {
    pub(super) fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "url" => &mut self.url,
            "signing_secret" => &mut self.signing_secret,
            "slack_url" => &mut self.slack_url,
            "arn" => &mut self.arn,
            "role_arn" => &mut self.role_arn,
            "external_id" => &mut self.external_id,
            "access_key_id" => &mut self.access_key_id,
            "secret_access_key" => &mut self.secret_access_key,
            "host" => &mut self.host,
            "port" => &mut self.port,
            "security" => &mut self.security,
            "username" => &mut self.username,
            "password" => &mut self.password,
            "from" => &mut self.from,
            "to" => &mut self.to,
            "ca_certificates" => &mut self.ca_certificates,
            _ => return None,
        })
    }

    pub(super) fn fields(&self, kind: DestinationKind) -> Vec<(&'static Ask, &Field)> {
        match kind {
            DestinationKind::Webhook => vec![(&URL, &self.url), (&SIGNING_SECRET, &self.signing_secret)],
            DestinationKind::Slack => vec![(&SLACK_URL, &self.slack_url)],
            DestinationKind::Sns | DestinationKind::EventBridge => vec![
                (&ARN, &self.arn),
                (&ROLE_ARN, &self.role_arn),
                (&EXTERNAL_ID, &self.external_id),
                (&ACCESS_KEY_ID, &self.access_key_id),
                (&SECRET_ACCESS_KEY, &self.secret_access_key),
            ],
            DestinationKind::Smtp => vec![
                (&HOST, &self.host),
                (&PORT, &self.port),
                (&SECURITY, &self.security),
                (&USERNAME, &self.username),
                (&PASSWORD_OF_SERVER, &self.password),
                (&FROM, &self.from),
                (&TO, &self.to),
                (&CA_CERTIFICATES, &self.ca_certificates),
            ],
        }
    }

    /// `all`: whether the viewer may set up whatever there is.
    pub(super) fn inputs(&self, kind: DestinationKind, all: bool) -> AnyView {
        let securities = [
            Choice::new("starttls", "STARTTLS"),
            Choice::new("tls", "TLS from the beginning"),
            Choice::new("none", "none: a server on this machine or in one's own network"),
        ];
        let one = |(ask, field): (&'static Ask, &Field)| match ask.name {
            "security" => select(*ask, field, &securities),
            "to" | "ca_certificates" => textarea(*ask, field, 4),
            _ => input(*ask, field, &[]),
        };
        let inputs = self.fields(kind).into_iter().map(one).collect_view();
        let may_be_private = all && !matches!(kind, DestinationKind::Sns | DestinationKind::EventBridge);
        let private = may_be_private.then(|| {
            yes_box(
                "allow_private_address",
                "It may be in a private network",
                "Otherwise private addresses, and names that lead to them, are refused.",
                self.allow_private_address,
            )
        });
        view! { {inputs} {private} }.into_any()
    }
}

impl DestinationAbout {
    pub(super) fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "name" => &mut self.name,
            "team_id" => &mut self.team,
            "categories" => &mut self.categories_error,
            _ => return None,
        })
    }

    /// `all`: whether the viewer may choose whose events it gets. A team's destination is told only of what can be about a team.
    pub(super) fn inputs(&self, all: bool) -> AnyView {
        let offered = Category::ALL.iter().filter(move |one| all || one.is_of_teams());
        let boxes = offered.map(|category| {
            let name = category.as_str();
            let on = self.categories.iter().any(|ticked| ticked == name);
            checkbox(
                format!("category-{name}"),
                "category",
                name.to_owned(),
                category.title().to_owned(),
                String::new(),
                on,
            )
        });
        let error = self
            .categories_error
            .error
            .clone()
            .map(|error| view! { <p class="field-error" id="categories-error">{error}</p> });
        let described = error.is_some().then_some("categories-error");
        view! {
            {input(NAME, &self.name, &[])}
            {all.then(|| input(TEAM, &self.team, &[]))}
            <fieldset aria-describedby=described>
                <legend>"Told of"</legend>
                {error}
                {boxes.collect_view()}
            </fieldset>
        }
        .into_any()
    }

    pub(super) fn fields(&self) -> Vec<(&'static Ask, &Field)> {
        vec![(&NAME, &self.name), (&TEAM, &self.team)]
    }
}
