//! What is in no pack, read from its rows.

use super::lines::{self, Group};
use super::sum::{Plan, Sums, Together};
use super::{COST_AT, LAST};
use crate::store::questions::Sql;
use crate::store::reading::Part;
use crate::store::{Store, StoreError};
use sea_orm::FromQueryResult;

/// What a question's groups come to.
#[derive(FromQueryResult)]
struct Lines {
    member: i32,
    lines: Option<String>,
}

/// The question's place, the piece of time, and what a group comes to in it.
pub(super) type Row = (usize, i64, Group, Sums);

impl Store {
    /// What is in no pack, of each member's groups.
    pub(super) async fn rest(
        &self,
        together: &[Together<'_>],
        rest: &[Vec<Part>],
    ) -> Result<Vec<Row>, StoreError> {
        let mut sql = Sql::default();
        for (one, parts) in together.iter().zip(rest).filter(|(_, parts)| !parts.is_empty()) {
            for (member, plan) in &one.members {
                if !sql.is_empty() {
                    sql.say(" UNION ALL ");
                }
                let group = match plan.group() {
                    Some(group) => self.loose(group),
                    None => "CAST('' AS TEXT)".to_owned(),
                };
                let mut numbers: Vec<&str> = vec!["bucket"];
                let (mut sums, mut plain) = (String::new(), format!("START AS bucket, {group} AS group_key"));
                for (_, column) in plan.columns() {
                    numbers.push(column);
                    if column == LAST {
                        sums.push_str(", MAX(last_ms) AS last_ms");
                        plain.push_str(", LAST AS last_ms");
                    } else {
                        sums.push_str(&format!(", CAST(SUM({column}) AS BIGINT) AS {column}"));
                        plain.push_str(&format!(", {column}"));
                    }
                }
                sql.say(format_args!(
                    "SELECT CAST({member} AS INTEGER) AS member, {} AS lines FROM (SELECT bucket, group_key{sums} FROM (",
                    lines::written(self.backend, &numbers, "group_key")
                ));
                sql.these(parts.clone(), one.reading.piece, one.filter, &plain, "");
                sql.say(
                    ") AS parts GROUP BY bucket, group_key) AS found LEFT JOIN usage_numbers ON \
                     usage_numbers.id = found.group_key",
                );
            }
        }
        if sql.is_empty() {
            return Ok(Vec::new());
        }
        let columns = ["member", "lines"].map(ToOwned::to_owned).into();
        let mut rows = Vec::new();
        for found in self.read::<Lines>(sql.made(self), columns).await? {
            let member = usize::try_from(found.member).unwrap_or(usize::MAX);
            let plan = together
                .iter()
                .flat_map(|one| &one.members)
                .find(|(place, _)| *place == member)
                .map(|(_, plan)| *plan);
            let text = found.lines.unwrap_or_default();
            if plan.is_some_and(Plan::is_by_cost) {
                for line in lines::read(&text) {
                    let ([at, cost], group) = line?;
                    let mut sums = [0; 9];
                    sums[COST_AT] = cost;
                    rows.push((member, at, group, sums));
                }
            } else {
                for line in lines::read(&text) {
                    let ([at, sums @ ..], group): ([i64; 10], Group) = line?;
                    rows.push((member, at, group, sums));
                }
            }
        }
        Ok(rows)
    }
}
