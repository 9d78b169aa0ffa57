//! Letting a device in: the code that it shows, and what it is.

use super::Page;
use crate::form::Field;
use crate::format::duration_ms;
use crate::part::field::{Ask, csrf, input, summary};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// A device that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingDevice {
    /// The code that it shows.
    pub code: String,
    /// Which program asks.
    pub program: String,
    /// What the program calls itself.
    pub agent: Option<String>,
    /// Where it asks from.
    pub address: Option<String>,
    /// Whether that is somewhere else than where this browser is.
    pub elsewhere: bool,
    /// When it began to wait.
    pub since_ms: UnixMs,
    /// As whom it will be let in.
    pub as_whom: String,
}

/// The page for letting a device in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DevicePage {
    /// Asks for the code, with what was wrong with the last one.
    Ask(Field),
    /// Asks whether it is theirs.
    Confirm(WaitingDevice),
    /// It is let in.
    LetIn {
        /// Which program.
        program: String,
    },
    /// It is not.
    TurnedDown,
}

const CODE: Ask = Ask {
    id: "user_code",
    name: "user_code",
    label: "Code",
    help: "Eight letters, as your terminal shows them, such as WDJB-MJHT.",
    kind: "",
    autocomplete: "one-time-code",
    required: true,
    max_length: 20,
};

impl DevicePage {
    fn heading(&self) -> &'static str {
        match self {
            Self::Ask(_) => "Sign in to a device",
            Self::Confirm(_) => "Is this your device?",
            Self::LetIn { .. } => "You are signed in",
            Self::TurnedDown => "Nothing was let in",
        }
    }
}

impl Page for DevicePage {
    fn title(&self) -> String {
        self.heading().to_owned()
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let inside = match self {
            Self::Ask(field) => ask(field),
            Self::Confirm(device) => confirm(device, context),
            Self::LetIn { program } => view! {
                <p class="lead">
                    {format!("You can close this page and go back to {program}: it goes on by itself in a few seconds.")}
                </p>
            }
            .into_any(),
            Self::TurnedDown => view! {
                <p class="lead">"The device was told that it may not come in."</p>
                <p>
                    "If you did not start a sign-in and somebody sent you this link, tell your administrator: they may have tried to use your account."
                </p>
            }
            .into_any(),
        };
        view! {
            <section class="card door-card narrow" aria-labelledby="device">
                <h1 id="device">{self.heading()}</h1>
                {inside}
            </section>
        }
        .into_any()
    }
}

fn ask(field: &Field) -> AnyView {
    view! {
        <p class="lead">"Type the code that Claude Code shows in your terminal."</p>
        <form method="get" action=path::DEVICE class="stack">
            {summary(&[(&CODE, field)], None)}
            {input(CODE, field, &[])}
            <button type="submit" class="primary wide">"Go on"</button>
        </form>
    }
    .into_any()
}

fn confirm(device: &WaitingDevice, context: &PageContext) -> AnyView {
    let waited_ms = (context.now_ms - device.since_ms).max(1_000);
    let elsewhere = device.elsewhere.then(|| {
        view! {
            <div class="flash flash-bad" role="alert">
                <p>
                    "The device is not where this browser is. That is as it should be if you work on another machine. If somebody sent you the link, turn it down."
                </p>
            </div>
        }
    });
    let fact = |name: &'static str, value: Option<String>| {
        value.map(|value| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
    };
    let button = |decision: &'static str, label: &'static str, class: &'static str| {
        view! { <button type="submit" name="decision" value=decision class=class>{label}</button> }
    };
    view! {
        <p class="lead">
            {format!("{} asks to be signed in as {}.", device.program, device.as_whom)}
        </p>
        {elsewhere}
        <p>"Confirm only if your terminal shows this code:"</p>
        <p class="device-code">{device.code.clone()}</p>
        <dl class="facts">
            {fact("Program", device.agent.clone())}
            {fact("Address", device.address.clone())}
            {fact("Asked", Some(format!("{} ago", duration_ms(waited_ms))))}
        </dl>
        <form method="post" action=path::DEVICE class="stack">
            {csrf(context)}
            <input type="hidden" name="user_code" value=device.code.clone() />
            {button("approve", "Yes, sign it in", "primary wide")}
            {button("deny", "No, turn it down", "wide")}
        </form>
    }
    .into_any()
}
