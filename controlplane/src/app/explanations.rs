//! How requests were decided, for those who may see it: admins and auditors everything, team
//! managers what their team pays for, members what their own keys did.

use super::intake::{TIMES, clean};
use super::{App, views};
use crate::store::entity::usage_record;
use crate::store::{ExplanationRow, StoreError, rows};
use bytes::Bytes;
use ccag_admin_api::{ExplanationSource, ExplanationView, LedgerRow, Timestamp};
use ccag_domain::explanation::{Attempted, Ended, KeyShown, VERSION};
use ccag_domain::time::DAY_MS;
use ccag_domain::{
    Actor, Area, Code, CostLines, DatedPrice, Explanation, KeyId, Permission, Problem, RequestId, Target,
    Tokens, UsageRecord, catalogue,
};

/// The longest text that is stored, in bytes: twice what data planes of this release write.
const MAX_TEXT: usize = 2 * ccag_domain::explanation::MAX_BYTES;

/// The row that goes with a record; `None` if it has no explanation, or none is to be kept.
pub(super) fn row(app: &App, record: &UsageRecord) -> Option<ExplanationRow> {
    let told = record
        .explanation
        .as_deref()
        .filter(|_| app.terms.explanation_days > 0)?;
    Some(ExplanationRow {
        request_id: record.request_id.to_string(),
        at_ms: record.started_at_ms,
        key_id: record.key_id.to_string(),
        user_id: record.user_id.as_ref().map(ToString::to_string),
        team_id: record.team_id.as_ref().map(ToString::to_string),
        status: i64::from(record.status),
        explanation: told.clone().to_json(),
    })
}

fn read(text: &str) -> Result<Explanation, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("it has {} bytes", text.len()));
    }
    Explanation::read(text).map_err(|error| error.to_string())
}

/// Takes in what explains refusals; what makes no sense is let go.
///
/// # Errors
/// [`StoreError`] if the database is not able to take anything now: it may be sent again.
pub async fn take_in(app: &App, replica_id: &str, texts: &[Bytes]) -> Result<(), StoreError> {
    if texts.is_empty() || app.terms.explanation_days == 0 {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(texts.len());
    for text in texts {
        match refusal(text) {
            Ok(row) => rows.push(row),
            Err(reason) => {
                let replica_id = clean(replica_id, 100);
                tracing::warn!(
                    replica_id,
                    reason,
                    "what explains a refusal cannot be used and is let go"
                );
            }
        }
    }
    match app.store.insert_explanations(rows).await {
        Err(error @ (StoreError::Data(_) | StoreError::Duplicate(_))) => {
            tracing::warn!(%error, "the database refuses what explains refusals; it is let go");
            Ok(())
        }
        other => other,
    }
}

fn refusal(text: &[u8]) -> Result<ExplanationRow, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let told = read(text)?;
    if !TIMES.contains(&told.at_ms) {
        return Err(format!("absurd time: {}", told.at_ms));
    }
    let request_id = RequestId::parse(&told.request_id).map_err(|error| error.to_string())?;
    let key_id = KeyId::parse(&told.key.id).map_err(|error| error.to_string())?;
    Ok(ExplanationRow {
        request_id: request_id.into(),
        at_ms: told.at_ms,
        key_id: key_id.into(),
        user_id: told.key.user_id,
        team_id: told.key.team_id,
        status: i64::from(told.status),
        explanation: text.to_owned(),
    })
}

/// Forgets explanations that have been kept long enough.
///
/// # Errors
/// [`StoreError`].
pub async fn forget_old(app: &App) -> Result<u64, StoreError> {
    let kept_ms = i64::from(app.terms.explanation_days) * DAY_MS;
    app.store.delete_explanations_before(app.now_ms() - kept_ms).await
}

/// How a request was decided. `text` is its id as somebody has pasted it.
///
/// # Errors
/// [`Code::NotFound`] if nothing is known of it, or it is none of the actor's.
pub async fn explain(app: &App, actor: &Actor, text: &str) -> Result<ExplanationView, Problem> {
    let text = text.trim();
    let id = RequestId::parse(text).map_err(|_| not_an_id(text))?;
    let (stored, record) = tokio::try_join!(
        app.store.find_explanation(id.as_str()),
        app.store.find_usage_of_request(id.as_str())
    )?;
    let stored = stored.filter(|row| may_see(actor, row.user_id.as_deref(), row.team_id.as_deref()));
    let record = record.filter(|row| may_see(actor, row.user_id.as_deref(), row.team_id.as_deref()));
    if stored.is_none() && record.is_none() {
        return Err(unknown(app, &id));
    }
    let ledger = record
        .clone()
        .map(|record| views::ledger(record, shows_accounts(actor)))
        .transpose()?;
    let told = stored.and_then(|row| match Explanation::read(&row.explanation) {
        Ok(told) => Some(told),
        Err(error) => {
            tracing::warn!(request_id = %id, %error, "a stored explanation cannot be read");
            None
        }
    });
    let source = if told.is_some() {
        ExplanationSource::DataPlane
    } else {
        ExplanationSource::Ledger
    };
    let mut explanation = match (told, &ledger) {
        (Some(told), _) => told,
        (None, Some(ledger)) => of_ledger(ledger),
        (None, None) => return Err(unknown(app, &id)),
    };
    if !shows_accounts(actor) {
        explanation.hide_accounts();
    }
    let kept_until = (source == ExplanationSource::DataPlane)
        .then(|| explanation.at_ms + i64::from(app.terms.explanation_days) * DAY_MS);
    let cost = async {
        match &record {
            Some(record) => cost(app, record).await,
            None => Ok(None),
        }
    };
    let names = names(app, &explanation.key);
    let (cost, [key_name, user_name, team_name]) = tokio::try_join!(cost, names)?;
    Ok(ExplanationView {
        request_id: id,
        source,
        note: (source == ExplanationSource::Ledger).then(|| from_ledger(app)),
        kept_until: kept_until.map(Timestamp::from_ms),
        key_name,
        user_name,
        team_name,
        explanation,
        cost,
        ledger,
    })
}

