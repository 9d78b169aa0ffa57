//! Reads that do not wait for each other, sent to the database as one statement.
//!
//! Verbs read what they need one after the other and know nothing of each other. Where a page needs several of them, it asks
//! them at once, with `try_join!`, and what they read is collected until all of them wait; then it goes out together:
//!
//! ```sql
//! WITH q0 AS MATERIALIZED (SELECT id, name FROM teams ...), q1 AS MATERIALIZED (SELECT id, amount FROM budgets ...)
//! SELECT -1 AS q, q0.id AS q0_id, ..., q1.amount AS q1_amount FROM q0, q1 WHERE 1 = 0
//! UNION ALL SELECT 0, q0.id, q0.name, NULL, NULL FROM q0
//! UNION ALL SELECT 1, NULL, NULL, q1.id, q1.amount FROM q1
//! ```
//!
//! The first part has no rows and gives the columns their names, and on PostgreSQL their types; on SQLite `NULL` stands for
//! each. Each question keeps its own conditions, its order, and the columns that it would have had alone, under a prefix; all of
//! them see one state of the database.

use super::{Backend, Store, StoreError};
use futures_util::FutureExt;
use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryResult, QuerySelect,
    QueryTrait, Select, Statement, Value,
};
use std::fmt::Write;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use tokio::sync::oneshot;

/// How many values a statement that is put together may have: SQLite takes 32,766, PostgreSQL twice as many.
const MOST_VALUES: usize = 30_000;

/// How many columns: PostgreSQL takes 1,664 (its manual, appendix K), SQLite 2,000.
const MOST_COLUMNS: usize = 1_500;

tokio::task_local! {
    static WAITING: Waiting;
}

/// Rows, and what their columns' names begin with.
type Found = Result<(Arc<Vec<QueryResult>>, String), StoreError>;

/// A question that waits to be sent.
struct Asked {
    statement: Statement,
    columns: Vec<String>,
    /// Whether its rows are large.
    large: bool,
    /// Who wants to know: several who ask the same get the same rows.
    answers: Vec<oneshot::Sender<Found>>,
}

impl Asked {
    fn answer(self, found: &Found) {
        for answer in self.answers {
            // Whoever asked may have gone.
            let _ = answer.send(found.clone());
        }
    }
}

/// The questions of one request that wait to be sent.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Vec<Asked>>>);

