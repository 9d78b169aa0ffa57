//! The second step: the body for Bedrock.

use super::betas;
use super::peek::{Operation, Peeked};
use super::plan::{Plan, Search};
use super::system::System;
use super::target::{self, Target};
use super::thinking::Thinking;
use crate::json::{Kind, Value, quoted};
use crate::noticed::{Dropped, DroppedKind};
use crate::profile::{Action, DisabledThinking, Feature, Profile};
use crate::search::{Terms, asked, upstream_name};
use crate::spliced::Spliced;
use ccag_domain::{Code, Lane, Problem};
use std::borrow::Cow;

/// The API version whose stricter semantics clients can ask for (Anthropic, "Versions").
const STRICT_VERSION: &str = "2026-10-21";

/// The version that Bedrock takes for every model (AWS, "Anthropic Claude Messages API").
const BEDROCK_VERSION: &str = "bedrock-2023-05-31";

/// The beta under which `thinking.display` may be `updates`.
const DISPLAY_UPDATES: &str = "thinking-display-updates-2026-08-18";

/// The beta under which a system message may say when it is cleared.
const CLEAR_AT: &str = "mid-conversation-system-clear-at-2026-08-21";

/// The headers of a request that decide on its translation.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'h> {
    /// The values of all `anthropic-beta` headers, in order.
    pub betas: &'h [&'h str],
    /// The `anthropic-version` header.
    pub version: Option<&'h str>,
}

/// A body for Bedrock, and what was done to make it.
#[derive(Debug, Clone)]
pub struct Prepared<'t> {
    /// The body, which shares what is long with the client's.
    pub body: Spliced<'t>,
    /// The headers of Anthropic's that go with it; none for `InvokeModel`, where the body says it all.
    pub headers: Vec<(&'static str, String)>,
    /// The most output tokens that Bedrock is asked for: the client's wish, bounded by the model's maximum.
    pub max_tokens: u64,
    /// The betas that were sent.
    pub betas: Vec<String>,
    /// What the client sent and Bedrock does not get.
    pub dropped: Vec<Dropped>,
    /// What the client sent, no rule names, and Bedrock gets all the same.
    pub passed: Vec<Dropped>,
    /// Whether any cache marker asks for an hour: cache writes that Bedrock does not break down are then priced as such.
    pub writes_1h: bool,
    /// How many marks for the cache go to Bedrock.
    pub marks: u32,
    /// The version of the rule book that was followed.
    pub profile_version: String,
}

