//! The numbers that stand for ids in packs.

use crate::store::{StoreError, dialect};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};
use std::collections::{BTreeSet, HashMap};

/// What stands for "none". Numbers begin after it.
pub(in crate::store) const NONE: i64 = 0;

/// The numbers of ids. Those that have none yet are given one: nobody else does meanwhile, since whoever makes a pack has the
/// ledger to themselves.
pub(super) async fn of(
    tx: &DatabaseTransaction,
    ids: BTreeSet<&str>,
) -> Result<HashMap<String, i64>, StoreError> {
    let backend = tx.get_database_backend();
    let mut numbers = HashMap::from([(String::new(), NONE)]);
    let ids: Vec<&str> = ids.into_iter().filter(|id| !id.is_empty()).collect();
    let size = dialect::rows_per_statement(2);
    for some in ids.chunks(size) {
        let values: Vec<Value> = some.iter().map(|&id| id.into()).collect();
        let sql = format!(
            "SELECT id, number FROM usage_numbers WHERE id IN ({})",
            places(values.len(), 1)
        );
        let statement = Statement::from_sql_and_values(backend, sql, values);
        for row in tx.query_all_raw(statement).await? {
            numbers.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        }
    }
    let new: Vec<&str> = ids.into_iter().filter(|id| !numbers.contains_key(*id)).collect();
    if new.is_empty() {
        return Ok(numbers);
    }
    let sql = "SELECT COALESCE(MAX(number), 0) FROM usage_numbers";
    let last = tx.query_one_raw(Statement::from_string(backend, sql)).await?;
    let mut number: i64 = last.map_or(Ok(NONE), |row| row.try_get_by_index(0))?;
    for some in new.chunks(size) {
        let mut values: Vec<Value> = Vec::with_capacity(some.len() * 2);
        for &id in some {
            number += 1;
            values.extend([Value::from(id), number.into()]);
            numbers.insert(id.to_owned(), number);
        }
        let sql = format!(
            "INSERT INTO usage_numbers (id, number) VALUES {}",
            places(some.len(), 2)
        );
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, values))
            .await?;
    }
    Ok(numbers)
}

/// `$1, $2, …`, or `($1, $2), ($3, $4), …`.
fn places(rows: usize, columns: usize) -> String {
    let row = |n: usize| {
        let of_row: Vec<String> = (1..=columns)
            .map(|column| format!("${}", n * columns + column))
            .collect();
        let text = of_row.join(", ");
        if columns > 1 { format!("({text})") } else { text }
    };
    (0..rows).map(row).collect::<Vec<String>>().join(", ")
}