impl Waiting {
    fn put(&self, asked: Asked) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|other| other.statement == asked.statement) {
            Some(same) => same.answers.extend(asked.answers),
            None => all.push(asked),
        }
    }

    fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// Does what a future does; what its parts ask at the same time goes to the database together.
    pub(crate) async fn together<F: Future>(&self, future: F) -> F::Output {
        let waiting = Waiting::default();
        let mut future = pin!(WAITING.scope(waiting.clone(), future));
        let mut sending = None;
        poll_fn(move |context| {
            loop {
                if let Poll::Ready(done) = future.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
                if sending.is_none() {
                    let asked = waiting.take();
                    if asked.is_empty() {
                        return Poll::Pending;
                    }
                    sending = Some(self.send(asked).boxed());
                }
                let Some(now) = sending.as_mut() else {
                    return Poll::Pending;
                };
                if now.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                sending = None;
            }
        })
        .await
    }

    /// Sends questions, as many together as fit, and hands on the answers.
    async fn send(&self, asked: Vec<Asked>) {
        let (mut some, mut values, mut columns) = (Vec::new(), 0, 0);
        for one in asked {
            let (more_values, more_columns) = (values_of(&one.statement).len(), one.columns.len());
            if !some.is_empty()
                && (values + more_values > MOST_VALUES || columns + more_columns > MOST_COLUMNS)
            {
                self.send_some(std::mem::take(&mut some)).await;
                (values, columns) = (0, 0);
            }
            values += more_values;
            columns += more_columns;
            some.push(one);
        }
        self.send_some(some).await;
    }

    async fn send_some(&self, asked: Vec<Asked>) {
        let found = match asked.as_slice() {
            [one] => {
                let rows = self.db.query_all_raw(one.statement.clone()).await;
                rows.map(|rows| vec![rows]).map_err(StoreError::from)
            }
            several => {
                self.rows_by_question(self.put_together(several), several.len())
                    .await
            }
        };
        let alone = asked.len() == 1;
        match found {
            Ok(found) => {
                for (n, (one, rows)) in asked.into_iter().zip(found).enumerate() {
                    let prefix = if alone { String::new() } else { format!("q{n}_") };
                    one.answer(&Ok((Arc::new(rows), prefix)));
                }
            }
            Err(error) => {
                for one in asked {
                    one.answer(&Err(error.clone()));
                }
            }
        }
    }

    async fn rows_by_question(
        &self,
        statement: Statement,
        questions: usize,
    ) -> Result<Vec<Vec<QueryResult>>, StoreError> {
        let mut found: Vec<Vec<QueryResult>> = std::iter::repeat_with(Vec::new).take(questions).collect();
        for row in self.db.query_all_raw(statement).await? {
            let n: i32 = row.try_get_by_index(0)?;
            if let Some(of) = usize::try_from(n).ok().and_then(|n| found.get_mut(n)) {
                of.push(row);
            }
        }
        Ok(found)
    }

    fn put_together(&self, asked: &[Asked]) -> Statement {
        let mut sql = String::new();
        let mut values: Vec<Value> = Vec::new();
        let mut sources: Vec<String> = Vec::new();
        let mut word = "WITH";
        for (n, one) in asked.iter().enumerate() {
            let text = renumbered(&one.statement.sql, self.backend, values.len());
            values.extend(values_of(&one.statement).iter().cloned());
            if one.large && self.backend == Backend::Sqlite {
                sources.push(format!("({text}) AS q{n}"));
                continue;
            }
            let _ = write!(sql, "{word} q{n} AS MATERIALIZED ({text}) ");
            word = ",";
            sources.push(format!("q{n}"));
        }
        sql.push_str("SELECT CAST(-1 AS INTEGER) AS q");
        for (n, one) in asked.iter().enumerate() {
            for column in &one.columns {
                let _ = match self.backend {
                    Backend::Postgres => write!(sql, ", q{n}.\"{column}\" AS \"q{n}_{column}\""),
                    Backend::Sqlite => write!(sql, ", NULL AS \"q{n}_{column}\""),
                };
            }
        }
        if self.backend == Backend::Postgres {
            let _ = write!(sql, " FROM {}", sources.join(", "));
        }
        sql.push_str(" WHERE 1 = 0");
        for (n, source) in sources.iter().enumerate() {
            let _ = write!(sql, " UNION ALL SELECT {n}");
            for (other, one) in asked.iter().enumerate() {
                for column in &one.columns {
                    if other == n {
                        let _ = write!(sql, ", q{n}.\"{column}\"");
                    } else {
                        sql.push_str(", NULL");
                    }
                }
            }
            let _ = write!(sql, " FROM {source}");
        }
        Statement::from_sql_and_values(self.db.get_database_backend(), sql, values)
    }

    /// The rows that a statement finds; `columns` are all of theirs.
    pub(super) async fn read<M: FromQueryResult>(
        &self,
        statement: Statement,
        columns: Vec<String>,
    ) -> Result<Vec<M>, StoreError> {
        self.read_rows(statement, columns, false).await
    }

    /// The same of rows that are large and in no order: SQLite would copy all of them before it hands on the first.
    pub(super) async fn read_large<M: FromQueryResult>(
        &self,
        statement: Statement,
        columns: Vec<String>,
    ) -> Result<Vec<M>, StoreError> {
        self.read_rows(statement, columns, true).await
    }

    async fn read_rows<M: FromQueryResult>(
        &self,
        statement: Statement,
        columns: Vec<String>,
        large: bool,
    ) -> Result<Vec<M>, StoreError> {
        let (answer, found) = oneshot::channel();
        let asked = Asked {
            statement,
            columns,
            large,
            answers: vec![answer],
        };
        // Outside a request nothing is collected.
        let mut asked = Some(asked);
        let _ = WAITING.try_with(|waiting| asked.take().map(|asked| waiting.put(asked)));
        if let Some(alone) = asked {
            self.send_some(vec![alone]).boxed().await;
        }
        let gone = |_| StoreError::Other("a statement was not sent".to_owned());
        let (rows, prefix) = found.await.map_err(gone)??;
        let read = |row: &QueryResult| M::from_query_result(row, &prefix);
        Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
    }
}

