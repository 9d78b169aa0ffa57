//! Requests that carry an idempotency key.

use super::entity::idempotent_request::{self, Column as C};
use super::{Store, StoreError};
use crate::secrets::name;
use ccag_domain::UnixMs;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TryInsertResult};
use zeroize::Zeroizing;

/// How long an answer is kept, in milliseconds.
pub(crate) const ANSWERS_KEPT_MS: UnixMs = ccag_domain::time::DAY_MS;

/// What there is of a request that was sent before.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) body_digest: String,
    pub(crate) created_at_ms: UnixMs,
    /// Its status and its body, if it has been answered and the answer can be opened.
    pub(crate) answer: Option<(u16, Zeroizing<Vec<u8>>)>,
}

impl Store {
    /// Claims a request: `None` if nobody has sent it since `since_ms`, and what there is of it otherwise. Of several who claim it
    /// at once one has it.
    pub(crate) async fn claim_request(
        &self,
        id: &str,
        body_digest: &str,
        now_ms: UnixMs,
        since_ms: UnixMs,
    ) -> Result<Option<Earlier>, StoreError> {
        let (tx, _writer) = self.write().await?;
        idempotent_request::Entity::delete_many()
            .filter(C::Id.eq(id))
            .filter(C::CreatedAtMs.lt(since_ms))
            .exec(&tx)
            .await?;
        let row = idempotent_request::Model {
            id: id.to_owned(),
            body_digest: body_digest.to_owned(),
            status: None,
            answer: None,
            created_at_ms: now_ms,
        };
        let claimed = idempotent_request::Entity::insert(row.into_active_model())
            .on_conflict_do_nothing()
            .exec_without_returning(&tx)
            .await?;
        let earlier = match claimed {
            TryInsertResult::Inserted(1) => None,
            _ => {
                let row = idempotent_request::Entity::find_by_id(id).one(&tx).await?;
                row.map(|row| self.earlier(row))
            }
        };
        tx.commit().await?;
        Ok(earlier)
    }

    fn earlier(&self, row: idempotent_request::Model) -> Earlier {
        let status = row.status.and_then(|status| u16::try_from(status).ok());
        let sealed = row.answer.as_ref();
        let body = sealed.and_then(|sealed| self.secrets().open(&name::answer(&row.id), sealed));
        Earlier {
            body_digest: row.body_digest,
            created_at_ms: row.created_at_ms,
            answer: status.zip(body),
        }
    }

    /// Keeps the answer to a request that was claimed.
    pub(crate) async fn keep_answer(&self, id: &str, status: u16, body: &[u8]) -> Result<(), StoreError> {
        let sealed = self.secrets().seal(&name::answer(id), body);
        let (tx, _writer) = self.write().await?;
        idempotent_request::Entity::update_many()
            .col_expr(C::Status, Expr::value(i64::from(status)))
            .col_expr(C::Answer, Expr::value(sealed))
            .filter(C::Id.eq(id))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets a request be sent again as if it had not been.
    pub(crate) async fn forget_request(&self, id: &str) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        idempotent_request::Entity::delete_by_id(id).exec(&tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets requests from before a moment.
    pub(crate) async fn delete_requests_before(&self, before_ms: UnixMs) -> Result<(), StoreError> {
        let (tx, _writer) = self.write().await?;
        idempotent_request::Entity::delete_many()
            .filter(C::CreatedAtMs.lt(before_ms))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
