//! One endpoint: the form for a new one, or for changing it.

use super::endpoint_access::AccessForm;
use super::endpoint_network::NetworkForm;
use super::endpoints::{state_badge, used_by};
use super::guardrail::{GuardrailForm, guardrail};
use super::{FormPage, Named, Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{card, nothing, page_head, text};
use crate::part::field::{Ask, button_form, edit_form, input, page_link, select, summary, yes_box};
use crate::{PageContext, path};
use ccag_domain::{EndpointState, Geography};
use leptos::prelude::*;

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointForm {
    /// What to call it.
    pub name: Field,
    /// The AWS region.
    pub region: Field,
    /// The role to assume.
    pub role_arn: Field,
    /// What the role asks for besides.
    pub external_id: Field,
    /// The only geography; empty is the closest.
    pub geography: Field,
    /// Instead of the public URL.
    pub runtime_url: Field,
    /// The lanes that it may use, joined by commas; empty is InvokeModel alone.
    pub lanes: Field,
    /// Instead of the public URL of bedrock-mantle.
    pub mantle_url: Field,
    /// What requests must pass.
    pub guardrail: GuardrailForm,
    /// Its credentials, and what AWS is told and asked for.
    pub access: AccessForm,
    /// The way there.
    pub network: NetworkForm,
    /// Its share of the conversations.
    pub weight: Field,
    /// Whether it takes requests.
    pub state: Field,
    /// Whether teams without endpoints of their own use it.
    pub is_default: bool,
}

impl Default for EndpointForm {
    fn default() -> Self {
        Self {
            name: Field::default(),
            region: Field::default(),
            role_arn: Field::default(),
            external_id: Field::default(),
            geography: Field::default(),
            runtime_url: Field::default(),
            lanes: Field::default(),
            mantle_url: Field::default(),
            guardrail: GuardrailForm::default(),
            access: AccessForm::default(),
            network: NetworkForm::default(),
            weight: Field::new("1"),
            state: Field::new(EndpointState::Enabled.as_str()),
            is_default: false,
        }
    }
}

impl EndpointForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "name" => &mut self.name,
            "region" => &mut self.region,
            "role_arn" => &mut self.role_arn,
            "external_id" => &mut self.external_id,
            "geography" => &mut self.geography,
            "runtime_url" => &mut self.runtime_url,
            "lanes" => &mut self.lanes,
            "mantle_url" => &mut self.mantle_url,
            "weight" => &mut self.weight,
            "state" => &mut self.state,
            name => {
                return self
                    .access
                    .field_mut(name)
                    .or_else(|| self.network.field_mut(name))
                    .or_else(|| self.guardrail.field_mut(name));
            }
        })
    }
}

/// The page for one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointPage {
    /// The endpoint that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Its name as it is stored.
    pub name: String,
    /// Whether it takes requests, as it is stored.
    pub state: EndpointState,
    /// Whether it is a default one, as it is stored.
    pub is_default: bool,
    /// The teams that it is assigned to.
    pub teams: Vec<Named>,
    /// What the form holds.
    pub form: EndpointForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const NAME: Ask = Ask::line(
    "name",
    "Name",
    "For people to tell endpoints apart, such as “Europe, shared account”.",
    true,
    200,
);
const REGION: Ask = Ask::line(
    "region",
    "AWS region",
    "Such as eu-west-1. Empty is the region that the data planes are configured with.",
    false,
    32,
);
const ROLE: Ask = Ask::line(
    "role_arn",
    "Role to assume",
    "Such as arn:aws:iam::111122223333:role/ccag. Empty: none, the credentials call for themselves.",
    false,
    700,
);
const EXTERNAL: Ask = Ask::line(
    "external_id",
    "External id",
    "If the role's trust policy asks for one.",
    false,
    1_224,
);
const GEOGRAPHY: Ask = Ask::line(
    "geography",
    "Geography",
    "Where requests may run, and what they cost. The closest is taken in which the model can be had.",
    false,
    0,
);
const URL: Ask = Ask::line(
    "runtime_url",
    "URL of Bedrock Runtime",
    "For a VPC endpoint, for example. Empty is AWS's public URL.",
    false,
    500,
);
const WEIGHT: Ask = Ask::line(
    "weight",
    "Weight",
    "Its share of the conversations in relation to other endpoints. With 0 it only steps in for others.",
    true,
    5,
);

const STATE: Ask = Ask::line(
    "state",
    "State",
    "While it is disabled, teams that have no other endpoint are refused; no other account is used instead. Draining, it goes on with the conversations that it has.",
    true,
    0,
);

const LANES: Ask = Ask::line(
    "lanes",
    "Lanes",
    "How Bedrock is asked. InvokeModel serves everything; the others are tried first, or step in.",
    false,
    0,
);
const MANTLE: Ask = Ask::line(
    "mantle_url",
    "URL of bedrock-mantle",
    "Only for the mantle lane. Empty is AWS's public URL.",
    false,
    500,
);
const GUARDRAIL: Ask =
    guardrail("Its id or ARN. All requests must pass it, unless their team has one of its own.");

