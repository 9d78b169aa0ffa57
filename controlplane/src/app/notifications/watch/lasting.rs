//! Conditions: what lasts for a while and has an end, of which both are told.

use crate::app::App;
use crate::app::notifications::events::{Told, event};
use crate::store::StoreError;
use ccag_domain::condition::{Condition, Look, News, Patience, step};
use std::collections::HashMap;

/// Says what is told of a condition.
type Tell<'a> = Box<dyn Fn(&Condition, News) -> Told + Send + Sync + 'a>;

/// What a look has shown of one condition.
pub(super) struct Seen<'a> {
    /// Names the condition.
    pub(super) id: String,
    pub(super) look: Look,
    pub(super) patience: Patience,
    /// What is told needs no name of its own: one is made of the condition's.
    pub(super) tell: Tell<'a>,
}

/// Takes conditions further, each in a transaction of its own with what is told of it.
pub(super) async fn settle(
    app: &App,
    known: &HashMap<String, Condition>,
    seen: Vec<Seen<'_>>,
) -> Result<(), StoreError> {
    let now = app.now_ms();
    for one in &seen {
        let before = known.get(&one.id).copied();
        // Most of the time nothing changes: that is found out without writing.
        if step(before, one.look, one.patience, now).0 == before {
            continue;
        }
        let next = |before: Option<Condition>| {
            let (after, news) = step(before, one.look, one.patience, now);
            let event = after.zip(news).map(|(condition, news)| {
                let mut told = (one.tell)(&condition, news);
                if told.once.is_empty() {
                    told.once = format!("{}/{}/{}", one.id, condition.since_ms, name(news));
                }
                event(app, &told)
            });
            (after, event)
        };
        app.store.turn_condition(&one.id, next).await?;
    }
    Ok(())
}

const fn name(news: News) -> &'static str {
    match news {
        News::Began => "began",
        News::Worse => "worse",
        News::Over(_) => "over",
    }
}

/// How long something lasted, for people: `1 minute`, `3 hours`.
pub(super) fn how_long(ms: i64) -> String {
    let minutes = ms / 60_000;
    let (n, unit) = match minutes {
        ..=0 => return "less than a minute".to_owned(),
        1..=119 => (minutes, "minute"),
        120..=2_879 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::how_long;

    #[test]
    fn times_are_rounded_down_to_what_people_say() {
        let said: Vec<String> = [
            59_999,
            60_000,
            119 * 60_000,
            2 * 3_600_000,
            47 * 3_600_000,
            49 * 3_600_000,
        ]
        .into_iter()
        .map(how_long)
        .collect();
        assert_eq!(
            said,
            [
                "less than a minute",
                "1 minute",
                "119 minutes",
                "2 hours",
                "47 hours",
                "2 days"
            ]
        );
    }
}
