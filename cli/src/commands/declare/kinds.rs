//! What can be declared: for each section of the file, how its objects are told apart, made, changed and taken away.

use super::document::Item;
use super::words::{comparable, nulls_gone, to_ids, to_names};
use super::world::World;
use ccag_admin_api::{
    CreateBudget, CreateEndpoint, CreateLimit, CreateUser, SetSessionBreaker, SetTeamEndpoints, SetWebSearch,
    SignInSettings, UpdateTeam, WritePolicy, WriteProvider, paths,
};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One section of the file.
pub(super) struct Kind {
    /// Its name.
    pub(super) section: &'static str,
    /// What one object is called.
    pub(super) one: &'static str,
    /// Where objects are made, and where one is.
    pub(super) all: &'static str,
    pub(super) at: &'static str,
    /// How one is changed, and whether only what changes is sent.
    pub(super) method: Method,
    pub(super) in_parts: bool,
    /// The fields by which an object is recognised.
    pub(super) identity: &'static [&'static str],
    /// The fields that can be declared, beside the identity and the extras.
    pub(super) fields: &'static [&'static str],
    /// Those that cannot be changed.
    pub(super) fixed: &'static [&'static str],
    /// The only fields that are sent when one is made; all if empty.
    pub(super) made_with: &'static [&'static str],
    /// Fields that have an address of their own.
    pub(super) extras: &'static [Extra],
    /// Whether `--prune` takes away what the file does not name.
    pub(super) can_be_pruned: bool,
    /// Holds what is sent against the API's own shape.
    check: fn(Value) -> Result<Value, String>,
}

/// A field that is set by itself.
pub(super) struct Extra {
    pub(super) field: &'static str,
    /// Where it is, what it is set with, and, if it can be taken away, how.
    pub(super) path: fn(&Value) -> &'static str,
    pub(super) method: Method,
    /// What is sent; `None` if nothing is.
    pub(super) body: fn(&Value) -> Option<Value>,
    pub(super) cleared_by: Option<Method>,
    check: fn(Value) -> Result<Value, String>,
}

fn shaped<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(value).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

fn account_state(value: Value) -> Result<Value, String> {
    match value.as_str() {
        Some("active" | "suspended") => Ok(value),
        _ => Err("`state` is `active` or `suspended`".to_owned()),
    }
}

fn team_endpoints(list: Value) -> Result<Value, String> {
    let mut list = list;
    // The order of the list counts where no priority is given.
    for (place, one) in list.as_array_mut().into_iter().flatten().enumerate() {
        if let Some(one) = one.as_object_mut() {
            one.entry("priority").or_insert_with(|| json!(place));
        }
    }
    let whole = shaped::<SetTeamEndpoints>(json!({ "endpoints": list }))?;
    let mut list = whole["endpoints"].clone();
    if let Some(list) = list.as_array_mut() {
        list.sort_by_key(|one| one["priority"].as_u64());
    }
    Ok(list)
}

