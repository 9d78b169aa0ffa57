//! Many groups in one row: a row for each would take several times as long, since SQLite's rows are handed from thread to thread.

use super::numbers::NONE;
use crate::store::{Backend, StoreError};

/// What a group is called in packs; of one that is in none yet, its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::store) enum Group {
    Number(i64),
    Id(String),
}

impl Group {
    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('#') {
            Some(number) => number.parse().ok().map(Self::Number),
            None => match text.strip_prefix('=')? {
                "" => Some(Self::Number(NONE)),
                id => Some(Self::Id(id.to_owned())),
            },
        }
    }
}

/// An expression for all rows of a `found`: a line for each, with these columns, which are numbers, and its group.
pub(in crate::store) fn written(backend: Backend, columns: &[&str], group: &str) -> String {
    let mut line = String::new();
    for column in columns {
        line.push_str(&format!("CAST(found.{column} AS TEXT) || ' ' || "));
    }
    // PostgreSQL would read all numbers to join those of a few groups.
    line.push_str(&format!(
        "COALESCE('#' || (SELECT CAST(number AS TEXT) FROM usage_numbers WHERE id = found.{group}), '=' || found.{group})"
    ));
    joined(backend, &line)
}

/// An expression for the texts of many rows, a line for each.
pub(in crate::store) fn joined(backend: Backend, text: &str) -> String {
    match backend {
        Backend::Sqlite => format!("GROUP_CONCAT({text}, CHAR(10))"),
        Backend::Postgres => format!("STRING_AGG({text}, CHR(10))"),
    }
}

/// Such lines: so many numbers, and the group.
pub(in crate::store) fn read<const N: usize>(
    text: &str,
) -> impl Iterator<Item = Result<([i64; N], Group), StoreError>> {
    text.lines().map(|line| {
        let mut parts = line.splitn(N + 1, ' ');
        let mut numbers = [0; N];
        for number in &mut numbers {
            let part = parts.next().and_then(|part| part.parse().ok());
            *number = part.ok_or_else(bad)?;
        }
        let group = parts.next().and_then(Group::read).ok_or_else(bad)?;
        Ok((numbers, group))
    })
}

fn bad() -> StoreError {
    StoreError::unreadable("usage_sums", "a line that is none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbers_and_a_group() {
        let lines: Result<Vec<_>, _> = read("1 -2 #7\n3 4 =user_1\n5 6 =").collect();
        let expected = [
            ([1, -2], Group::Number(7)),
            ([3, 4], Group::Id("user_1".into())),
            ([5, 6], Group::Number(NONE)),
        ];
        assert_eq!(lines.unwrap(), expected);
        for bad in ["1 2", "1 x #1", "1 2 7", "1 2 #x"] {
            assert!(read::<2>(bad).any(|line| line.is_err()), "{bad}");
        }
    }
}
