//! Protobuf messages as a plane of another version would write them, made from those of this version.

/// What of a message matters here: which of its fields are messages, and which this version added last.
pub(super) struct Shape {
    inside: &'static [(u32, &'static Shape)],
    /// Whatever field it is, if it has bytes, it is such a message: for a `oneof` of messages.
    every: Option<&'static Shape>,
    newer: &'static [u32],
}

const fn shape(inside: &'static [(u32, &'static Shape)], newer: &'static [u32]) -> Shape {
    Shape {
        inside,
        every: None,
        newer,
    }
}

const LEAF: Shape = shape(&[], &[]);
const OBJECT: Shape = Shape {
    every: Some(&LEAF),
    ..LEAF
};
const CHANGE: Shape = shape(&[(2, &OBJECT), (3, &LEAF)], &[]);
const CHANGES: Shape = shape(&[(1, &CHANGE)], &[]);
const SNAPSHOT: Shape = shape(&[(3, &OBJECT)], &[]);
/// `SnapshotPiece`: an encoded snapshot.
const PIECE: Shape = shape(&[(1, &SNAPSHOT)], &[]);
/// `Hello`: whether a snapshot may come in pieces was added to it.
const HELLO: Shape = shape(&[], &[7]);
/// `Applied`: rejected objects, and the state that was added to it.
const APPLIED: Shape = shape(&[(2, &LEAF), (3, &LEAF)], &[3]);
const FINDINGS: Shape = shape(&[(1, &LEAF), (2, &LEAF)], &[]);
/// `UsageRecord`: tokens, draws, and the agent and what explains it, in two forms, that were added to it.
const RECORD: Shape = shape(&[(15, &LEAF), (25, &LEAF)], &[28, 29, 32]);
const LEASE_HELLO: Shape = shape(&[(4, &LEAF)], &[]);
/// `Wish`: what is kept was added to it.
const WISH: Shape = shape(&[], &[9]);
const LEASE_ASK: Shape = shape(&[(1, &WISH)], &[]);
/// `Welcome` and `LeaseAnswer`: shares, and the number of data planes that was added to both.
const WELCOME: Shape = shape(&[], &[2]);
const ANSWER: Shape = shape(&[(1, &LEAF)], &[2]);

/// The messages of a stream: what goes up and what comes down.
pub(super) fn of(path: &str) -> (&'static Shape, &'static Shape) {
    const WATCH: (&Shape, &Shape) = (
        &shape(&[(1, &HELLO), (2, &APPLIED), (3, &FINDINGS)], &[]),
        &shape(&[(1, &SNAPSHOT), (2, &CHANGES), (3, &LEAF), (6, &PIECE)], &[]),
    );
    const USAGE: (&Shape, &Shape) = (&shape(&[(2, &RECORD)], &[4]), &LEAF);
    const LEASE: (&Shape, &Shape) = (
        &shape(&[(1, &LEASE_HELLO), (2, &LEASE_ASK)], &[]),
        &shape(&[(1, &WELCOME), (2, &ANSWER)], &[]),
    );
    match path {
        "/ccag.v1.Config/Watch" => WATCH,
        "/ccag.v1.Usage/Report" => USAGE,
        "/ccag.v1.Allowance/Lease" => LEASE,
        other => panic!("no shape for {other}"),
    }
}

/// Which version the other plane is to be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// It says more than this version knows, in every message.
    Newer,
    /// It does not say what this version added last.
    Older,
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn read_varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn field(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 2, out);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A field of each kind that no version has had yet.
fn strange(out: &mut Vec<u8>) {
    varint(1000 << 3, out);
    varint(u64::MAX, out);
    varint(1001 << 3 | 1, out);
    out.extend_from_slice(&[7; 8]);
    field(1002, b"what nobody has heard of", out);
    varint(1003 << 3 | 5, out);
    out.extend_from_slice(&[7; 4]);
}

/// A message whose `oneof` has a member that no version has had yet.
pub(super) fn unheard_of() -> Vec<u8> {
    let mut out = Vec::new();
    field(900, b"\x08\x01", &mut out);
    out
}

/// The same message as the other version would write it.
pub(super) fn written_by(other: Other, bytes: &[u8], shape: &Shape) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        let tag = read_varint(bytes, &mut at);
        let (number, kind) = (u32::try_from(tag >> 3).unwrap(), tag & 7);
        let mut value = 0..0;
        match kind {
            0 => {
                read_varint(bytes, &mut at);
            }
            1 => at += 8,
            5 => at += 4,
            2 => {
                let length = usize::try_from(read_varint(bytes, &mut at)).unwrap();
                value = at..at + length;
                at += length;
            }
            other => panic!("wire type {other}"),
        }
        if other == Other::Older && shape.newer.contains(&number) {
            continue;
        }
        let known = shape.inside.iter().find(|(n, _)| *n == number);
        match known.map(|(_, inner)| *inner).or(shape.every) {
            Some(inner) if kind == 2 => field(number, &written_by(other, &bytes[value], inner), &mut out),
            _ => out.extend_from_slice(&bytes[start..at]),
        }
    }
    if other == Other::Newer {
        strange(&mut out);
    }
    out
}
