//! How to connect Claude Code to the gateway.

use super::{FormPage, Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{Colour, badge, card, copyable, nothing, page_head, text};
use crate::part::connect::{powershell_line, shell_line};
use crate::part::field::{Ask, post_form, select, summary, yes_box};
use crate::part::list::{Column, cell, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// A way for Claude Code to connect, as the page tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Its name in the script.
    pub mode: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What one gets by it.
    pub gains: &'static str,
    /// What one does without.
    pub costs: &'static str,
}

/// All of them, in the order in which they are offered. What they gain and cost was measured with Claude Code 2.1.
pub const WAYS: [Way; 4] = [
    Way {
        mode: "sso",
        title: "Sign in with a browser",
        gains: "Nobody carries a key about; web search, one-hour caching and the newest models work.",
        costs: "No dollars in /usage, and no managed settings from the gateway.",
    },
    Way {
        mode: "login",
        title: "Claude Code's own /login",
        gains: "Nobody carries a key about; dollars in /usage, warnings before a budget is used up, managed settings by policy.",
        costs: "No web search and no one-hour caching in the client; the machine has to be prepared once, as root.",
    },
    Way {
        mode: "key",
        title: "An API key",
        gains: "Works everywhere, in CI as well; web search, one-hour caching and the newest models work.",
        costs: "A secret lies on the machine; no dollars in /usage, no managed settings from the gateway.",
    },
    Way {
        mode: "gateway",
        title: "An API key, in gateway mode",
        gains: "Dollars in /usage and warnings before a budget is used up, without preparing the machine.",
        costs: "As with a key, and no web search and no one-hour caching in the client.",
    },
];

/// What the setup script does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetupForm {
    /// How Claude Code connects; empty: as it fits.
    pub mode: Field,
    /// Whether prompts stay cached for an hour.
    pub one_hour_cache: bool,
    /// Whether Claude Code offers the gateway's models.
    pub model_discovery: bool,
}

/// The ways to connect, and what the script does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectPage {
    /// The gateway's address for clients.
    pub base_url: String,
    /// The way that the script goes unless it is told otherwise.
    pub mode: String,
    /// What the script does, for those who may see that.
    pub form: Option<SetupForm>,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const MODE: Ask = Ask::line(
    "mode",
    "How Claude Code connects",
    "What the script does unless it is told otherwise with --mode. Claude Code's own /login needs root on each machine.",
    false,
    0,
);

impl Page for ConnectPage {
    fn title(&self) -> String {
        "Connect".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Connect)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            {page_head(
                "Connect Claude Code".to_owned(),
                text("One command sets up a machine. It keeps the settings that are there, says what it does, and can be undone."),
                nothing(),
            )}
            <div class="stack narrow-wide">
                {card("one-command", "One command", nothing(), self.command())}
                {card("editors", "In editors", nothing(), editors())}
                {card("by-hand", "By hand", nothing(), self.by_hand())}
            </div>
            {self.ways()}
            <div class="stack narrow-wide">
                {card("machines", "For many machines", nothing(), Self::machines())}
            </div>
            {self.settings(context)}
        }
        .into_any()
    }
}

impl ConnectPage {
    fn shell(&self, more: &str) -> String {
        let arguments = if more.is_empty() {
            String::new()
        } else {
            format!(" -s -- {more}")
        };
        format!("curl -fsSL {}/setup | sh{arguments}", self.base_url)
    }

    fn command(&self) -> AnyView {
        view! {
            <div class="stack">
            <p>"In a terminal on macOS or Linux, or in WSL:"</p>
            {copyable("setup", "the command", self.shell(""))}
            <p>"It installs Claude Code if it is missing, and asks for what it needs. To put everything back as it was:"</p>
            {copyable("undo", "the command to undo", self.shell("--undo"))}
            <details>
                <summary>"Windows PowerShell"</summary>
                {copyable("setup-windows", "the PowerShell line", format!("irm {}/setup/windows | iex", self.base_url))}
            </details>
            <p>"Another way than the usual one is a word more: " <code>{self.shell("--mode key")}</code></p>
            </div>
        }
        .into_any()
    }

