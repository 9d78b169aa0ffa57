//! Days and months of cubes that are over, packed: [ADR 37](../../../../docs/adr/0037-sums-are-packed.md).
//!
//! A pack holds what the rows of one cube and one start hold, column by column: rows in the order of users and keys, numbers as
//! Protobuf writes `sint64`, ids as numbers that [`numbers`] gives out. It is read as a whole, some ten times as fast as its rows.
//! Whoever adds to a row takes its pack away, in the same transaction, and it is made anew some minutes later: a pack that is
//! there says the same as its rows.

pub(super) mod answer;
pub(super) mod find;
pub(super) mod lines;
pub(super) mod make;
pub(super) mod numbers;
mod rest;
pub(super) mod sum;

use super::StoreError;
use super::cubes::{Cube, Dims, Grain, month_of};
use super::questions::SUMS;
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use prost::encoding::{decode_varint, encode_varint};

/// The columns that say whose a row is, and what they keep apart.
const IDS: [(&str, Dims); 5] = [
    ("user_id", Dims::USER),
    ("key_id", Dims::KEY),
    ("team_id", Dims::TEAM),
    ("model", Dims::MODEL),
    ("endpoint_id", Dims::ENDPOINT),
];

/// Of the columns that are added up, the one that rankings go by,
const COST: &str = "cost_nano_usd";

/// and where it stands among them.
const COST_AT: usize = SUMS.len() - 1;

/// The last hour with any usage.
const LAST: &str = "last_ms";

/// A part that every pack has.
const MARK: &str = COST;

/// The end of what begins then.
fn end_of(grain: Grain, start: UnixMs) -> UnixMs {
    match grain {
        Grain::Month => month_of(start).1,
        _ => start + DAY_MS,
    }
}

/// The columns that keep something apart in a cube.
fn ids_of(cube: &Cube) -> impl Iterator<Item = &'static str> {
    let dims = cube.dims;
    IDS.into_iter()
        .filter(move |(_, one)| one.within(dims))
        .map(|(column, _)| column)
}

/// A row of a pack: ids in the order of [`IDS`], 0 where the cube keeps none; what is added up, in the order of [`SUMS`], and
/// the last hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    ids: [i64; 5],
    sums: [i64; 8],
    last_ms: i64,
}

/// The parts of a pack. Rows are put in order: users lie together, and what follows is alike.
fn pack(cube: &Cube, start: UnixMs, rows: &mut [Row]) -> Vec<(&'static str, Vec<u8>)> {
    rows.sort_unstable();
    let mut parts = Vec::new();
    for (n, (column, dims)) in IDS.into_iter().enumerate() {
        if dims.within(cube.dims) {
            parts.push((
                column,
                steps(rows.iter().map(|row| row.ids.get(n).copied().unwrap_or(0))),
            ));
        }
    }
    for (n, column) in SUMS.into_iter().enumerate() {
        parts.push((
            column,
            written(rows.iter().map(|row| row.sums.get(n).copied().unwrap_or(0))),
        ));
    }
    parts.push((LAST, written(rows.iter().map(|row| row.last_ms - start))));
    parts
}

/// Numbers, as Protobuf writes `sint64`.
fn written(numbers: impl Iterator<Item = i64>) -> Vec<u8> {
    let mut data = Vec::new();
    for number in numbers {
        encode_varint(((number << 1) ^ (number >> 63)).cast_unsigned(), &mut data);
    }
    data
}

/// Numbers, each as its difference from the one before.
fn steps(numbers: impl Iterator<Item = i64>) -> Vec<u8> {
    let mut before = 0_i64;
    written(numbers.map(move |number| {
        let step = number.wrapping_sub(before);
        before = number;
        step
    }))
}

/// The numbers of a part.
fn read(column: &str, start: UnixMs, data: &[u8]) -> Result<Vec<i64>, StoreError> {
    let mut rest = data;
    let mut numbers = Vec::with_capacity(data.len());
    while !rest.is_empty() {
        let number = decode_varint(&mut rest)
            .map_err(|_| StoreError::unreadable("usage_packs", format!("bad value in {column}")))?;
        numbers.push((number >> 1).cast_signed() ^ -((number & 1).cast_signed()));
    }
    if IDS.iter().any(|(id, _)| *id == column) {
        let mut at = 0_i64;
        for number in &mut numbers {
            at = at.wrapping_add(*number);
            *number = at;
        }
    } else if column == LAST {
        for number in &mut numbers {
            *number = number.wrapping_add(start);
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cubes::find;

    #[test]
    fn what_is_packed_is_read_as_it_was() {
        let cube = find(Grain::Day, Dims::KEY).unwrap();
        assert_eq!(ids_of(cube).collect::<Vec<_>>(), ["user_id", "key_id", "team_id"]);
        let row = |user, key, cost| Row {
            ids: [user, key, 0, 0, 0],
            sums: [1, 0, i64::MAX, i64::MIN, -1, 300, 0, cost],
            last_ms: DAY_MS + 5,
        };
        let mut rows = [row(70_000, 2, 9), row(3, 100_000, 5), row(3, 1, -7)];
        let parts = pack(cube, DAY_MS, &mut rows);
        let of = |column: &str| {
            let (_, data) = parts.iter().find(|(part, _)| *part == column).unwrap();
            read(column, DAY_MS, data).unwrap()
        };
        assert_eq!(of("user_id"), [3, 3, 70_000]);
        assert_eq!(of("key_id"), [1, 100_000, 2]);
        assert_eq!(of("team_id"), [0, 0, 0]);
        assert_eq!(of(COST), [-7, 5, 9]);
        assert_eq!(of("input_tokens"), [i64::MAX; 3]);
        assert_eq!(of("output_tokens"), [i64::MIN; 3]);
        assert_eq!(of(LAST), [DAY_MS + 5; 3]);
        assert_eq!(parts.len(), 3 + 8 + 1);
        assert!(read(COST, 0, &[0x80]).is_err());
    }
}