/// The orders of lanes that are offered; one that is stored and not among them is offered too.
fn lane_orders(stored: &str) -> Vec<Choice> {
    let mut choices = vec![
        Choice::new("", "InvokeModel alone"),
        Choice::new("messages,invoke-model", "Messages, then InvokeModel"),
        Choice::new("mantle,invoke-model", "Mantle, then InvokeModel"),
        Choice::new("invoke-model,mantle", "InvokeModel, then mantle"),
        Choice::new("messages,mantle,invoke-model", "Messages, mantle, InvokeModel"),
    ];
    if choices.iter().all(|c| c.value != stored) {
        choices.push(Choice::new(stored, stored));
    }
    choices
}

fn states() -> Vec<Choice> {
    EndpointState::ALL
        .iter()
        .map(|state| {
            let label = match state {
                EndpointState::Enabled => "Enabled",
                EndpointState::Draining => "Draining: no new conversations",
                EndpointState::Disabled => "Disabled",
            };
            Choice::new(state.as_str(), label)
        })
        .collect()
}

fn geographies() -> Vec<Choice> {
    let mut choices = vec![Choice::new("", "The closest")];
    choices.extend(
        Geography::WITH_PREFIX
            .into_iter()
            .chain([Geography::InRegion])
            .map(|g| Choice::new(g.as_str(), format!("Only {}", g.as_str()))),
    );
    choices
}

impl FormPage for EndpointPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.form.field_mut(name)
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for EndpointPage {
    fn title(&self) -> String {
        match self.id {
            Some(_) => format!("Endpoint {}", self.name),
            None => "Add an endpoint".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Endpoints)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let (title, lead, actions) = match &self.id {
            Some(id) => {
                let lead =
                    view! { {state_badge(self.state)} " " {used_by(self.is_default, self.teams.len())} };
                let actions = view! {
                    {(!self.is_default).then(|| button_form(context, path::endpoint_default(id), &[], "Make it the only default", &self.name, ""))}
                    {page_link(context, path::endpoint_models(id), "Models", "button")}
                    {page_link(context, path::endpoint_quotas(id), "Quotas", "button")}
                    {page_link(context, path::test_endpoint(id), "Test", "button")}
                    {page_link(context, path::delete_endpoint(id), "Delete…", "button danger")}
                };
                (self.name.clone(), lead.into_any(), actions.into_any())
            }
            None => (
                "Add an endpoint".to_owned(),
                text("An AWS account, a region, and the role to call it with."),
                nothing(),
            ),
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::ENDPOINTS>"Endpoints"</a></nav>
            {page_head(title, lead, actions)}
            {self.form(context)}
            {self.id.is_some().then(|| self.team_list())}
        }
        .into_any()
    }
}

impl EndpointPage {
    fn form(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let fields = [
            (&NAME, &form.name),
            (&REGION, &form.region),
            (&ROLE, &form.role_arn),
            (&EXTERNAL, &form.external_id),
            (&GEOGRAPHY, &form.geography),
            (&URL, &form.runtime_url),
            (&LANES, &form.lanes),
            (&MANTLE, &form.mantle_url),
            (&WEIGHT, &form.weight),
            (&STATE, &form.state),
        ];
        let fields = [
            &fields[..],
            &form.access.fields(),
            &form.network.fields(),
            &form.guardrail.fields(&GUARDRAIL),
        ]
        .concat();
        let (action, button) = match &self.id {
            Some(id) => (path::endpoint(id), "Save"),
            None => (path::ENDPOINTS.to_owned(), "Add the endpoint"),
        };
        let inputs = view! {
                {input(NAME, &form.name, &[])}
                {input(REGION, &form.region, &[])}
                {input(ROLE, &form.role_arn, &[])}
                {input(EXTERNAL, &form.external_id, &[])}
                {form.access.credentials()}
                {select(GEOGRAPHY, &form.geography, &geographies())}
                {input(URL, &form.runtime_url, &[])}
                {form.network.inputs()}
                {select(LANES, &form.lanes, &lane_orders(&form.lanes.value))}
                {input(MANTLE, &form.mantle_url, &[])}
                {form.guardrail.inputs(GUARDRAIL)}
                {form.access.requests()}
                {input(WEIGHT, &form.weight, &[])}
                {select(STATE, &form.state, &states())}
                {yes_box("is_default", "Default", "Teams without endpoints of their own use it, beside the other defaults.", form.is_default)}
        };
        edit_form(
            context,
            action,
            summary(&fields, self.trouble.as_deref()),
            inputs.into_any(),
            button,
            path::ENDPOINTS,
        )
    }

    fn team_list(&self) -> AnyView {
        let body = if self.teams.is_empty() {
            view! { <p class="quiet-note">"It is not assigned to any team."</p> }.into_any()
        } else {
            let items = self
                .teams
                .iter()
                .map(|team| view! { <li><a href=path::team_endpoints(&team.id)>{team.name.clone()}</a></li> })
                .collect_view();
            view! { <ul class="prose">{items}</ul> }.into_any()
        };
        card("teams", "Teams that may use it", nothing(), body)
    }
}