/// What stands in the places of a statement.
fn values_of(statement: &Statement) -> &[Value] {
    statement
        .values
        .as_ref()
        .map_or(&[], |values| values.0.as_slice())
}

/// A statement whose places are counted on from `before`. SQLite's are written `?` by the query builder.
fn renumbered(sql: &str, backend: Backend, before: usize) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let (mut quote, mut count) = (None, before);
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            ('?', None) if backend == Backend::Sqlite => {
                count += 1;
                let _ = write!(text, "${count}");
                continue;
            }
            ('$', None) => {
                let mut place = 0_usize;
                while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
                    place = place * 10 + digit as usize;
                    rest.next();
                }
                let _ = write!(text, "${}", place + before);
                continue;
            }
            _ => {}
        }
        text.push(c);
    }
    text
}

/// A number of rows.
#[derive(FromQueryResult)]
struct Count {
    num_items: i64,
}

/// Reading what a selection finds, together with what else is read at the same time.
pub(super) trait Read<E: EntityTrait>: Sized {
    /// All rows.
    fn all_in(self, store: &Store) -> impl Future<Output = Result<Vec<E::Model>, StoreError>> + Send;

    /// The first row.
    fn one_in(self, store: &Store) -> impl Future<Output = Result<Option<E::Model>, StoreError>> + Send;

    /// How many rows there are.
    fn count_in(self, store: &Store) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// How many rows there are, if it is no more than that, and otherwise one more.
    fn count_up_to(self, store: &Store, most: u64) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

// The statements are made before anything waits: selections are large, and would be kept as long.
impl<E> Read<E> for Select<E>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Sized + Send + Sync,
{
    fn all_in(self, store: &Store) -> impl Future<Output = Result<Vec<E::Model>, StoreError>> + Send {
        let columns = E::Column::iter()
            .map(|column| column.as_str().to_owned())
            .collect();
        store.read(self.build(store.db.get_database_backend()), columns)
    }

    fn one_in(self, store: &Store) -> impl Future<Output = Result<Option<E::Model>, StoreError>> + Send {
        let rows = self.limit(1).all_in(store);
        async move { Ok(rows.await?.into_iter().next()) }
    }

    fn count_up_to(self, store: &Store, most: u64) -> impl Future<Output = Result<u64, StoreError>> + Send {
        self.limit(most + 1).count_in(store)
    }

    fn count_in(self, store: &Store) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let rows = self
            .select_only()
            .column_as(sea_orm::sea_query::Expr::val(1), "one");
        let found = rows.build(store.db.get_database_backend());
        let statement = Statement {
            sql: format!("SELECT COUNT(*) AS num_items FROM ({}) AS found", found.sql),
            ..found
        };
        let counted = store.read::<Count>(statement, vec!["num_items".to_owned()]);
        async move {
            let count = counted.await?.first().map_or(0, |count| count.num_items);
            Ok(u64::try_from(count).unwrap_or(0))
        }
    }
}

impl Store {
    /// The rows of a selection of some columns, which are named as the fields of what is read.
    pub(super) async fn read_some<M: FromQueryResult, E: EntityTrait>(
        &self,
        select: Select<E>,
        columns: &[&str],
    ) -> Result<Vec<M>, StoreError> {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        self.read(select.build(self.db.get_database_backend()), columns)
            .await
    }
}

/// An id, and a text that belongs to it.
#[derive(FromQueryResult)]
pub(super) struct OfId {
    pub(super) id: String,
    pub(super) value: String,
}

/// An id, and a number that belongs to it.
#[derive(FromQueryResult)]
pub(super) struct CountOf {
    pub(super) id: String,
    pub(super) found: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_on_and_quoted_text_is_left_alone() {
        let sqlite = renumbered("a = ? AND b = '?$1' AND \"c?\" = ?", Backend::Sqlite, 2);
        assert_eq!(sqlite, "a = $3 AND b = '?$1' AND \"c?\" = $4");
        let postgres = renumbered("a = $1 AND b ? 'x' AND c IN ($2, $10)", Backend::Postgres, 4);
        assert_eq!(postgres, "a = $5 AND b ? 'x' AND c IN ($6, $14)");
        let numbered = renumbered("a = $1 OR b = $1", Backend::Sqlite, 1);
        assert_eq!(numbered, "a = $2 OR b = $2");
    }
}
