//! What is in no pack, read from its rows.

use super::lines::{self, Group};
use super::sum::{Plan, Together};
use super::{LAST, Sums};
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
                sql.say(") AS parts GROUP BY bucket, group_key) AS found");
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
            let Some(plan) = plan else { continue };
            let text = found.lines.unwrap_or_default();
            // The piece of time, and what is added up.
            match 1 + plan.columns().count() {
                2 => put::<2>(&mut rows, member, plan, &text)?,
                3 => put::<3>(&mut rows, member, plan, &text)?,
                _ => put::<10>(&mut rows, member, plan, &text)?,
            }
        }
        Ok(rows)
    }
}

/// Reads lines of a member: pieces of time, the numbers of its plan, and groups.
fn put<const N: usize>(rows: &mut Vec<Row>, member: usize, plan: Plan, text: &str) -> Result<(), StoreError> {
    for line in lines::read::<N>(text) {
        let (numbers, group) = line?;
        let mut numbers = numbers.into_iter();
        let at = numbers.next().unwrap_or(0);
        let mut sums = [0; 9];
        for ((slot, _), number) in plan.columns().zip(numbers) {
            if let Some(sum) = sums.get_mut(slot) {
                *sum = number;
            }
        }
        rows.push((member, at, group, sums));
    }
    Ok(())
}