/// The members of the body that need more than a decision by name.
#[derive(Default)]
struct Parts<'d> {
    messages: Option<Value<'d>>,
    system: Option<(usize, Value<'d>)>,
    tools: Option<(usize, Value<'d>)>,
    tool_choice: Option<usize>,
    thinking: Option<(usize, Value<'d>)>,
    output_config: Option<(usize, Value<'d>)>,
    output_format: Option<Value<'d>>,
    context_management: Option<(usize, Value<'d>)>,
    cache_control: Option<(Value<'d>, Action)>,
    max_tokens: Option<Value<'d>>,
}

/// Makes the body of `InvokeModel`, without tags for a guardrail.
///
/// # Errors
/// As [`prepare_for`].
pub fn prepare<'t>(
    peeked: &Peeked<'t>,
    headers: Headers<'_>,
    profile: &Profile,
) -> Result<Prepared<'t>, Problem> {
    prepare_for(peeked, headers, profile, Target::default())
}

/// The same, with the web search tool and earlier searches as `terms` say.
///
/// # Errors
/// As [`prepare_for`].
pub fn prepare_with<'t>(
    peeked: &Peeked<'t>,
    headers: Headers<'_>,
    profile: &Profile,
    terms: &Terms,
) -> Result<Prepared<'t>, Problem> {
    let target = Target {
        terms: Some(terms),
        ..Target::default()
    };
    prepare_for(peeked, headers, profile, target)
}

/// Makes the body for Bedrock, and the headers where the lane that the profile is for has them.
///
/// The result depends on nothing but the arguments, so that every turn of a conversation sends the same prefix.
///
/// # Errors
/// A [`Problem`] for what the profile refuses.
pub fn prepare_for<'t, 'r>(
    peeked: &Peeked<'t>,
    headers: Headers<'_>,
    profile: &'r Profile,
    target: Target<'r>,
) -> Result<Prepared<'t>, Problem> {
    asked(peeked)?;
    let lane = profile.lane();
    let root = peeked.root();
    let requested = betas::requested(headers.betas, root);
    let guard_suffix = target.guard_suffix.filter(|_| lane == Lane::InvokeModel);
    let mut plan = Plan::new(profile, headers.version == Some(STRICT_VERSION), guard_suffix);
    plan.max_output = target.most_output.unwrap_or(u64::MAX).min(plan.max_output);
    plan.search = Search {
        enabled: target.terms.is_some_and(|terms| terms.enabled),
        key: target.terms.and_then(|terms| terms.key.clone()),
        upstream_name: upstream_name(root),
    };
    if peeked.model().ends_with("[1m]") {
        plan.features.add(Feature::OneMillion);
    }
    if requested.iter().any(|beta| beta == CLEAR_AT) {
        plan.features.add(Feature::ClearAtBeta);
    }
    let mut removed = Vec::new();
    let parts = top_level(&mut plan, root, (lane, &target), &mut removed)?;
    let mut front = Front::default();
    if target.streamed && lane != Lane::InvokeModel && root.get("stream").is_none() {
        front.add("stream", "true");
    }

    if let Some(tier) = tier_in_body(lane, &target) {
        front.add("service_tier", &quoted(tier));
    }
    let max_tokens = max_tokens(&mut plan, peeked, &parts, &mut front);
    let hoisted = match parts.messages {
        Some(messages) => plan.messages(peeked.doc.text, messages)?,
        None => Vec::new(),
    };
    if let Some((i, tools)) = parts.tools {
        if tools.is_empty() || tools.kind() == Kind::Null {
            removed.push(i);
        } else if plan.tools(peeked.doc.text, tools)? {
            removed.push(i);
            removed.extend(parts.tool_choice);
        }
    }
    let instruction = options(
        &mut plan,
        &parts,
        max_tokens,
        &requested,
        (&mut removed, &mut front),
    )?;
    let extra: Vec<String> = hoisted.into_iter().chain(instruction).collect();
    match plan.system(parts.system.map(|(_, v)| v), &extra)? {
        System::Stays => {}
        System::Goes => removed.extend(parts.system.map(|(i, _)| i)),
        System::New(blocks) => front.add("system", &blocks),
    }
    if let Some((marker, action)) = parts.cache_control {
        match (action, parts.messages) {
            (Action::Rewrite, Some(messages)) => plan.explicit_marker(marker, messages),
            _ => plan.cache_control(marker)?,
        }
    }
    let betas = plan.betas(&requested)?;
    let strict = strict_version(&plan);
    if lane == Lane::InvokeModel {
        if let Some(suffix) = guard_suffix {
            let config = format!("{{\"tagSuffix\":{}}}", quoted(suffix));
            front.add("amazon-bedrock-guardrailConfig", &config);
        }
        if !betas.is_empty() {
            let list: Vec<String> = betas.iter().map(|b| quoted(b)).collect();
            front.add("anthropic_beta", &format!("[{}]", list.join(",")));
        }
        front.add("anthropic_version", &quoted(strict.unwrap_or(BEDROCK_VERSION)));
    }

    removed.sort_unstable();
    plan.edits.insert(root.start() + 1, front.text);
    plan.edits.remove_children(root, &removed);
    Ok(Prepared {
        body: plan.edits.splice(peeked.doc.text),
        headers: target::headers(lane, target::header_version(strict), &betas),
        max_tokens,
        betas,
        dropped: plan.dropped,
        passed: plan.passed,
        writes_1h: plan.writes_1h,
        marks: plan.cache_markers,
        profile_version: profile.version.clone(),
    })
}

