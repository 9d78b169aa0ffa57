//! Where requests may go and in which order endpoints are tried: of a team, or of everybody whose team says nothing; and
//! where a request would go.

use super::{FormPage, Named, Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{card, facts, nothing, page_head, text};
use crate::part::field::{Ask, edit_form, input, options, select, summary};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::Strategy;
use leptos::prelude::*;

/// What the form holds. In the lists, nothing leaves it to the organisation, and `any` allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutingForm {
    /// The strategy by its name.
    pub strategy: Field,
    /// Models, separated by commas.
    pub models: Field,
    /// Geographies, separated by commas.
    pub geographies: Field,
    /// Regions, separated by commas.
    pub regions: Field,
}

/// The rules that hold, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesInForce {
    /// In which order endpoints are tried.
    pub strategy: Strategy,
    /// The models.
    pub models: String,
    /// The geographies.
    pub geographies: String,
    /// The regions.
    pub regions: String,
}

/// An endpoint that a request would try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriedRow {
    /// Its name.
    pub name: String,
    /// What would be invoked there.
    pub invoked: String,
    /// Where that runs.
    pub geography: String,
    /// How many of a thousand requests or conversations would begin here.
    pub first_permille: u32,
}

/// Where a request for a model would go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteShown {
    /// What would be tried, in order.
    pub tried: Vec<TriedRow>,
    /// The names of all other endpoints, and why they would not be.
    pub left_out: Vec<(String, String)>,
    /// What the caller would be told if there is nowhere to go.
    pub refusal: Option<String>,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutingPage {
    /// The team; `None` for what holds where teams say nothing.
    pub team: Option<Named>,
    /// The team's own endpoints in their order; with none it uses the default ones.
    pub endpoints: Vec<String>,
    /// What holds.
    pub in_force: RulesInForce,
    /// What the form holds.
    pub form: RoutingForm,
    /// The models that there are.
    pub models: Vec<Choice>,
    /// The model whose route is shown.
    pub model: String,
    /// That route.
    pub route: Option<RouteShown>,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const STRATEGY: Ask = Ask::line(
    "strategy",
    "Strategy",
    "In which order endpoints are tried. Everything but a conversation that stays costs cold prompt caches.",
    false,
    0,
);
const MODELS: Ask = Ask::line(
    "models",
    "Models",
    "Names of the models that may be asked for, separated by commas; “any” for all.",
    false,
    4_000,
);
const GEOGRAPHIES: Ask = Ask::line(
    "geographies",
    "Geographies",
    "Where requests may run: eu, us, global, in-region and others, separated by commas; “any” for all. Of an endpoint's inference profiles only these are used.",
    false,
    200,
);
const REGIONS: Ask = Ask::line(
    "regions",
    "Regions",
    "The regions of the endpoints that may be called, such as eu-west-1, or eu- for all that begin so, separated by commas; “any” for all.",
    false,
    2_000,
);

impl FormPage for RoutingPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "strategy" => &mut self.form.strategy,
            "models" => &mut self.form.models,
            "geographies" => &mut self.form.geographies,
            "regions" => &mut self.form.regions,
            _ => return None,
        })
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for RoutingPage {
    fn title(&self) -> String {
        match &self.team {
            Some(team) => format!("Routing of {}", team.name),
            None => "Routing".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(match self.team {
            Some(_) => Section::Teams,
            None => Section::Endpoints,
        })
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let (back, above) = match self.team {
            Some(_) => (path::TEAMS, "Teams"),
            None => (path::ENDPOINTS, "Endpoints"),
        };
        let lead = match self.team {
            Some(_) => {
                "Which endpoints a request of the team may go to, and which of them is tried first. What is left empty the organisation says."
            }
            None => {
                "What holds for teams as far as they say nothing of their own, and for keys without a team."
            }
        };
        let form = &self.form;
        let fields = [
            (&STRATEGY, &form.strategy),
            (&MODELS, &form.models),
            (&GEOGRAPHIES, &form.geographies),
            (&REGIONS, &form.regions),
        ];
        let inputs = view! {
            {select(STRATEGY, &form.strategy, &self.strategies())}
            {input(MODELS, &form.models, &[])}
            {input(GEOGRAPHIES, &form.geographies, &[])}
            {input(REGIONS, &form.regions, &[])}
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=back>{above}</a></nav>
            {page_head(self.title(), text(lead), nothing())}
            {self.held()}
            {edit_form(
                context,
                self.action(),
                summary(&fields, self.trouble.as_deref()),
                inputs.into_any(),
                "Save",
                back,
            )}
            {self.preview()}
        }
        .into_any()
    }
}

impl RoutingPage {
    fn action(&self) -> String {
        match &self.team {
            Some(team) => path::team_routing(&team.id),
            None => path::ROUTING.to_owned(),
        }
    }

    fn strategies(&self) -> Vec<Choice> {
        let unsaid = match self.team {
            Some(_) => "As the organisation says".to_owned(),
            None => format!("{} (nothing is said)", Strategy::default()),
        };
        let named = Strategy::ALL
            .into_iter()
            .map(|one| Choice::new(one.as_str(), format!("{one}: {}", one.told())));
        std::iter::once(Choice::new("", unsaid)).chain(named).collect()
    }

    /// What holds at present.
    fn held(&self) -> AnyView {
        let held = &self.in_force;
        let mut pairs = vec![
            (
                "Strategy",
                text(format!("{}: {}", held.strategy, held.strategy.told())),
            ),
            ("Models", text(held.models.clone())),
            ("Geographies", text(held.geographies.clone())),
            ("Regions", text(held.regions.clone())),
        ];
        if let Some(team) = &self.team {
            let names = match self.endpoints.is_empty() {
                true => "the default ones".to_owned(),
                false => self.endpoints.join(", "),
            };
            let label = format!("Endpoints of {}: {names}", team.name);
            let link = view! { <a href=path::team_endpoints(&team.id) aria-label=label>{names}</a> };
            pairs.push(("Endpoints", link.into_any()));
        }
        card("held", "What holds", nothing(), facts(pairs))
    }

    fn preview(&self) -> AnyView {
        let ask = view! {
            <form method="get" action=self.action() class="filters">
                <div class="field">
                    <label for="model">"Model"</label>
                    <select id="model" name="model">{options(&self.models, &self.model)}</select>
                </div>
                <button type="submit">"Show the route"</button>
            </form>
        };
        let body = view! {
            {ask}
            {self.route.as_ref().map(|route| self.route(route))}
        };
        card(
            "route",
            "Where a request would go",
            text("By what is saved, and as long as every endpoint answers."),
            body.into_any(),
        )
    }

    fn route(&self, route: &RouteShown) -> AnyView {
        let tried = match &route.refusal {
            Some(refusal) => view! { <p>"A request is refused: " {refusal.clone()}</p> }.into_any(),
            None => {
                let columns = vec![
                    Column::text("Tried"),
                    Column::text("Invokes"),
                    Column::text("Geography"),
                    Column::number("Begins here"),
                ];
                let rows = route.tried.iter().map(|one| {
                    let share = format!("{}.{} %", one.first_permille / 10, one.first_permille % 10);
                    view! {
                        <tr>
                            {row_head(text(one.name.clone()))}
                            {cell("Invokes", text(one.invoked.clone()))}
                            {cell("Geography", text(one.geography.clone()))}
                            {number_cell("Begins here", text(share))}
                        </tr>
                    }
                    .into_any()
                });
                table("Endpoints that are tried", columns, rows.collect())
            }
        };
        let left = (!route.left_out.is_empty()).then(|| {
            let rows = route.left_out.iter().map(|(name, why)| {
                view! { <tr>{row_head(text(name.clone()))}{cell("Because", text(why.clone()))}</tr> }
                    .into_any()
            });
            let columns = vec![Column::text("Left out"), Column::text("Because")];
            table("Endpoints that are left out", columns, rows.collect())
        });
        view! { {tried} {left} }.into_any()
    }
}
