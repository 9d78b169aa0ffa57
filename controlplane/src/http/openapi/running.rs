//! Operations about Bedrock, and about running the gateway.

use super::operation::{Operation, delete, get, patch, post, put, under};
use crate::http::capabilities::Which;
use ccag_admin_api::{
    AuditList, AuditVerification, CapabilitiesView, CreateDestination, CreateEndpoint, CreatedDestination,
    DeliveryList, DestinationList, DestinationSpec, DestinationTest, DestinationView, EndpointList,
    EndpointModels, EndpointQuotas, EndpointTest, EndpointView, FleetView, ImportQuery, ImportReport,
    ListAudit, ListDeliveries, ModelList, ModelSpec, ModelView, NameSearchProvider, PinProfile, PinnedList,
    PinnedView, PreviewRoute, PriceList, PriceSpec, PriceView, PricingQuery, PutSearchProvider, ResealReport,
    RoutePreview, RoutingSpec, RoutingView, RuleView, SearchProviderList, SearchTest, SecretsView,
    SetTeamEndpoints, SetWebSearch, StatusView, TeamEndpoints, UpdateDestination, UpdateEndpoint,
    VerifyAudit, WebSearchView, WriteRule, paths,
};
use ccag_domain::{DeliveryId, DestinationId, EndpointId, RuleId, SearchKind, TeamId};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    all.extend(under("Endpoints", endpoints()));
    all.extend(under("Routing", routing()));
    all.extend(under("Models and prices", models()));
    all.extend(under("Capabilities", capabilities()));
    all.extend(under("Web search", web_search()));
    all.extend(under("Notifications", notifications()));
    all.extend(under("Operation", operation()));
    all
}

fn endpoints() -> Vec<Operation> {
    vec![
        get(paths::ENDPOINTS, "listEndpoints", "Lists endpoints.").gives::<EndpointList>(),
        post(
            paths::ENDPOINTS,
            "createEndpoint",
            "Adds an endpoint: an AWS account and region.",
        )
        .takes::<CreateEndpoint>()
        .makes::<EndpointView>(),
        get(paths::ENDPOINT, "showEndpoint", "Shows an endpoint.")
            .of::<EndpointId>()
            .gives::<EndpointView>(),
        patch(paths::ENDPOINT, "updateEndpoint", "Changes an endpoint.")
            .of::<EndpointId>()
            .takes::<UpdateEndpoint>()
            .gives::<EndpointView>(),
        put(
            paths::ENDPOINT,
            "replaceEndpoint",
            "Replaces the settings of an endpoint.",
        )
        .of::<EndpointId>()
        .takes::<CreateEndpoint>()
        .gives::<EndpointView>(),
        delete(paths::ENDPOINT, "deleteEndpoint", "Deletes an endpoint.").of::<EndpointId>(),
        put(
            paths::ENDPOINT_DEFAULT,
            "setDefaultEndpoint",
            "Makes an endpoint the one for teams without any.",
        )
        .of::<EndpointId>()
        .gives::<EndpointView>(),
        get(
            paths::ENDPOINT_MODELS,
            "listEndpointModels",
            "Lists what an endpoint offers, as last found out.",
        )
        .of::<EndpointId>()
        .gives::<EndpointModels>(),
        get(
            paths::ENDPOINT_QUOTAS,
            "listEndpointQuotas",
            "Lists AWS's quotas of an endpoint, and their use.",
        )
        .of::<EndpointId>()
        .gives::<EndpointQuotas>(),
        post(
            paths::ENDPOINT_DISCOVER,
            "discoverEndpoint",
            "Asks AWS what an endpoint offers.",
        )
        .of::<EndpointId>()
        .gives::<EndpointModels>(),
        post(
            paths::ENDPOINT_TEST,
            "testEndpoint",
            "Tries what an endpoint's credentials may do.",
        )
        .of::<EndpointId>()
        .gives::<EndpointTest>(),
        get(
            paths::ENDPOINT_PROFILES,
            "listPinnedProfiles",
            "Lists the inference profiles pinned at an endpoint.",
        )
        .of::<EndpointId>()
        .gives::<PinnedList>(),
        post(
            paths::ENDPOINT_PROFILES,
            "pinProfile",
            "Pins an inference profile for a model at an endpoint.",
        )
        .of::<EndpointId>()
        .takes::<PinProfile>()
        .makes::<PinnedView>(),
        delete(
            paths::ENDPOINT_PROFILE,
            "unpinProfile",
            "Removes a pinned inference profile.",
        )
        .of::<EndpointId>(),
    ]
}

