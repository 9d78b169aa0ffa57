//! Notifications: what there is to tell, whom, and when it is tried again.

use crate::named::named;

named! {
    /// What an event is about; destinations choose among them.
    Category {
        /// Steps of budgets that were reached, up to those that block.
        Budget = "budget",
        /// Sessions that ran away and were paused.
        Session = "session",
        /// Endpoints that are in trouble, or throttled, and are no longer.
        Endpoint = "endpoint",
        /// Data planes of which nothing is heard, that are behind, or whose spool fills, and that no longer do.
        Fleet = "fleet",
        /// Prices that are listed differently, and rules that Bedrock contradicts.
        Drift = "drift",
        /// Keys, tokens and certificates that are about to expire.
        Expiry = "expiry",
    }
}

impl Category {
    /// Whether there can be something of it about one team.
    #[must_use]
    pub const fn is_of_teams(self) -> bool {
        matches!(self, Self::Budget | Self::Session | Self::Expiry)
    }

    /// What it is called, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Budget => "Budgets",
            Self::Session => "Runaway sessions",
            Self::Endpoint => "Endpoints in trouble",
            Self::Fleet => "Data planes in trouble",
            Self::Drift => "Prices and rules that drift",
            Self::Expiry => "What is about to expire",
        }
    }
}

named! {
    /// How much an event matters.
    Severity {
        /// Good to know.
        Info = "info",
        /// Somebody should look at it.
        Warning = "warning",
        /// Something is refused or broken.
        Critical = "critical",
    }
}

named! {
    /// What takes notifications.
    DestinationKind {
        /// A web server, by Standard Webhooks.
        Webhook = "webhook",
        /// A channel of Slack's, by an incoming webhook.
        Slack = "slack",
        /// A topic of Amazon SNS.
        Sns = "sns",
        /// An event bus of Amazon EventBridge.
        EventBridge = "eventbridge",
        /// Mailboxes, through a mail server.
        Smtp = "smtp",
    }
}

impl DestinationKind {
    /// Whether a team's manager may set it up: what is reached by the gateway's own AWS credentials is for admins.
    #[must_use]
    pub const fn is_for_managers(self) -> bool {
        matches!(self, Self::Webhook | Self::Slack | Self::Smtp)
    }

    /// What it is called, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Webhook => "Webhook",
            Self::Slack => "Slack",
            Self::Sns => "Amazon SNS",
            Self::EventBridge => "Amazon EventBridge",
            Self::Smtp => "E-mail",
        }
    }
}

named! {
    /// How a connection to a mail server is protected.
    #[derive(Default)]
    MailSecurity {
        /// By TLS that begins on a plain connection, usually on port 587. A server that does not offer it is not used.
        #[default]
        StartTls = "starttls",
        /// By TLS from the beginning, usually on port 465.
        Tls = "tls",
        /// Not at all: for a server on this machine or in one's own network.
        None = "none",
    }
}

named! {
    /// What became of telling a destination.
    DeliveryState {
        /// It is to be told, for the first time or again.
        Pending = "pending",
        /// It has been told.
        Delivered = "delivered",
        /// It could not be told, and is not tried again until somebody wants it.
        Dead = "dead",
    }
}

/// How often a destination is tried to be told of one event.
pub const MAX_ATTEMPTS: u32 = 10;

/// How long to wait after the first attempt, in milliseconds.
const FIRST_WAIT_MS: i64 = 5_000;

/// How long to wait at most, whatever the destination wants, in milliseconds.
pub const LONGEST_WAIT_MS: i64 = 6 * 3_600_000;

/// How long to wait after so many failed attempts, in milliseconds; `None`: it is given up. `random` spreads what failed together
/// over the last third of the time.
#[must_use]
pub fn wait_ms(attempts: u32, random: u32) -> Option<i64> {
    if attempts >= MAX_ATTEMPTS {
        return None;
    }
    let steps = attempts.saturating_sub(1);
    let longest = FIRST_WAIT_MS
        .saturating_mul(3_i64.saturating_pow(steps))
        .min(LONGEST_WAIT_MS);
    let spread = longest / 3;
    Some(longest - spread + i64::from(random) % (spread + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_threefold_up_to_six_hours_and_then_it_is_given_up() {
        let longest: Vec<i64> = (1..MAX_ATTEMPTS)
            .map(|n| (0..=15_000).filter_map(|r| wait_ms(n, r)).max().unwrap())
            .collect();
        assert_eq!(longest[..3], [5_000, 15_000, 45_000]);
        for attempts in 1..MAX_ATTEMPTS {
            for random in [0, 1, 77, u32::MAX] {
                let full = (FIRST_WAIT_MS * 3_i64.pow(attempts - 1)).min(LONGEST_WAIT_MS);
                let wait = wait_ms(attempts, random).unwrap();
                assert!((full * 2 / 3..=full).contains(&wait), "{attempts} {wait}");
            }
        }
        assert!(wait_ms(9, u32::MAX).unwrap() > 4 * 3_600_000);
        assert_eq!(wait_ms(MAX_ATTEMPTS, 0), None);
        // What failed together is not tried together again.
        assert_ne!(wait_ms(3, 1), wait_ms(3, 2));
    }
}
