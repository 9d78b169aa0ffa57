//! What the form for an endpoint asks about its credentials, and about what AWS is told and asked for.

use crate::form::{Choice, Field};
use crate::part::field::{Ask, input, select, yes_box};
use ccag_domain::{CredentialKind, ServiceTier, SessionTags};
use leptos::prelude::*;

/// What the form holds. Secrets are empty: those that are stored are never shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessForm {
    /// The kind of the credentials; empty is the data planes' own.
    pub kind: Field,
    /// The access key id.
    pub access_key_id: Field,
    /// Its secret.
    pub secret_access_key: Field,
    /// The token of a temporary one.
    pub session_token: Field,
    /// The name of a profile.
    pub profile: Field,
    /// The Bedrock API key.
    pub api_key: Field,
    /// By whom AWS splits its bill; empty is nobody.
    pub session_tags: Field,
    /// The service tier; empty asks for none.
    pub service_tier: Field,
    /// Whether Bedrock is told whose request it is.
    pub request_metadata: bool,
    /// What is stored, in words: “the access key that ends in WXYZ, set on …”.
    pub stored: Option<String>,
}

impl AccessForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "credentials.kind" => &mut self.kind,
            "credentials.access_key_id" => &mut self.access_key_id,
            "credentials.secret_access_key" => &mut self.secret_access_key,
            "credentials.session_token" => &mut self.session_token,
            "credentials.profile" => &mut self.profile,
            "credentials.api_key" => &mut self.api_key,
            "session_tags" => &mut self.session_tags,
            "service_tier" => &mut self.service_tier,
            _ => return None,
        })
    }

    /// The fields that can be wrong.
    pub(super) fn fields(&self) -> [(&'static Ask, &Field); 8] {
        [
            (&KIND, &self.kind),
            (&KEY_ID, &self.access_key_id),
            (&SECRET, &self.secret_access_key),
            (&TOKEN, &self.session_token),
            (&PROFILE, &self.profile),
            (&API_KEY, &self.api_key),
            (&TAGS, &self.session_tags),
            (&TIER, &self.service_tier),
        ]
    }

    /// The inputs for credentials.
    pub(super) fn credentials(&self) -> AnyView {
        let stored = self.stored.as_ref().map(|text| {
            let text =
                format!("Stored: {text}. Leave the secrets empty to keep it; it is not shown any more.");
            view! { <p class="quiet-note">{text}</p> }
        });
        view! {
            {select(KIND, &self.kind, &kinds())}
            {stored}
            {input(KEY_ID, &self.access_key_id, &[])}
            {input(SECRET, &self.secret_access_key, &[])}
            {input(TOKEN, &self.session_token, &[])}
            {input(PROFILE, &self.profile, &[])}
            {input(API_KEY, &self.api_key, &[])}
        }
        .into_any()
    }

    /// The inputs for what AWS is told and asked for.
    pub(super) fn requests(&self) -> AnyView {
        view! {
            {select(TAGS, &self.session_tags, &tags())}
            {select(TIER, &self.service_tier, &tiers())}
            {yes_box(
                "request_metadata",
                "Tell Bedrock whose request it is",
                "The ids of team, user and key go into Bedrock's invocation log. Only through the lane InvokeModel.",
                self.request_metadata,
            )}
        }
        .into_any()
    }
}

const fn password(ask: Ask) -> Ask {
    Ask {
        kind: "password",
        autocomplete: "new-password",
        ..ask
    }
}

const KIND: Ask = Ask::line(
    "credentials_kind",
    "Credentials",
    "What requests are signed with, and what the role is assumed with.",
    false,
    0,
);
const KEY_ID: Ask = Ask::line(
    "access_key_id",
    "Access key id",
    "Only for an access key of its own.",
    false,
    128,
);
const SECRET: Ask = password(Ask::line(
    "secret_access_key",
    "Secret access key",
    "Sealed under the master key, and not shown any more once it is saved.",
    false,
    8_000,
));
const TOKEN: Ask = password(Ask::line(
    "session_token",
    "Session token",
    "Only if the access key is a temporary one, whose id begins with ASIA.",
    false,
    8_000,
));
const PROFILE: Ask = Ask::line(
    "profile",
    "Profile",
    "Only for a profile: its name in the AWS configuration files of every data plane and of the control plane.",
    false,
    200,
);
const API_KEY: Ask = password(Ask::line(
    "api_key",
    "Bedrock API key",
    "Only for an API key. A role cannot be assumed with it.",
    false,
    8_000,
));
const TAGS: Ask = Ask::line(
    "session_tags",
    "Split AWS's bill",
    "The role is assumed once for each, with session tags, which its trust policy must allow (sts:TagSession).",
    false,
    0,
);
const TIER: Ask = Ask::line(
    "service_tier",
    "Service tier",
    "What Bedrock is asked for. The ledger prices every tier as the default one.",
    false,
    0,
);

fn kinds() -> Vec<Choice> {
    CredentialKind::ALL
        .iter()
        .map(|kind| {
            let label = match kind {
                CredentialKind::Process => "The data planes' own",
                CredentialKind::Keys => "An access key",
                CredentialKind::Profile => "A profile of the AWS configuration files",
                CredentialKind::ApiKey => "A Bedrock API key",
            };
            Choice::new(kind.as_str(), label)
        })
        .collect()
}

fn tags() -> Vec<Choice> {
    SessionTags::ALL
        .iter()
        .map(|tags| {
            let label = match tags {
                SessionTags::Off => "By nobody",
                SessionTags::Team => "By team",
                SessionTags::User => "By user and team",
                SessionTags::Key => "By key, user and team",
            };
            Choice::new(tags.as_str(), label)
        })
        .collect()
}

fn tiers() -> Vec<Choice> {
    let named = ServiceTier::ALL.iter().map(|tier| {
        let label = match tier {
            ServiceTier::Default => "Default",
            ServiceTier::Priority => "Priority",
            ServiceTier::Flex => "Flex",
            ServiceTier::Reserved => "Reserved, then default",
        };
        Choice::new(tier.as_str(), label)
    });
    [Choice::new("", "None is asked for")]
        .into_iter()
        .chain(named)
        .collect()
}