fn routing() -> Vec<Operation> {
    vec![
        get(paths::ROUTING, "showRouting", "Shows how requests are routed.").gives::<RoutingView>(),
        put(paths::ROUTING, "setRouting", "Sets how requests are routed.")
            .takes::<RoutingSpec>()
            .gives::<RoutingView>(),
        get(
            paths::ROUTE_PREVIEW,
            "previewRoute",
            "Says where a request would go.",
        )
        .asks::<PreviewRoute>()
        .gives::<RoutePreview>(),
        get(
            paths::TEAM_ENDPOINTS,
            "listTeamEndpoints",
            "Lists the endpoints that a team may use.",
        )
        .of::<TeamId>()
        .gives::<TeamEndpoints>(),
        put(
            paths::TEAM_ENDPOINTS,
            "setTeamEndpoints",
            "Sets the endpoints that a team may use.",
        )
        .of::<TeamId>()
        .takes::<SetTeamEndpoints>()
        .gives::<TeamEndpoints>(),
        get(
            paths::TEAM_ROUTING,
            "showTeamRouting",
            "Shows how a team's requests are routed.",
        )
        .of::<TeamId>()
        .gives::<RoutingView>(),
        put(
            paths::TEAM_ROUTING,
            "setTeamRouting",
            "Sets how a team's requests are routed.",
        )
        .of::<TeamId>()
        .takes::<RoutingSpec>()
        .gives::<RoutingView>(),
        get(
            paths::TEAM_ROUTE_PREVIEW,
            "previewTeamRoute",
            "Says where a team's request would go.",
        )
        .of::<TeamId>()
        .asks::<PreviewRoute>()
        .gives::<RoutePreview>(),
    ]
}

fn models() -> Vec<Operation> {
    vec![
        get(paths::MODELS, "listModels", "Lists models.").gives::<ModelList>(),
        post(paths::MODELS, "createModel", "Adds a model.")
            .takes::<ModelSpec>()
            .makes::<ModelView>(),
        get(paths::MODEL, "showModel", "Shows a model.").gives::<ModelView>(),
        put(paths::MODEL, "replaceModel", "Replaces a model.")
            .takes::<ModelSpec>()
            .gives::<ModelView>(),
        delete(
            paths::MODEL,
            "deleteModel",
            "Takes a model out of the catalogue: requests for it are refused.",
        ),
        get(paths::PRICING, "listPrices", "Lists prices.")
            .asks::<PricingQuery>()
            .gives::<PriceList>(),
        put(paths::PRICE, "setPrice", "Sets a model's price from now on.")
            .takes::<PriceSpec>()
            .gives::<PriceView>(),
        delete(
            paths::PRICE,
            "resetPrice",
            "Takes a model's price away; one that was shipped comes back.",
        ),
        post(
            paths::PRICING_IMPORT,
            "importPrices",
            "Takes prices from AWS's price list of a region, up to 128 MiB.",
        )
        .asks::<ImportQuery>()
        .takes_media(&["application/octet-stream"])
        .gives::<ImportReport>(),
    ]
}

fn capabilities() -> Vec<Operation> {
    vec![
        get(
            paths::CAPABILITIES,
            "showCapabilities",
            "Shows the rules of what Bedrock takes, and what was learnt.",
        )
        .gives::<CapabilitiesView>(),
        get(
            paths::CAPABILITY_BOOK,
            "showCapabilityBook",
            "Shows one version of the rules as a whole.",
        )
        .asks::<Which>()
        .gives_any_json(),
        post(paths::CAPABILITY_RULES, "createRule", "Adds a rule of one's own.")
            .takes::<WriteRule>()
            .makes::<RuleView>(),
        put(
            paths::CAPABILITY_RULE,
            "replaceRule",
            "Replaces a rule of one's own.",
        )
        .of::<RuleId>()
        .takes::<WriteRule>()
        .gives::<RuleView>(),
        delete(
            paths::CAPABILITY_RULE,
            "deleteRule",
            "Deletes a rule of one's own.",
        )
        .of::<RuleId>(),
        delete(
            paths::LEARNT_FACT,
            "forgetFact",
            "Forgets something that was learnt from a refusal.",
        ),
    ]
}

