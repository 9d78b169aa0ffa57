//! Packs as they are read: which of their rows are chosen, and what those hold.

use super::{IDS, LAST};
use crate::store::StoreError;
use ccag_domain::UnixMs;
use prost::encoding::decode_varint;
use std::collections::BTreeMap;

/// A day or a month of what is wanted.
pub(in crate::store) struct Pack {
    start: UnixMs,
    parts: Parts,
}

/// What is written down of a pack, by column.
pub(super) type Parts = BTreeMap<String, Vec<u8>>;

/// Which rows of packs are selected: by column, the numbers of all that may stand there, in order.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Chosen(pub(super) Vec<(&'static str, Vec<i64>)>);

/// What the chosen rows of a pack hold.
pub(in crate::store) struct Columns {
    rows: usize,
    values: BTreeMap<&'static str, Vec<i64>>,
}

impl Columns {
    /// How many rows there are.
    pub(in crate::store) const fn rows(&self) -> usize {
        self.rows
    }

    /// What they hold in a column: as many values as there are rows.
    pub(in crate::store) fn of(&self, column: &str) -> &[i64] {
        self.values.get(column).map_or(&[], Vec::as_slice)
    }
}

impl Pack {
    pub(super) fn new(start: UnixMs, parts: impl IntoIterator<Item = (impl Into<String>, Vec<u8>)>) -> Self {
        let parts = parts.into_iter().map(|(part, data)| (part.into(), data));
        Self {
            start,
            parts: parts.collect(),
        }
    }

    pub(in crate::store) const fn start(&self) -> UnixMs {
        self.start
    }

    /// How long it is, in bytes.
    pub(in crate::store) fn size(&self) -> usize {
        self.parts.values().map(Vec::len).sum()
    }

    /// These columns of the rows that are chosen. Of the others no more is read than has to be to get past them.
    ///
    /// # Errors
    /// If it is none.
    pub(in crate::store) fn open(
        &self,
        chosen: &Chosen,
        columns: impl IntoIterator<Item = &'static str>,
    ) -> Result<Columns, StoreError> {
        let mut rows: Option<Vec<usize>> = None;
        for (column, numbers) in &chosen.0 {
            let mut found = Vec::new();
            self.read(column, rows.as_deref(), |row, number| {
                if numbers.binary_search(&number).is_ok() {
                    found.push(row);
                }
            })?;
            rows = Some(found);
        }
        let mut count = rows.as_ref().map(Vec::len);
        let mut values = BTreeMap::new();
        for column in columns {
            if values.contains_key(column) {
                continue;
            }
            let mut of = Vec::with_capacity(count.unwrap_or_else(|| self.rows(column)));
            self.read(column, rows.as_deref(), |_, number| of.push(number))?;
            if *count.get_or_insert(of.len()) != of.len() {
                return Err(bad(column));
            }
            values.insert(column, of);
        }
        let rows = count.unwrap_or(0);
        Ok(Columns { rows, values })
    }

    /// How many rows there are, by a column.
    fn rows(&self, column: &str) -> usize {
        self.data(column).iter().filter(|byte| ends(**byte)).count()
    }

    fn data(&self, column: &str) -> &[u8] {
        self.parts.get(column).map_or(&[], Vec::as_slice)
    }

    /// The numbers in these rows of a column, or in all of them.
    fn read(
        &self,
        column: &str,
        rows: Option<&[usize]>,
        take: impl FnMut(usize, i64),
    ) -> Result<(), StoreError> {
        let data = self.data(column);
        let read = match rows {
            Some(rows) => read(column, self.start, data, rows.iter().copied(), take),
            None => read(column, self.start, data, 0..self.rows(column), take),
        };
        read.ok_or_else(|| bad(column))
    }
}

fn bad(column: &str) -> StoreError {
    StoreError::unreadable("usage_packs", format!("bad values in {column}"))
}

/// Whether a number ends with that byte.
const fn ends(byte: u8) -> bool {
    byte < 0x80
}