fn may_see(actor: &Actor, user: Option<&str>, team: Option<&str>) -> bool {
    let permission = Permission::Read(Area::Usage);
    actor.may_all(permission) || actor.may(permission, Target::Owned { user, team })
}

/// Whether somebody may see which account of AWS a request went to.
fn shows_accounts(actor: &Actor) -> bool {
    actor.may_all(Permission::Read(Area::Endpoints))
}

fn not_an_id(text: &str) -> Problem {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    Problem::new(
        Code::NotFound,
        format!(
            "`{shown}` is not the id of a request: it begins with `req_` and stands in the header `request-id` of \
             every answer and in the body of every error."
        ),
    )
}

fn unknown(app: &App, id: &RequestId) -> Problem {
    Problem::new(
        Code::NotFound,
        format!(
            "Nothing is known of a request `{id}`. {} What has just happened arrives within seconds; of a request \
             without a valid key nothing is kept. Members see the requests of their own keys, team managers those that their team pays for.",
            kept(app)
        ),
    )
}

fn kept(app: &App) -> String {
    match app.terms.explanation_days {
        0 => "This gateway keeps no explanations (`CCAG_EXPLANATION_DAYS` is 0).".to_owned(),
        1 => "Explanations are kept for a day.".to_owned(),
        days => format!("Explanations are kept for {days} days."),
    }
}

fn from_ledger(app: &App) -> String {
    format!(
        "How this request was decided is not known, or no longer. {} What follows is what the ledger has.",
        kept(app)
    )
}

/// What the ledger knows.
fn of_ledger(ledger: &LedgerRow) -> Explanation {
    let attempt = Attempted {
        endpoint_id: ledger.endpoint_id.to_string(),
        endpoint: ledger.endpoint_id.to_string(),
        lane: ledger.surface.as_str().into(),
        bedrock_model: ledger.bedrock_model.clone().unwrap_or_default(),
        geography: ledger.geography.as_str().into(),
        error: ledger.error.clone(),
        reached: true,
        aws_request_id: ledger.aws_request_id.clone(),
        ..Attempted::default()
    };
    let mut explanation = Explanation {
        version: VERSION,
        request_id: ledger.request_id.to_string(),
        at_ms: ledger.started_at.ms(),
        status: ledger.status,
        outcome: ledger.outcome.as_str().into(),
        replica_id: ledger.replica_id.to_string(),
        key: KeyShown {
            id: ledger.key_id.to_string(),
            user_id: ledger.user_id.as_ref().map(ToString::to_string),
            team_id: ledger.team_id.as_ref().map(ToString::to_string),
            ..KeyShown::default()
        },
        attempts: if ledger.attempts > 0 {
            vec![attempt]
        } else {
            Vec::new()
        },
        ended: Ended {
            attempts: ledger.attempts,
            error: ledger.error.clone(),
            first_token_ms: ledger.first_token_ms,
            duration_ms: ledger.duration_ms,
            estimated: ledger.estimated,
            web_searches: ledger.web_searches,
        },
        ..Explanation::default()
    };
    explanation.asked.model.clone_from(&ledger.model);
    explanation.asked.streaming = ledger.streaming;
    explanation
}

/// The lines of what a record cost, by the price that it was computed from.
async fn cost(app: &App, record: &usage_record::Model) -> Result<Option<CostLines>, Problem> {
    let row = views::ledger(record.clone(), true)?;
    let stored = app.store.find_price(row.price_id.as_str()).await?;
    let dated = match stored {
        Some(price) => rows::dated_price(&price)?,
        // The built-in book stood in for one without rows.
        None => match catalogue::prices()
            .into_iter()
            .find(|price| price.id == row.price_id)
        {
            Some(price) => DatedPrice {
                price,
                valid_from_ms: 0,
                valid_until_ms: None,
            },
            None => return Ok(None),
        },
    };
    let tokens = Tokens {
        input: row.input_tokens,
        output: row.output_tokens,
        cache_read: row.cache_read_tokens,
        cache_write_5m: row.cache_write_5m_tokens,
        cache_write_1h: row.cache_write_1h_tokens,
    };
    let way = (row.geography, row.surface);
    let mut lines = CostLines::new(&dated.price, way, &tokens, row.web_searches, row.cost_nano_usd);
    lines.price_from_ms = (dated.valid_from_ms > 0).then_some(dated.valid_from_ms);
    lines.assumed = row.price_assumed;
    Ok(Some(lines))
}

/// The names that key, user and team have now.
async fn names(app: &App, key: &KeyShown) -> Result<[Option<String>; 3], Problem> {
    let store = &app.store;
    let first = |found: Vec<(String, String)>| found.into_iter().next().map(|(_, name)| name);
    let user: Vec<_> = key.user_id.iter().cloned().collect();
    let team: Vec<_> = key.team_id.iter().cloned().collect();
    let (key, user, team) = tokio::try_join!(
        store.list_key_names(std::slice::from_ref(&key.id)),
        store.list_user_names(&user),
        store.list_team_names(&team)
    )?;
    Ok([first(key), first(user), first(team)])
}
