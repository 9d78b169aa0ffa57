//! What Bedrock takes.

use super::{HOSTILE, NOW_MS, Sample, context, sample, with_flash};
use crate::form::Field;
use crate::page::{
    CapabilitiesPage, DeleteRulePage, LessonRow, NewRuleForm, NewRulePage, OwnRuleRow, RuleFilter, RuleRow,
    SeenRow, VersionRow,
};
use crate::{Tone, path};
use ccag_domain::Role;

fn rule(table: &str, name: &str, action: &str, condition: &str, source: &str) -> RuleRow {
    RuleRow {
        surface: "invoke-model".to_owned(),
        table: table.to_owned(),
        name: name.to_owned(),
        action: action.to_owned(),
        condition: condition.to_owned(),
        source: source.to_owned(),
    }
}

fn version(version: &str, in_force: bool, reason: &str, days: i64) -> VersionRow {
    VersionRow {
        surface: "invoke-model".to_owned(),
        version: version.to_owned(),
        in_force,
        reason: reason.to_owned(),
        made_at_ms: NOW_MS - days * 86_400_000,
    }
}

fn filled() -> CapabilitiesPage {
    CapabilitiesPage {
        versions: vec![
            version(
                "2026-11-24+2",
                true,
                "rule for `fallback-credit-2026-06-01` in `betas`",
                0,
            ),
            version("2026-11-24", false, "shipped with CCAG 0.1.0", 3),
        ],
        own: vec![OwnRuleRow {
            id: "rule_01".to_owned(),
            rule: rule("betas", "fallback-credit-2026-06-01", "keep", "from 5.0", HOSTILE),
            changed_at_ms: NOW_MS - 60_000,
        }],
        lessons: vec![LessonRow {
            id: "learnt_01".to_owned(),
            what: "field tools.0.custom.strict".to_owned(),
            endpoint: "eu-production".to_owned(),
            model: "eu.anthropic.claude-opus-5-5".to_owned(),
            version: "2026-11-24".to_owned(),
            learnt_at_ms: NOW_MS - 7_200_000,
        }],
        seen: vec![
            SeenRow {
                kind: "beta".to_owned(),
                name: "unheard-of-2030-01-01".to_owned(),
                known: false,
                count: 12,
                last_seen_ms: NOW_MS - 5_000,
            },
            SeenRow {
                kind: "field".to_owned(),
                name: "context_management.clear_thinking_20251015".to_owned(),
                known: true,
                count: 48_211,
                last_seen_ms: NOW_MS - 1_000,
            },
        ],
        rules: vec![
            rule(
                "betas",
                "claude-code-20250219",
                "drop",
                "always",
                "Claude Code 2.1.330 on Bedrock",
            ),
            rule(
                "betas",
                "advanced-tool-use-2025-11-20",
                "rewrite to tool-search-tool-2025-10-19",
                "from 4.5",
                "Claude Code 2.1.330 on Bedrock",
            ),
            rule("fields", "speed", "drop", "always", "fast mode is not on Bedrock"),
        ],
        rules_in_all: 214,
        filter: RuleFilter {
            text: "code".to_owned(),
            table: String::new(),
            surface: "invoke-model".to_owned(),
        },
        surfaces: vec!["invoke-model".to_owned(), "messages".to_owned()],
        tables: vec!["betas".to_owned(), "fields".to_owned()],
    }
}

fn form() -> NewRulePage {
    NewRulePage {
        surfaces: vec!["invoke-model".to_owned()],
        tables: vec!["betas".to_owned(), "fields".to_owned()],
        ..NewRulePage::default()
    }
}

/// The samples.
pub(super) fn samples() -> Vec<Sample> {
    let admin = || context(Role::Admin, path::CAPABILITIES);
    let refused = NewRulePage {
        form: NewRuleForm {
            name: Field::new(HOSTILE).with_error("Give the name of what the rule is about."),
            source: Field::default().with_error("Say how you know."),
            ..NewRuleForm::default()
        },
        ..form()
    };
    vec![
        sample(
            "capabilities",
            with_flash(
                admin(),
                Tone::Good,
                "The rule is in force for conversations that begin from now on.",
            ),
            filled(),
        ),
        sample("capabilities-empty", admin(), CapabilitiesPage::default()),
        sample("rule-new", admin(), form()),
        sample("rule-new-refused", admin(), refused),
        sample(
            "rule-delete",
            admin(),
            DeleteRulePage {
                id: "rule_01".to_owned(),
                rule: filled().own[0].rule.clone(),
            },
        ),
    ]
}
