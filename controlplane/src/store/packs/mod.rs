//! Days and months of cubes that are over, packed: [ADR 37](../../../../docs/adr/0037-sums-are-packed.md).
//!
//! A pack holds what the rows of one cube and one start hold, column by column: rows in the order of users and keys, numbers as
//! Protobuf writes `sint64`, ids as numbers that [`numbers`] gives out. It is read as a whole, some ten times as fast as its rows.
//! Whoever adds to a row takes its pack away, in the same transaction, and it is made anew some minutes later: a pack that is
//! there says the same as its rows.

pub(super) mod answer;
pub(super) mod find;
pub(super) mod groups;
pub(super) mod lines;
pub(super) mod make;
pub(super) mod numbers;
pub(super) mod open;
mod rest;
pub(super) mod sum;

use super::cubes::{Cube, Dims, Facts, Grain, month_of};
use super::questions::SUMS;
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use prost::encoding::encode_varint;

/// The columns that say whose a row is, and what they keep apart.
const IDS: [(&str, Dims); 6] = [
    ("user_id", Dims::USER),
    ("key_id", Dims::KEY),
    ("team_id", Dims::TEAM),
    ("model", Dims::MODEL),
    ("endpoint_id", Dims::ENDPOINT),
    ("tool", Dims::TOOL),
];

/// What is added up of usage: what questions add up, and the last hour,
const USAGE: [&str; 9] = {
    let [a, b, c, d, e, f, g, cost] = SUMS;
    [a, b, c, d, e, f, g, cost, LAST]
};

/// and of calls of tools.
const TOOLS: [&str; 2] = [CALLS, "failed"];

/// Of the columns that are added up, the one that rankings go by,
const COST: &str = "cost_nano_usd";

/// and where it stands among them.
const COST_AT: usize = SUMS.len() - 1;

/// The last hour with any usage: the latest counts.
const LAST: &str = "last_ms";

/// Where it stands.
const LAST_AT: usize = SUMS.len();

/// How often tools were called.
const CALLS: &str = "calls";

/// As many numbers as any facts have, in their order.
type Sums = [i64; 9];

impl Facts {
    /// What is added up.
    const fn sums(self) -> &'static [&'static str] {
        match self {
            Self::Usage => &USAGE,
            Self::Tools => &TOOLS,
        }
    }

    /// A part that every pack has.
    const fn mark(self) -> &'static str {
        match self {
            Self::Usage => COST,
            Self::Tools => CALLS,
        }
    }
}

/// What two numbers come to.
fn with(slot: usize, one: i64, other: i64) -> i64 {
    if slot == LAST_AT {
        one.max(other)
    } else {
        one.saturating_add(other)
    }
}

/// What many come to.
fn together(slot: usize, all: &[i64]) -> i64 {
    all.iter().fold(0, |sum, one| with(slot, sum, *one))
}

/// Adds to a number.
fn add(sums: &mut Sums, slot: usize, more: i64) {
    if let Some(value) = sums.get_mut(slot) {
        *value = with(slot, *value, more);
    }
}

/// Adds to all of them.
fn add_all(sums: &mut Sums, more: &Sums) {
    for (slot, value) in more.iter().enumerate() {
        add(sums, slot, *value);
    }
}

/// Answers in the order of their questions, of which some were asked for from packs and the others by rows.
pub(super) fn in_order<Q, A: Default>(
    questions: &[Q],
    is_wide: impl Fn(&Q) -> bool,
    (wide, narrow): (Vec<A>, Vec<A>),
) -> Vec<A> {
    let (mut wide, mut narrow) = (wide.into_iter(), narrow.into_iter());
    let next = |asked: &Q| {
        let next = if is_wide(asked) {
            wide.next()
        } else {
            narrow.next()
        };
        next.unwrap_or_default()
    };
    questions.iter().map(next).collect()
}

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

/// A row of a pack: ids in the order of [`IDS`], 0 where the cube keeps none, and what is added up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    ids: [i64; 6],
    sums: Sums,
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
    for (n, column) in cube.facts.sums().iter().enumerate() {
        let since = if *column == LAST { start } else { 0 };
        parts.push((
            *column,
            written(
                rows.iter()
                    .map(|row| row.sums.get(n).copied().unwrap_or(0) - since),
            ),
        ));
    }
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

#[cfg(test)]
mod tests {
    use super::open::{Chosen, Pack};
    use super::*;

    #[test]
    fn what_is_packed_is_read_as_it_was() {
        let cube = Facts::Usage.find(Grain::Day, Dims::KEY).unwrap();
        assert_eq!(ids_of(cube).collect::<Vec<_>>(), ["user_id", "key_id", "team_id"]);
        assert_eq!((USAGE[COST_AT], USAGE[LAST_AT]), (COST, LAST));
        let row = |user, key, cost| Row {
            ids: [user, key, 0, 0, 0, 0],
            sums: [1, 0, i64::MAX, i64::MIN, -1, 300, 0, cost, DAY_MS + 5],
        };
        let mut rows = [row(70_000, 2, 9), row(3, 100_000, 5), row(3, 1, -7)];
        let parts = pack(cube, DAY_MS, &mut rows);
        assert_eq!(parts.len(), 3 + 9);
        let pack = Pack::new(DAY_MS, parts);
        let of = |column: &'static str| {
            let columns = pack.open(&Chosen::default(), [column]).unwrap();
            columns.of(column).to_vec()
        };
        assert_eq!(of("user_id"), [3, 3, 70_000]);
        assert_eq!(of("key_id"), [1, 100_000, 2]);
        assert_eq!(of("team_id"), [0, 0, 0]);
        assert_eq!(of(COST), [-7, 5, 9]);
        assert_eq!(of("input_tokens"), [i64::MAX; 3]);
        assert_eq!(of("output_tokens"), [i64::MIN; 3]);
        assert_eq!(of(LAST), [DAY_MS + 5; 3]);
    }

    #[test]
    fn calls_of_tools_are_packed_with_whom_they_are_of() {
        let cube = Facts::Tools.find(Grain::Month, Dims::TOOL).unwrap();
        let mut rows = [Row {
            ids: [0, 0, 2, 0, 0, 9],
            sums: [70, 3, 0, 0, 0, 0, 0, 0, 0],
        }];
        let parts = pack(cube, DAY_MS, &mut rows);
        let names: Vec<&str> = parts.iter().map(|(part, _)| *part).collect();
        assert_eq!(names, ["team_id", "tool", "calls", "failed"]);
        let pack = Pack::new(DAY_MS, parts.clone());
        let columns = pack.open(&Chosen::default(), names.iter().copied()).unwrap();
        let numbers: Vec<&[i64]> = names.iter().map(|name| columns.of(name)).collect();
        assert_eq!(numbers, [[2], [9], [70], [3]]);
    }
}