/// The numbers in these rows, which are in order, of a column. There are none if it is not one.
fn read(
    column: &str,
    start: UnixMs,
    mut data: &[u8],
    rows: impl Iterator<Item = usize>,
    mut take: impl FnMut(usize, i64),
) -> Option<()> {
    let in_steps = IDS.iter().any(|(id, _)| *id == column);
    let mut before = if column == LAST { start } else { 0 };
    let mut next = 0;
    for row in rows {
        let between = row - next;
        if in_steps {
            for _ in 0..between {
                before = before.wrapping_add(number(&mut data)?);
            }
        } else {
            for _ in 0..between {
                let end = data.iter().position(|byte| ends(*byte))?;
                data = data.get(end + 1..)?;
            }
        }
        let value = before.wrapping_add(number(&mut data)?);
        if in_steps {
            before = value;
        }
        take(row, value);
        next = row + 1;
    }
    Some(())
}

/// What Protobuf calls `sint64`. Most of them are one byte long.
#[inline]
fn number(data: &mut &[u8]) -> Option<i64> {
    let (first, rest) = data.split_first()?;
    let number = if ends(*first) {
        *data = rest;
        u64::from(*first)
    } else {
        decode_varint(data).ok()?
    };
    Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::super::{COST, IDS, Row, USAGE, pack};
    use super::*;
    use crate::store::cubes::{Dims, Facts, Grain};
    use ccag_domain::time::DAY_MS;

    fn packed(rows: &mut [Row]) -> Pack {
        let cube = Facts::Usage.find(Grain::Day, Dims::KEY).unwrap();
        Pack::new(DAY_MS, pack(cube, DAY_MS, rows))
    }

    #[test]
    fn of_rows_that_are_chosen_all_is_read_and_of_others_nothing() {
        let row = |user: i64, team: i64| Row {
            ids: [user, user * 1_000, team, 0, 0, 0],
            sums: [user, -1, user * 500, 0, 70, 0, 0, user * 100_000, DAY_MS + user],
        };
        let mut rows: Vec<Row> = (1..500).map(|user| row(user, user % 7)).collect();
        let pack = packed(&mut rows);
        let ids = IDS.iter().map(|(id, _)| *id).take(3);
        let all: Vec<&'static str> = ids.chain(USAGE).collect();
        for chosen in [
            vec![],
            vec![("team_id", vec![3])],
            vec![("team_id", vec![0, 6]), ("user_id", (7..400).collect())],
            vec![("user_id", vec![499])],
            vec![("user_id", vec![])],
        ] {
            let chosen = Chosen(chosen);
            let columns = pack.open(&chosen, all.iter().copied()).unwrap();
            let is_chosen = |row: &&Row| {
                let of = |column: &str| row.ids[IDS.iter().position(|(id, _)| *id == column).unwrap()];
                chosen
                    .0
                    .iter()
                    .all(|(column, numbers)| numbers.contains(&of(column)))
            };
            let rows: Vec<&Row> = rows.iter().filter(is_chosen).collect();
            assert_eq!(columns.rows(), rows.len());
            for (n, column) in all.iter().enumerate() {
                let of = |row: &&Row| if n < 3 { row.ids[n] } else { row.sums[n - 3] };
                assert_eq!(columns.of(column), rows.iter().map(of).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn columns_of_different_lengths_or_cut_off_are_none() {
        let of = |user: Vec<u8>, cost: Vec<u8>| {
            let pack = Pack::new(0, [("user_id", user), (COST, cost)]);
            let all = pack.open(&Chosen::default(), ["user_id", COST]);
            let some = pack.open(&Chosen(vec![("user_id", vec![1, 2])]), ["user_id", COST]);
            (all.is_ok(), some.is_ok())
        };
        assert_eq!(of(vec![2, 2], vec![4, 6]), (true, true));
        assert_eq!(of(vec![2, 2], vec![4]), (false, false));
        assert_eq!(of(vec![2, 2], vec![4, 0x80]), (false, false));
        assert_eq!(of(vec![2, 2], vec![]), (false, false));
    }
}