fn web_search() -> Vec<Operation> {
    vec![
        get(
            paths::WEB_SEARCH,
            "showWebSearch",
            "Shows the rules of web search.",
        )
        .gives::<WebSearchView>(),
        put(paths::WEB_SEARCH, "setWebSearch", "Sets the rules of web search.")
            .takes::<SetWebSearch>()
            .gives::<WebSearchView>(),
        post(
            paths::WEB_SEARCH_TEST,
            "testWebSearch",
            "Tries the search service for everybody.",
        )
        .gives::<SearchTest>(),
        get(
            paths::SEARCH_PROVIDERS,
            "listSearchServices",
            "Lists one's own search services.",
        )
        .gives::<SearchProviderList>(),
        put(
            paths::SEARCH_PROVIDERS,
            "setSearchService",
            "Adds or changes a search service of one's own.",
        )
        .takes::<PutSearchProvider>()
        .gives::<SearchProviderList>(),
        post(
            paths::SEARCH_PROVIDER_ACTIVATE,
            "activateSearchService",
            "Chooses which of one's services searches.",
        )
        .takes::<NameSearchProvider>()
        .gives::<SearchProviderList>(),
        post(
            paths::SEARCH_PROVIDER_TEST,
            "testSearchService",
            "Tries a search service of one's own.",
        )
        .takes::<NameSearchProvider>()
        .gives::<SearchTest>(),
        delete(
            paths::SEARCH_PROVIDER,
            "deleteSearchService",
            "Removes a search service of one's own.",
        )
        .of::<SearchKind>(),
    ]
}

fn notifications() -> Vec<Operation> {
    vec![
        get(
            paths::DESTINATIONS,
            "listDestinations",
            "Lists the destinations of notifications.",
        )
        .gives::<DestinationList>(),
        post(
            paths::DESTINATIONS,
            "createDestination",
            "Makes a destination, as a draft.",
        )
        .takes::<CreateDestination>()
        .makes::<CreatedDestination>(),
        get(paths::DESTINATION, "showDestination", "Shows a destination.")
            .of::<DestinationId>()
            .gives::<DestinationView>(),
        put(
            paths::DESTINATION,
            "updateDestination",
            "Changes a destination's name, team, categories and state.",
        )
        .of::<DestinationId>()
        .takes::<UpdateDestination>()
        .gives::<DestinationView>(),
        delete(paths::DESTINATION, "deleteDestination", "Deletes a destination.").of::<DestinationId>(),
        put(
            paths::DESTINATION_DRAFT,
            "draftDestination",
            "Drafts new settings of a destination.",
        )
        .of::<DestinationId>()
        .takes::<DestinationSpec>()
        .gives::<CreatedDestination>(),
        delete(
            paths::DESTINATION_DRAFT,
            "discardDraft",
            "Discards the draft of a destination.",
        )
        .of::<DestinationId>()
        .gives::<DestinationView>(),
        post(
            paths::DESTINATION_TEST,
            "testDestination",
            "Sends a test to a destination, by its draft if it has one.",
        )
        .of::<DestinationId>()
        .gives::<DestinationTest>(),
        post(
            paths::DESTINATION_ACTIVATE,
            "activateDestination",
            "Lets a tested draft of a destination hold.",
        )
        .of::<DestinationId>()
        .gives::<DestinationView>(),
        get(
            paths::DELIVERIES,
            "listDeliveries",
            "Lists what became of notifications, the newest first.",
        )
        .asks::<ListDeliveries>()
        .gives::<DeliveryList>(),
        post(
            paths::DELIVERY_RESEND,
            "resendDelivery",
            "Sends a notification again.",
        )
        .of::<DeliveryId>(),
    ]
}

fn operation() -> Vec<Operation> {
    vec![
        get(
            "/health",
            "showHealth",
            "Says whether the control plane is up, and whether its database answers.",
        )
        .gives_any_json(),
        get(paths::OPENAPI, "showOpenApi", "This document.").gives_any_json(),
        get(
            paths::FLEET,
            "showFleet",
            "Shows the data planes: which run, and how far they have come.",
        )
        .gives::<FleetView>(),
        get(
            paths::STATUS,
            "showStatus",
            "Says how the gateway is, in numbers.",
        )
        .gives::<StatusView>(),
        get(
            paths::SECRETS,
            "showSecrets",
            "Shows under which master keys secrets are kept.",
        )
        .gives::<SecretsView>(),
        post(
            paths::SECRETS_RESEAL,
            "resealSecrets",
            "Seals secrets anew under the present master key.",
        )
        .gives::<ResealReport>(),
        get(
            paths::AUDIT,
            "listAudit",
            "Lists who changed what, the newest first.",
        )
        .asks::<ListAudit>()
        .gives::<AuditList>(),
        get(
            paths::AUDIT_VERIFY,
            "verifyAudit",
            "Says whether the audit log was tampered with.",
        )
        .asks::<VerifyAudit>()
        .gives::<AuditVerification>(),
    ]
}