/// All sections, in the order in which what is in them can be made.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        section: "endpoints",
        one: "endpoint",
        all: paths::ENDPOINTS,
        at: paths::ENDPOINT,
        method: Method::PATCH,
        in_parts: true,
        identity: &["name"],
        fields: &[
            "region",
            "role_arn",
            "external_id",
            "geography",
            "runtime_url",
            "lanes",
            "mantle_url",
            "guardrail",
            "weight",
            "credentials",
            "session_tags",
            "service_tier",
            "request_metadata",
            "proxy",
            "ca_certificates",
            "use_fips",
            "state",
            "is_default",
        ],
        fixed: &[],
        made_with: &[],
        extras: &[],
        can_be_pruned: true,
        check: shaped::<CreateEndpoint>,
    },
    Kind {
        section: "teams",
        one: "team",
        all: paths::TEAMS,
        at: paths::TEAM,
        method: Method::PATCH,
        in_parts: true,
        identity: &["name"],
        fields: &["state", "guardrail"],
        fixed: &[],
        made_with: &["name"],
        extras: &[
            Extra {
                field: "endpoints",
                path: |_| paths::TEAM_ENDPOINTS,
                method: Method::PUT,
                body: |list| Some(json!({ "endpoints": list })),
                cleared_by: None,
                check: team_endpoints,
            },
            Extra {
                field: "routing",
                path: |_| paths::TEAM_ROUTING,
                method: Method::PUT,
                body: |routing| Some(routing.clone()),
                cleared_by: None,
                check: shaped::<ccag_admin_api::RoutingSpec>,
            },
            Extra {
                field: "session_breaker",
                path: |_| paths::TEAM_SESSION_BREAKER,
                method: Method::PUT,
                body: |breaker| Some(breaker.clone()),
                cleared_by: Some(Method::DELETE),
                check: shaped::<SetSessionBreaker>,
            },
        ],
        can_be_pruned: true,
        check: shaped::<UpdateTeam>,
    },
    Kind {
        section: "users",
        one: "user",
        all: paths::USERS,
        at: paths::USER,
        method: Method::PATCH,
        in_parts: true,
        identity: &["username"],
        fields: &["email", "display_name", "kind", "role", "team_id"],
        fixed: &["kind"],
        made_with: &[],
        extras: &[Extra {
            field: "state",
            path: |state| match state.as_str() {
                Some("suspended") => paths::USER_SUSPEND,
                _ => paths::USER_ACTIVATE,
            },
            method: Method::POST,
            body: |_| None,
            cleared_by: None,
            check: account_state,
        }],
        // People come and go by single sign-on, SCIM and by hand: whoever is not in a file is not to be deleted by it.
        can_be_pruned: false,
        check: shaped::<CreateUser>,
    },
    Kind {
        section: "budgets",
        one: "budget",
        all: paths::BUDGETS,
        at: paths::BUDGET,
        method: Method::PUT,
        in_parts: true,
        identity: &["scope", "team_id", "user_id", "key_id", "period"],
        fields: &[
            "amount_usd",
            "time_zone",
            "mode",
            "policy",
            "posture",
            "grace_usd",
            "notify_recipients",
        ],
        fixed: &["time_zone"],
        made_with: &[],
        extras: &[],
        can_be_pruned: true,
        check: shaped::<CreateBudget>,
    },
    Kind {
        section: "limits",
        one: "limit",
        all: paths::LIMITS,
        at: paths::LIMIT,
        method: Method::PUT,
        in_parts: true,
        identity: &["scope", "team_id", "user_id", "key_id", "kind", "models"],
        fields: &["amount", "weights"],
        fixed: &[],
        made_with: &[],
        extras: &[],
        can_be_pruned: true,
        check: shaped::<CreateLimit>,
    },
    Kind {
        section: "policies",
        one: "policy",
        all: paths::POLICIES,
        at: paths::POLICY,
        method: Method::PUT,
        in_parts: false,
        identity: &["name"],
        fields: &["priority", "match", "models", "settings"],
        fixed: &[],
        made_with: &[],
        extras: &[],
        can_be_pruned: true,
        check: shaped::<WritePolicy>,
    },
    Kind {
        section: "identity_providers",
        one: "identity provider",
        all: paths::PROVIDERS,
        at: paths::PROVIDER,
        method: Method::PUT,
        in_parts: false,
        identity: &["name"],
        fields: &["issuer_url", "client_id", "client_secret", "enabled", "rules"],
        fixed: &[],
        made_with: &[],
        extras: &[],
        can_be_pruned: true,
        check: shaped::<WriteProvider>,
    },
];

