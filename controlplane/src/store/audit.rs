//! Who changed what.
//!
//! The log is a chain. Each entry has a number, one more than the entry before, and a hash over its own content and the hash
//! before it. So nobody can change, remove or slip in an entry without all hashes after it being others, up to the last one,
//! which is kept in a row of its own. Whoever may write to the database can make a new chain; that shows where the number
//! and hash of an entry were kept elsewhere.

use super::entity::{audit, audit_head};
use super::together::Read as _;
use super::turn::{COUNTED, Sorted, Turn};
use super::{Store, StoreError, contains, dialect};
use ccag_domain::UnixMs;
use sea_orm::sea_query::{Expr, ExprTrait, NullOrdering, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, Order, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};

/// How many entries are read at a time when the chain is walked.
const WALK: u64 = 1_000;

/// An entry of the log.
pub(crate) type AuditRow = audit::Model;

/// One entry to be written. `details` holds no secret.
#[derive(Debug, Clone)]
pub(crate) struct AuditEntry {
    pub(crate) id: String,
    /// A user id, or `system`.
    pub(crate) actor: String,
    /// `key.revoke`, for example.
    pub(crate) action: &'static str,
    /// What kind of object it was.
    pub(crate) kind: &'static str,
    pub(crate) object_id: String,
    pub(crate) details: serde_json::Value,
}

/// Which entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilter {
    /// What the actor, the action or the object's id holds.
    pub(crate) search: Option<String>,
    pub(crate) from_ms: Option<UnixMs>,
    pub(crate) to_ms: Option<UnixMs>,
}

impl AuditFilter {
    fn condition(&self) -> Condition {
        use audit::Column as C;
        let holds = self.search.as_ref().map(|text| {
            Condition::any()
                .add(C::Actor.like(contains(text)))
                .add(C::Action.like(contains(text)))
                .add(C::ObjectId.like(contains(text)))
        });
        Condition::all()
            .add_option(holds)
            .add_option(self.from_ms.map(|from| C::AtMs.gte(from)))
            .add_option(self.to_ms.map(|to| C::AtMs.lt(to)))
    }
}

/// An entry's place in the list: by its number, or, where it has none, by its time and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) seq: Option<i64>,
    pub(crate) at_ms: UnixMs,
    pub(crate) id: String,
}

/// Where the chain ends, or what it was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: i64,
    pub(crate) hash: String,
}

/// What became of walking the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walk {
    /// How many entries are sound, counted from the first.
    pub(crate) sound: u64,
    /// How many are from before there was a chain.
    pub(crate) before: u64,
    /// Where it ends.
    pub(crate) head: Link,
    /// The first entry that is not as it was written, and what is wrong with it.
    pub(crate) broken: Option<(i64, &'static str)>,
    /// Whether an entry that somebody remembers is in it as it was.
    pub(crate) remembered: Option<bool>,
}

/// The hash of an entry: over its content as JSON, and the hash of the entry before.
fn seal(before: &str, row: &audit::Model) -> String {
    let content = serde_json::json!([
        before,
        row.seq,
        row.id,
        row.at_ms,
        row.actor,
        row.action,
        row.object_kind,
        row.object_id,
        row.details,
    ]);
    hex::encode(Sha256::digest(content.to_string()))
}

/// Adds an entry. The row with the last one stays locked until the transaction ends: it is the last lock that any
/// transaction takes.
pub(super) async fn insert(
    tx: &DatabaseTransaction,
    now_ms: UnixMs,
    entry: AuditEntry,
) -> Result<(), StoreError> {
    use audit_head::Column as H;
    let moved = audit_head::Entity::update_many()
        .col_expr(H::Seq, Expr::col(H::Seq).add(1))
        .filter(H::Id.eq(1))
        .exec_with_returning(tx)
        .await?;
    let [head] = moved.as_slice() else {
        return Err(StoreError::Other(
            "the database has not been initialised: its row in audit_head is missing".to_owned(),
        ));
    };
    let mut row = audit::Model {
        id: entry.id,
        at_ms: now_ms,
        actor: entry.actor,
        action: entry.action.to_owned(),
        object_kind: entry.kind.to_owned(),
        object_id: entry.object_id,
        details: entry.details.to_string(),
        seq: Some(head.seq),
        hash: None,
    };
    let hash = seal(&head.hash, &row);
    row.hash = Some(hash.clone());
    audit::Entity::insert(audit::ActiveModel {
        id: Set(row.id),
        at_ms: Set(row.at_ms),
        actor: Set(row.actor),
        action: Set(row.action),
        object_kind: Set(row.object_kind),
        object_id: Set(row.object_id),
        details: Set(row.details),
        seq: Set(row.seq),
        hash: Set(row.hash),
    })
    .exec_without_returning(tx)
    .await?;
    audit_head::Entity::update_many()
        .col_expr(H::Hash, Expr::value(hash))
        .filter(H::Id.eq(1))
        .exec(tx)
        .await?;
    Ok(())
}

