//! Whether a known caller's request goes ahead.

use crate::auth::Authenticated;
use crate::ratelimit::RateLimiter;
use crate::sync::ConfigView;
use crate::usage::Spool;
use ccag_domain::config::UnpricedPolicy;
use ccag_domain::{Code, KeyId, Model, Problem, UnixMs};
use std::sync::Arc;

/// So many token counts are allowed for each model request that a key may send.
const COUNTS_PER_REQUEST: u32 = 20;

/// The rules that hold before Bedrock is asked.
pub(crate) struct Admission {
    /// Token counts have a limit of their own: Claude Code sends dozens at once for one look at its context.
    count_limiter: RateLimiter<KeyId>,
    spool: Spool,
}

impl Admission {
    pub(crate) fn new(spool: Spool) -> Self {
        Self {
            count_limiter: RateLimiter::default(),
            spool,
        }
    }

    /// Checks that a request's record would find room. It is asked before the body is read.
    ///
    /// # Errors
    /// 529 while no record could be kept.
    pub(crate) fn admit(&self) -> Result<(), Problem> {
        if !self.spool.can_take() {
            tracing::error!(
                bytes = self.spool.bytes(),
                backlog = self.spool.backlog(),
                "refusing requests: the usage spool is full or cannot be written"
            );
            return Err(Problem::new(
                Code::Overloaded,
                "this gateway cannot record usage at the moment and serves nothing that it cannot record; \
                 try again in a while",
            )
            .retry_after(30));
        }
        Ok(())
    }

    /// Counts a request for a token count, which costs nothing and leaves no record.
    ///
    /// # Errors
    /// 429 with the time to wait.
    pub(crate) fn admit_count(&self, who: &Authenticated, now: UnixMs) -> Result<(), Problem> {
        let Some(limit) = who.grant.rate_limit_rpm else {
            return Ok(());
        };
        let limit = limit.saturating_mul(COUNTS_PER_REQUEST);
        self.count_limiter
            .admit(&who.grant.id, limit, now)
            .map_err(|wait_s| Problem::new(Code::RateLimited, "too many token counts").retry_after(wait_s))
    }
}

/// Finds the model that a client means, if it may be served.
///
/// # Errors
/// 404, saying what to do, for a model that is not known here or has no price.
pub(crate) fn model(view: &ConfigView, said: &str) -> Result<Arc<Model>, Problem> {
    let shown = || said.chars().take(120).collect::<String>();
    let model = view.model(said).ok_or_else(|| {
        let message = format!(
            "model: {} is not served by this gateway; `GET /v1/models` lists those that are, \
             and an administrator can add others",
            shown()
        );
        Problem::new(Code::NotFound, message).field("model")
    })?;
    if !is_servable(view, model) {
        let message = format!(
            "model: {} has no price, and what cannot be priced is not served; \
             an administrator can set its price in the console",
            shown()
        );
        return Err(Problem::new(Code::NotFound, message).field("model"));
    }
    Ok(Arc::clone(model))
}

/// Whether a model's use can be paid for: it has a price, or policy lets the dearest of its family stand in.
pub(crate) fn is_servable(view: &ConfigView, model: &Model) -> bool {
    view.is_priced(&model.name)
        || (view.settings().unpriced == UnpricedPolicy::Dearest && view.has_price_like(&model.name))
}