impl Kind {
    /// The extra of that name.
    pub(super) fn extra(&self, field: &str) -> Option<&'static Extra> {
        self.extras.iter().find(|extra| extra.field == field)
    }

    /// What of an item is sent about the object itself, in the API's words and shape; extras under their own names.
    pub(super) fn to_api(&self, item: &Item, world: &World) -> Result<Item, String> {
        let mut api = to_ids(item, world)?;
        let known = |field: &str| {
            self.identity.contains(&field) || self.fields.contains(&field) || self.extra(field).is_some()
        };
        if let Some(field) = api.keys().find(|field| !known(field)) {
            return Err(format!("there is no field `{field}` here"));
        }
        // A null says that there is to be nothing; what is made without it has nothing.
        nulls_gone(&mut api);
        let mut extras = Item::new();
        for extra in self.extras {
            if let Some(value) = api.remove(extra.field) {
                let checked = (extra.check)(value).map_err(|error| format!("{}: {error}", extra.field))?;
                extras.insert(extra.field.to_owned(), checked);
            }
        }
        let given = api.clone();
        let Value::Object(mut whole) = (self.check)(Value::Object(api))? else {
            return Err("this is not an object".to_owned());
        };
        // Only what was said, in the shape that it has: the rest is not declared.
        whole.retain(|field, _| given.contains_key(field));
        whole.append(&mut extras);
        Ok(whole)
    }

    /// What of a view can be declared, in the words of the file.
    pub(super) fn of_view(&self, view: &Value, world: &World) -> Item {
        let declared = self.identity.iter().chain(self.fields);
        let declared = declared
            .copied()
            .chain(self.extras.iter().map(|extra| extra.field));
        let mut item = Item::new();
        for field in declared {
            if let Some(value) = view.get(field) {
                item.insert(field.to_owned(), value.clone());
            }
        }
        if self.section == "budgets" && view["policy"] == "custom" {
            item.insert("policy".to_owned(), view["rules"].clone());
        }
        for (field, kept) in [("credentials", &["kind", "profile"]), ("proxy", &["url", "user"])] {
            if let Some(Value::Object(inner)) = item.get_mut(field) {
                inner.retain(|name, _| kept.contains(&name.as_str()));
            }
        }
        nulls_gone(&mut item);
        to_names(&item, world)
    }

    /// An item as it would come back: with the API's defaults and spellings.
    pub(super) fn canonical(&self, item: &Item, world: &World) -> Result<Item, String> {
        Ok(to_names(&self.to_api(item, world)?, world))
    }

    /// What an object is recognised by, for people and for comparing.
    pub(super) fn title(&self, item: &Item) -> Result<String, String> {
        let named = to_file_names(self.identity);
        let mut words = Vec::new();
        for field in named {
            match item.get(field) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => words.push(text.clone()),
                Some(list @ Value::Array(_)) => {
                    let list = comparable(field, list);
                    let list = list.as_array().into_iter().flatten().filter_map(Value::as_str);
                    words.extend(list.map(str::to_owned));
                }
                Some(other) => words.push(other.to_string()),
            }
        }
        if self.section == "budgets" && item.get("period").is_none_or(Value::is_null) {
            words.push("monthly".to_owned());
        }
        match words.is_empty() {
            true => Err(format!(
                "`{}` is missing",
                self.identity.first().copied().unwrap_or("name")
            )),
            false => Ok(words.join(" ")),
        }
    }
}

fn to_file_names(fields: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    fields
        .iter()
        .map(|field| field.strip_suffix("_id").unwrap_or(field))
}

/// One part of `settings`.
pub(super) struct Setting {
    pub(super) field: &'static str,
    pub(super) path: &'static str,
    /// What of the answer can be declared.
    pub(super) of_view: fn(&Value) -> Value,
    pub(super) check: fn(Value) -> Result<Value, String>,
}

/// All parts of `settings`.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        field: "routing",
        path: paths::ROUTING,
        of_view: |view| view["own"].clone(),
        check: shaped::<ccag_admin_api::RoutingSpec>,
    },
    Setting {
        field: "session_breaker",
        path: paths::SESSION_BREAKER,
        of_view: |view| json!({"usd_per_minute": view["usd_per_minute"], "agents_per_minute": view["agents_per_minute"]}),
        check: shaped::<SetSessionBreaker>,
    },
    Setting {
        field: "sign_in",
        path: paths::SIGN_IN,
        of_view: |view| json!({"password_sign_in": view["password_sign_in"], "login_notice": view["login_notice"]}),
        check: shaped::<SignInSettings>,
    },
    Setting {
        field: "web_search",
        path: paths::WEB_SEARCH,
        of_view: |view| json!({"mode": view["mode"], "price_nano_usd": view["price_nano_usd"], "shortcut": view["shortcut"]}),
        check: shaped::<SetWebSearch>,
    },
];