impl Store {
    /// Entries, the newest first, one page.
    pub(crate) async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<&Position>,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        use audit::Column as C;
        let older = after.map(|Position { seq, at_ms, id }| match seq {
            Some(seq) => Condition::any().add(C::Seq.lt(*seq)).add(C::Seq.is_null()),
            None => {
                let same = Condition::all().add(C::AtMs.eq(*at_ms)).add(C::Id.lt(id));
                let older = Condition::any().add(C::AtMs.lt(*at_ms)).add(same);
                Condition::all().add(C::Seq.is_null()).add(older)
            }
        });
        audit::Entity::find()
            .filter(filter.condition().add_option(older))
            .order_by_with_nulls(C::Seq, Order::Desc, NullOrdering::Last)
            .order_by_desc(C::AtMs)
            .order_by_desc(C::Id)
            .offset(offset)
            .limit(limit)
            .all_in(self)
            .await
    }

    /// Entries of the chain, the newest first, one page; those from before there was one follow on the last. Of a page that
    /// ends before a row the last one comes first. How many there are in all, up to [`COUNTED`], is said as well.
    pub(crate) async fn turn_audit(
        &self,
        filter: &AuditFilter,
        (turn, offset): (Option<&Turn>, u64),
        limit: u64,
    ) -> Result<(Vec<AuditRow>, u64), StoreError> {
        use audit::Column as C;
        let all = audit::Entity::find().filter(filter.condition());
        let chain = Sorted {
            by: C::Seq,
            number: true,
            optional: false,
            id: C::Id,
            ascending: false,
        };
        let in_chain = all.clone().filter(C::Seq.is_not_null());
        let before = |id: Option<SimpleExpr>| {
            let id = Condition::all().add_option(id);
            all.clone().filter(C::Seq.is_null()).filter(id)
        };
        let count = all.clone().count_up_to(self, COUNTED);
        let room = |rows: &[AuditRow]| limit.saturating_sub(rows.len() as u64);
        let unnumbered = match turn {
            Some(Turn::Before(place) | Turn::After(place)) => place.id_without_value(),
            None => None,
        };
        let (rows, total) = match (turn, unnumbered) {
            (Some(Turn::Before(_)), Some(id)) => {
                let later = before(Some(C::Id.gt(id))).order_by_asc(C::Id).limit(limit);
                let (mut rows, total) = tokio::try_join!(later.all_in(self), count)?;
                let end = in_chain.order_by_asc(C::Seq).limit(room(&rows));
                rows.extend(end.all_in(self).await?);
                (rows, total)
            }
            (_, Some(id)) => {
                let older = before(Some(C::Id.lt(id))).order_by_desc(C::Id).limit(limit);
                tokio::try_join!(older.all_in(self), count)?
            }
            (_, None) => {
                let some = chain.select(in_chain, turn).offset(offset).limit(limit);
                let (mut rows, total) = tokio::try_join!(some.all_in(self), count)?;
                if room(&rows) > 0 && !matches!(turn, Some(Turn::Before(_))) {
                    let older = before(None).order_by_desc(C::Id).limit(room(&rows));
                    rows.extend(older.all_in(self).await?);
                }
                (rows, total)
            }
        };
        Ok((rows, total))
    }

    /// Walks the chain from its beginning. `remembered` is an entry that somebody has kept the number and hash of.
    pub(crate) async fn walk_audit(&self, remembered: Option<&Link>) -> Result<Walk, StoreError> {
        use audit::Column as C;
        let tx = dialect::begin_read(&self.db, self.backend).await?;
        let head = audit_head::Entity::find_by_id(1).one(&tx).await?;
        let head = head.map_or(
            Link {
                seq: 0,
                hash: String::new(),
            },
            |row| Link {
                seq: row.seq,
                hash: row.hash,
            },
        );
        let before = audit::Entity::find().filter(C::Seq.is_null()).count(&tx).await?;
        let mut at = Link {
            seq: 0,
            hash: String::new(),
        };
        let mut holds = remembered.map(|kept| *kept == at);
        let mut broken = None;
        'walk: loop {
            let page = audit::Entity::find()
                .filter(C::Seq.gt(at.seq))
                .order_by_asc(C::Seq)
                .limit(WALK)
                .all(&tx)
                .await?;
            let full = page.len() as u64 == WALK;
            for row in page {
                let next = at.seq + 1;
                if row.seq != Some(next) {
                    broken = Some((next, "it is missing"));
                    break 'walk;
                }
                if row.hash.as_deref() != Some(seal(&at.hash, &row).as_str()) {
                    broken = Some((next, "it, or the one before it, is not as it was written"));
                    break 'walk;
                }
                at = Link {
                    seq: next,
                    hash: row.hash.unwrap_or_default(),
                };
                if let Some(kept) = remembered.filter(|kept| kept.seq == next) {
                    holds = Some(*kept == at);
                }
            }
            if !full {
                break;
            }
        }
        if broken.is_none() && at != head {
            broken = Some((at.seq + 1, "it is missing, or more were added than were counted"));
        }
        tx.commit().await?;
        Ok(Walk {
            sound: u64::try_from(at.seq).unwrap_or(0),
            before,
            head,
            broken,
            remembered: holds,
        })
    }
}