/// New members before the first.
#[derive(Default)]
struct Front {
    text: String,
}

impl Front {
    fn add(&mut self, name: &str, json: &str) {
        // Messages always follow, so every new member ends with a comma.
        self.text.insert_str(0, &format!("\"{name}\":{json},"));
    }
}

/// The service tier, on the lane whose body says it (AWS, "Service tiers for inference": bedrock-mantle).
fn tier_in_body<'t>(lane: Lane, target: &Target<'t>) -> Option<&'t str> {
    target.service_tier.filter(|_| lane == Lane::Mantle)
}

/// The stricter version, if it was asked for and the model takes it.
fn strict_version(plan: &Plan<'_>) -> Option<&'static str> {
    let takes_strict = plan.profile.versions.action(STRICT_VERSION) == Some(Action::Keep);
    (plan.strict_version && takes_strict).then_some(STRICT_VERSION)
}

/// Decides on every member by name and hands out those that need a closer look.
fn top_level<'d>(
    plan: &mut Plan<'_>,
    root: Value<'d>,
    (lane, target): (Lane, &Target<'_>),
    removed: &mut Vec<usize>,
) -> Result<Parts<'d>, Problem> {
    let mut parts = Parts::default();
    for (i, (key, value)) in root.members().enumerate() {
        let name = key.text().unwrap_or_default();
        if name == "service_tier" && tier_in_body(lane, target).is_some() {
            removed.push(i);
            continue;
        }
        let profile = plan.profile;
        let row = profile.fields.find_for(&name, plan.features, value.f64());
        let action = match row.map(|row| (row.action, row)) {
            Some((Action::Refuse, row)) => return Err(row.problem(&name)),
            Some((Action::Drop, _)) | None => {
                strict_sampling(plan, &name)?;
                plan.left_out_by(row, DroppedKind::Field, &name);
                removed.push(i);
                continue;
            }
            Some((action, _)) => action,
        };
        strict_sampling(plan, &name)?;
        match name.as_ref() {
            "model" | "stream" if lane == Lane::InvokeModel || action == Action::Move => removed.push(i),
            "model" if !target.model.is_empty() => plan.edits.replace(value, quoted(target.model)),
            "stream" if target.streamed => plan.edits.replace(value, "true"),
            "anthropic_version" | "anthropic_beta" | "betas" => removed.push(i),
            "metadata" if action == Action::Rewrite => plan.metadata(value),
            "messages" => parts.messages = Some(value),
            "system" => parts.system = Some((i, value)),
            "tools" => parts.tools = Some((i, value)),
            "tool_choice" => parts.tool_choice = Some(i),
            "thinking" => parts.thinking = Some((i, value)),
            "output_config" => parts.output_config = Some((i, value)),
            "output_format" => {
                parts.output_format = Some(value);
                removed.push(i);
            }
            "context_management" => parts.context_management = Some((i, value)),
            "cache_control" => {
                parts.cache_control = Some((value, action));
                if action == Action::Rewrite {
                    removed.push(i);
                }
            }
            "max_tokens" => parts.max_tokens = Some(value),
            "safeguards" => plan.features.add(Feature::Safeguards),
            _ => plan.goes_by(row, DroppedKind::Field, &name),
        }
    }
    Ok(parts)
}

/// Version 2026-10-21 takes no sampling parameters at all.
fn strict_sampling(plan: &Plan<'_>, name: &str) -> Result<(), Problem> {
    if plan.strict_version && matches!(name, "temperature" | "top_p" | "top_k") {
        let message = format!("{name}: Extra inputs are not permitted");
        return Err(Problem::new(Code::InvalidRequest, message).field(name));
    }
    Ok(())
}

