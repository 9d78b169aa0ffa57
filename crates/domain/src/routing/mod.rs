//! Which endpoints a request tries, for what, and in which order: decided without shared state, from the request and the
//! configuration alone. See `docs/routing.md` and ADR 16.

mod order;
mod policy;
#[cfg(test)]
mod tests;

pub use order::drained_last;
pub use policy::{RegionPattern, RoutingPolicy, Strategy};

use crate::named::named;
use crate::{BedrockModel, Code, Endpoint, EndpointId, Geography, Lane, Lanes, Model, ModelName, Problem};

/// How many names a message lists.
const MOST_NAMED: usize = 12;

/// When whoever finds no endpoint may try again, in seconds.
const TRY_AGAIN_S: u32 = 30;

/// One attempt of a route: this endpoint, asked for this model through this lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The endpoint, with the lanes that the request may take there.
    pub endpoint: Endpoint,
    /// What it is asked for.
    pub model: BedrockModel,
    /// The lane that it is asked through: [`Rules::plan`] says the one that serves everything, the data plane chooses.
    pub lane: Lane,
}

/// What holds for the requests of one team: which endpoints are its own, and what its policy and the organisation's say
/// together. See [`Rules::of`].
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    own: &'a [EndpointId],
    strategy: Strategy,
    models: &'a [ModelName],
    geographies: &'a [Geography],
    regions: &'a [RegionPattern],
    home_region: &'a str,
}

/// What a route is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The model.
    pub model: &'a Model,
    /// What sticks: the session, or what the conversation began with.
    pub conversation: &'a str,
    /// The id of the request, for strategies by which nothing sticks.
    pub request: &'a str,
}

named! {
    /// Why an endpoint is not asked. The later, the closer it was to serving: what comes later was asked only of those that
    /// passed what comes before.
    #[derive(PartialOrd, Ord)]
    Exclusion {
        /// The team has no endpoints of its own, and this is no default one.
        NotDefault = "not_default",
        /// It is not one of the team's own.
        NotAssigned = "not_assigned",
        /// Its region is none of those that the team's requests may go to.
        RegionNotAllowed = "region_not_allowed",
        /// It does not offer the model.
        ModelNotOffered = "model_not_offered",
        /// It offers the model, but by no profile of a geography that the team's requests may run in.
        GeographyNotAllowed = "geography_not_allowed",
        /// It would serve, but is switched off.
        Disabled = "disabled",
    }
}

impl Exclusion {
    /// The same for people.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::NotDefault => "no default endpoint, and the team has none of its own",
            Self::NotAssigned => "not one of the team's own",
            Self::RegionNotAllowed => "its region is not allowed",
            Self::ModelNotOffered => "does not offer the model",
            Self::GeographyNotAllowed => "offers the model only in geographies that are not allowed",
            Self::Disabled => "disabled",
        }
    }

    /// Whether it is about the endpoint itself, and not about whose it is.
    #[must_use]
    pub const fn is_of_the_pool(self) -> bool {
        !matches!(self, Self::NotDefault | Self::NotAssigned)
    }
}

/// An endpoint that a request does not try, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Why.
    pub why: Exclusion,
}

/// Where a request may go: what is tried, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<'a> {
    /// What is tried, in this order.
    pub candidates: Vec<Candidate>,
    /// All other endpoints that there are; those that the team might have used come first.
    pub left_out: Vec<LeftOut<'a>>,
}