    fn by_hand(&self) -> AnyView {
        let key = crate::part::connect::YOUR_KEY;
        view! {
            <p>
                "With a key of yours ("<a href=path::KEYS>"make one"</a>"), for a try in one terminal:"
            </p>
            {copyable("try-shell", "the line", shell_line(&self.base_url, key))}
            <details>
                <summary>"Windows PowerShell"</summary>
                {copyable("try-powershell", "the PowerShell line to try", powershell_line(&self.base_url, key))}
            </details>
        }
        .into_any()
    }

    fn ways(&self) -> AnyView {
        let columns = ["Way", "What one gets", "What one does without", "Say"].map(Column::text);
        let row = |way: &Way| {
            let title = if way.mode == self.mode {
                view! { {way.title}" "{badge(Colour::Good, "what the script does")} }.into_any()
            } else {
                text(way.title)
            };
            view! {
                <tr>
                    {row_head(title)}
                    {cell("What one gets", text(way.gains))}
                    {cell("What one does without", text(way.costs))}
                    {cell("Say", view! { <code>{format!("--mode {}", way.mode)}</code> }.into_any())}
                </tr>
            }
            .into_any()
        };
        table("Ways to connect", columns.into(), WAYS.iter().map(row).collect())
    }

    fn machines() -> AnyView {
        view! {
            <div class="stack">
            <p>
                "For /login a machine has to know the gateway. Give this file to your device management: "
                <a href="/setup/managed-settings.json" download="">"managed-settings.json"</a>
                ". It belongs here:"
            </p>
            <ul class="prose">
                <li>"Linux and WSL: " <code>"/etc/claude-code/managed-settings.json"</code></li>
                <li>"macOS: " <code>"/Library/Application Support/ClaudeCode/managed-settings.json"</code></li>
                <li>"Windows: " <code>r"C:\Program Files\ClaudeCode\managed-settings.json"</code></li>
            </ul>
            <p>
                "For a machine that somebody else sets up, make a setup command on the page of a key: it is good once, and no secret "
                "is passed around."
            </p>
            </div>
        }
        .into_any()
    }

    fn settings(&self, context: &PageContext) -> AnyView {
        let Some(form) = &self.form else { return nothing() };
        let choices: Vec<Choice> = std::iter::once(Choice::new(
            "",
            "as it fits: through the browser if there is an identity provider, else with a key",
        ))
        .chain(WAYS.iter().map(|way| Choice::new(way.mode, way.title)))
        .collect();
        let inputs = view! {
            {select(MODE, &form.mode, &choices)}
            {yes_box(
                "one_hour_cache",
                "Keep prompts cached for an hour",
                "Writing to the cache costs twice the price of input then, instead of one and a quarter times; it pays for people who come back after more than five minutes. Has no effect with /login and in gateway mode.",
                form.one_hour_cache,
            )}
            {yes_box(
                "model_discovery",
                "Offer the gateway's models in /model",
                "Claude Code asks the gateway for the models that its user may use.",
                form.model_discovery,
            )}
        };
        let form = post_form(
            context,
            path::CONNECT.to_owned(),
            "stack",
            summary(&[(&MODE, &form.mode)], self.trouble.as_deref()),
            inputs.into_any(),
            view! { <button type="submit" class="primary">"Save"</button> }.into_any(),
        );
        view! {
            <div class="stack narrow-wide">{card("script", "What the script does", text("for everybody"), form)}</div>
        }
        .into_any()
    }
}

fn editors() -> AnyView {
    view! {
        <p>
            <strong>"VS Code. "</strong>
            "The extension reads the same settings as the terminal. So that it does not ask for a login, set "
            <code>"claudeCode.disableLoginPrompt"</code> " to " <code>"true"</code> " in the settings of VS Code."
        </p>
        <p>
            <strong>"JetBrains. "</strong>
            "The plugin runs the Claude Code of the terminal: nothing else has to be done."
        </p>
    }
    .into_any()
}

impl FormPage for ConnectPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        match (name, &mut self.form) {
            ("mode", Some(form)) => Some(&mut form.mode),
            _ => None,
        }
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}