/// Bounds `max_tokens`, or adds one to a count_tokens body, where it must exceed the thinking budget.
fn max_tokens(plan: &mut Plan<'_>, peeked: &Peeked<'_>, parts: &Parts<'_>, front: &mut Front) -> u64 {
    let limit = plan.max_output;
    if let (Some(asked), Some(value)) = (peeked.max_tokens(), parts.max_tokens) {
        if asked > limit {
            plan.edits.replace(value, limit.to_string());
        }
        return asked.min(limit);
    }
    if peeked.operation == Operation::CountTokens && plan.profile.lane() != Lane::InvokeModel {
        // Anthropic's own count_tokens has no such field.
        return limit;
    }
    let budget = parts
        .thinking
        .and_then(|(_, thinking)| thinking.get("budget_tokens"))
        .and_then(|budget| budget.u64())
        .unwrap_or(0);
    let least = if peeked.operation == Operation::CountTokens && parts.thinking.is_some() {
        2_048
    } else {
        1
    };
    let max_tokens = budget.saturating_add(1).max(least).min(limit);
    front.add("max_tokens", &max_tokens.to_string());
    max_tokens
}

/// The highest effort, where the request disables thinking on a model that then takes only the lower ones.
fn effort_limit(plan: &Plan<'_>, parts: &Parts<'_>) -> Option<String> {
    let rules = &plan.profile.thinking;
    let kind = parts.thinking.and_then(|(_, thinking)| thinking.get("type"))?;
    let disabled = kind.is_text("disabled") || kind.is_text("between_tools");
    (disabled && rules.disabled == DisabledThinking::Keep)
        .then(|| rules.disabled_effort.clone())
        .flatten()
}

/// `thinking`, `output_config`, `output_format` and `context_management`. Returns a block for the system prompt that stands
/// in for an output format.
fn options(
    plan: &mut Plan<'_>,
    parts: &Parts<'_>,
    max_tokens: u64,
    requested: &[Cow<'_, str>],
    (removed, front): (&mut Vec<usize>, &mut Front),
) -> Result<Option<String>, Problem> {
    plan.effort_limit = effort_limit(plan, parts);
    let mut config = match parts.output_config {
        Some((_, value)) if value.is_object() => plan.output_config(value)?,
        _ => super::output::OutputConfig {
            goes: parts.output_config.is_none(),
            ..Default::default()
        },
    };
    let mut added = Vec::new();
    if let Some((i, thinking)) = parts.thinking {
        let updates = requested.iter().any(|b| b == DISPLAY_UPDATES);
        match plan.thinking(thinking, max_tokens, updates) {
            Thinking::Stays => {}
            Thinking::Goes => removed.push(i),
            Thinking::Effort(level)
                if !config.has_effort && plan.profile.efforts.iter().any(|l| l == level) =>
            {
                added.push(format!("\"effort\":\"{level}\""));
            }
            Thinking::Effort(_) => {}
        }
    }
    if let Some(format) = parts.output_format.filter(|f| f.kind() != Kind::Null) {
        match plan.profile.output_config.action("format") {
            Some(Action::Emulate) => config.instead_of_format = super::output::format_instruction(format),
            _ => added.push(format!("\"format\":{}", format.raw())),
        }
    }
    match (parts.output_config, added.is_empty()) {
        (Some((i, _)), true) if config.goes => removed.push(i),
        (Some((_, value)), false) if config.goes => {
            plan.edits.replace(value, format!("{{{}}}", added.join(",")))
        }
        (Some((_, value)), false) => plan.edits.append(value, &added.join(","), true),
        (None, false) => front.add("output_config", &format!("{{{}}}", added.join(","))),
        (_, true) => {}
    }
    if let Some((i, value)) = parts.context_management
        && !plan.context_management(value)
    {
        removed.push(i);
    }
    Ok(config
        .instead_of_format
        .map(|text| format!("{{\"type\":\"text\",\"text\":\"{text}\"}}")))
}