impl<'r> Rules<'r> {
    /// The strategy in force.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The models that may be asked for; empty means all.
    #[must_use]
    pub fn models(&self) -> &'r [ModelName] {
        self.models
    }

    /// The geographies that may be used; empty means all.
    #[must_use]
    pub fn geographies(&self) -> &'r [Geography] {
        self.geographies
    }

    /// The regions that may be called; empty means all.
    #[must_use]
    pub fn regions(&self) -> &'r [RegionPattern] {
        self.regions
    }

    /// Whether the endpoints are the team's own, and not the default ones.
    #[must_use]
    pub fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether a model may be asked for.
    #[must_use]
    pub fn allows(&self, model: &ModelName) -> bool {
        self.models.is_empty() || self.models.contains(model)
    }

    /// Whether some endpoint would be asked for the model now.
    pub fn serves<'e>(&self, model: &Model, mut endpoints: impl Iterator<Item = &'e Endpoint>) -> bool {
        self.allows(&model.name) && endpoints.any(|endpoint| self.assess(endpoint, model).is_ok())
    }

    /// What an endpoint is asked for, or why it is not.
    ///
    /// # Errors
    /// The first reason that holds.
    pub fn assess(&self, endpoint: &Endpoint, model: &Model) -> Result<BedrockModel, Exclusion> {
        let is_in_pool = if self.has_own() {
            self.own.contains(&endpoint.id)
        } else {
            endpoint.is_default
        };
        if !is_in_pool {
            return Err(match self.has_own() {
                true => Exclusion::NotAssigned,
                false => Exclusion::NotDefault,
            });
        }
        let region = self.region_of(endpoint);
        if !self.regions.is_empty() && !self.regions.iter().any(|allowed| allowed.matches(region)) {
            return Err(Exclusion::RegionNotAllowed);
        }
        let Some(invoked) = endpoint.invocable_within(model, self.home_region, self.geographies) else {
            let elsewhere = endpoint.invocable(model, self.home_region).is_some();
            return Err(match elsewhere {
                true => Exclusion::GeographyNotAllowed,
                false => Exclusion::ModelNotOffered,
            });
        };
        if endpoint.enabled {
            Ok(invoked)
        } else {
            Err(Exclusion::Disabled)
        }
    }

    /// Where a request may go, and in which order it is tried. `throttled` says how often an endpoint has throttled lately;
    /// only [`Strategy::LeastThrottled`] asks.
    pub fn plan<'e>(
        &self,
        ask: &Ask<'_>,
        endpoints: impl Iterator<Item = &'e Endpoint>,
        throttled: &dyn Fn(&Endpoint) -> u32,
    ) -> Plan<'e> {
        let mut candidates = Vec::new();
        let mut left_out = Vec::new();
        for endpoint in endpoints {
            match self.assess(endpoint, ask.model) {
                Ok(model) => candidates.push(Candidate {
                    endpoint: self.with_lanes(endpoint),
                    model,
                    lane: Lane::InvokeModel,
                }),
                Err(why) => left_out.push(LeftOut { endpoint, why }),
            }
        }
        order::order(self.strategy, &mut candidates, self.own, ask, throttled);
        left_out.sort_by_key(|one| !one.why.is_of_the_pool());
        Plan { candidates, left_out }
    }

    /// The endpoint without lanes that would lead out of the allowed geographies.
    fn with_lanes(&self, endpoint: &Endpoint) -> Endpoint {
        let mut endpoint = endpoint.clone();
        let runs_in = Geography::of_mantle(self.region_of(&endpoint));
        let allowed = self.geographies.is_empty() || self.geographies.contains(&runs_in);
        if !allowed && endpoint.lanes.contains(Lane::Mantle) {
            let kept = endpoint.lanes.as_slice().iter().copied();
            endpoint.lanes = Lanes::new(kept.filter(|lane| *lane != Lane::Mantle));
        }
        endpoint
    }

    fn region_of<'s>(&'s self, endpoint: &'s Endpoint) -> &'s str {
        endpoint.region.as_deref().unwrap_or(self.home_region)
    }

    /// Refuses a model that may not be asked for.
    ///
    /// # Errors
    /// [`Code::PolicyBlocked`], with the models that may.
    pub fn check_model(&self, model: &ModelName) -> Result<(), Problem> {
        if self.allows(model) {
            return Ok(());
        }
        if self.models.iter().all(|name| name.as_str().is_empty()) {
            // See `RoutingPolicy::sealed`.
            let message = "this gateway cannot read the rules for where requests may go, and sends none without them; \
                           an administrator can set them again";
            return Err(Problem::new(Code::Overloaded, message).retry_after(TRY_AGAIN_S));
        }
        let message = format!(
            "model: {model} is not among the models that you may use here: {}. Choose one of them, or ask an administrator.",
            named(self.models)
        );
        Err(Problem::new(Code::PolicyBlocked, message).field("model"))
    }

    /// Refuses a request that has nowhere to go, with what decided: what stood in the way of the endpoint that was closest to
    /// serving. It names no endpoint, since callers are not told of accounts.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where an administrator can mend it at any time, [`Code::PolicyBlocked`] where a constraint
    /// decided, [`Code::NotFound`] where nobody offers the model.
    pub fn check_plan(&self, plan: &Plan<'_>, model: &ModelName) -> Result<(), Problem> {
        if !plan.candidates.is_empty() {
            return Ok(());
        }
        let of_pool = plan.left_out.iter().map(|one| one.why);
        let closest = of_pool.filter(|why| why.is_of_the_pool()).max();
        let whose = if self.has_own() {
            "assigned to your team"
        } else {
            "that are there for everybody"
        };
        Err(match closest {
            None if self.has_own() => unavailable(format!("none of the endpoints {whose} is there any more")),
            None => unavailable("there is no default endpoint".to_owned()),
            Some(Exclusion::Disabled) => unavailable(format!(
                "the endpoints {whose} and could serve {model} are disabled"
            )),
            Some(Exclusion::GeographyNotAllowed) => blocked(format!(
                "model: {model} is not to be had in the geographies that your requests may run in ({}). Choose another \
                 model, or ask an administrator.",
                named(self.geographies)
            )),
            Some(Exclusion::RegionNotAllowed) => blocked(format!(
                "model: none of the endpoints {whose} is in a region that your requests may go to ({}). Ask an administrator.",
                named(self.regions)
            )),
            Some(_) => Problem::new(
                Code::NotFound,
                format!("model: {model} is not offered by the endpoints that you may use"),
            )
            .field("model"),
        })
    }
}

fn unavailable(what: String) -> Problem {
    let message =
        format!("{what}, and another account is never used instead; an administrator can enable one");
    Problem::new(Code::Overloaded, message).retry_after(TRY_AGAIN_S)
}

fn blocked(message: String) -> Problem {
    Problem::new(Code::PolicyBlocked, message).field("model")
}

/// Some names, and how many more.
fn named<T: std::fmt::Display>(all: &[T]) -> String {
    let mut names: Vec<String> = all.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if all.len() > MOST_NAMED {
        names.push(format!("and {} more", all.len() - MOST_NAMED));
    }
    names.join(", ")
}
