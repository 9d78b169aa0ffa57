//! What AWS lets an endpoint's account use, beside what of it was used.

use super::{Kept, load};
use crate::app::{App, catalogue, quota_use};
use crate::store::QuotaSum;
use ccag_admin_api::{EndpointQuotas, QuotaUsage, QuotaView, Timestamp};
use ccag_domain::{Actor, Area, EndpointId, Model, Permission, Problem, Quota, QuotaKind, quota};
use std::collections::HashMap;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// The quotas of an endpoint's account in its region, as they were when AWS was asked last, and what requests through this
/// endpoint have used of them. Others who use the account are not seen, and neither are requests that run.
///
/// # Errors
/// [`ccag_domain::Code::NotFound`], [`ccag_domain::Code::Forbidden`] for members.
pub async fn quotas(app: &App, actor: &Actor, id: &EndpointId) -> Result<EndpointQuotas, Problem> {
    actor.require_all(Permission::Read(Area::Endpoints))?;
    let row = async { Ok(app.store.find_discovery(id.as_str()).await?) };
    let models = async { Ok(app.store.list_models().await?) };
    let (endpoint, row, models) = tokio::try_join!(load(app, id), row, models)?;
    let kept = Kept::of(row.as_ref())?;
    let held = kept.map(|kept| kept.quotas).unwrap_or_default();
    let known = catalogue::models(&models)?;
    let now = app.now_ms();
    let (minute, day, counted) = if held.quotas.is_empty() {
        (Vec::new(), Vec::new(), HashMap::new())
    } else {
        tokio::try_join!(
            app.store.sum_quota_use(id.as_str(), now - MINUTE_MS),
            app.store.sum_quota_use(id.as_str(), now - DAY_MS),
            quota_use::counted(app)
        )?
    };
    let mut quotas: Vec<_> = held
        .quotas
        .into_iter()
        .map(|quota| {
            let sums = match quota.kind {
                QuotaKind::TokensPerDay => &day,
                QuotaKind::TokensPerMinute | QuotaKind::RequestsPerMinute => &minute,
            };
            let account = quota::account(&endpoint, &quota.code);
            let counts = quota.is_of_a_minute().then(|| counted.get(&account).copied());
            QuotaView {
                counted: counts.map(Option::unwrap_or_default),
                ..view(quota, &known, sums)
            }
        })
        .collect();
    // What is nearest to its end first, then what is served.
    quotas.sort_by_key(|quota| {
        let share = quota
            .used
            .map(|used| u128::from(used) * 1_000_000_000 / u128::from(quota.limit.max(1)));
        (
            std::cmp::Reverse(share),
            quota.model.is_none(),
            quota.name.clone(),
        )
    });
    Ok(EndpointQuotas {
        endpoint_id: id.clone(),
        asked_at: held.at_ms.map(Timestamp::from_ms),
        error: held.error,
        others: held.others,
        quotas,
    })
}

fn view(quota: Quota, known: &[Model], sums: &[QuotaSum]) -> QuotaView {
    let model = known.iter().find(|model| quota.is_of(model));
    let counts = |sum: &&QuotaSum| {
        let is_its = match &quota.model {
            None => true,
            Some(_) => model.is_some_and(|model| sum.model == model.name.as_str()),
        };
        is_its && quota.scope.counts(sum.geography)
    };
    let mut usage = QuotaUsage::default();
    let mut settled = 0_u64;
    for sum in sums.iter().filter(counts) {
        let burndown = known
            .iter()
            .find(|model| model.name.as_str() == sum.model)
            .map_or(ccag_domain::model::OUTPUT_BURNDOWN, |model| model.output_burndown);
        let tokens = sum.tokens;
        usage.requests += sum.requests;
        usage.input_tokens += tokens.input;
        usage.cache_read_tokens += tokens.cache_read;
        usage.cache_write_tokens += tokens.cache_write_5m + tokens.cache_write_1h;
        usage.output_tokens += tokens.output;
        usage.output_counted += tokens.output.saturating_mul(u64::from(burndown));
        settled = settled.saturating_add(quota::settled(&tokens, burndown));
    }
    let used = match quota.kind {
        QuotaKind::RequestsPerMinute => usage.requests,
        QuotaKind::TokensPerMinute | QuotaKind::TokensPerDay => settled,
    };
    let can_tell = quota.model.is_none() || model.is_some();
    QuotaView {
        model: model.map(|model| model.name.to_string()),
        code: quota.code,
        name: quota.name,
        scope: quota.scope,
        kind: quota.kind,
        limit: quota.limit,
        used: can_tell.then_some(used),
        usage: can_tell.then_some(usage),
        counted: None,
    }
}
