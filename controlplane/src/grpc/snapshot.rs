//! The whole configuration as data planes are sent it: encoded once, in pieces that all streams share.
//!
//! Fifty data planes that ask at once would otherwise take fifty copies, and as many encodings of each.

use bytes::Bytes;
use ccag_domain::ConfigObject;
use ccag_proto::v1;
use ccag_proto::v1::watch_response::Body as Down;
use prost::{DecodeError, Message};

/// From how many bytes of objects on a piece is complete. It is about what a stream copies at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// The configuration at one revision.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) epoch: String,
    pub(super) revision: u64,
    /// Each is an encoded [`v1::Snapshot`]; there is one at least.
    pieces: Vec<Bytes>,
}

impl From<ccag_domain::Snapshot> for Snapshot {
    fn from(snapshot: ccag_domain::Snapshot) -> Self {
        let (epoch, revision) = (snapshot.epoch, snapshot.revision.0);
        let mut objects = snapshot.objects.into_iter();
        let mut pieces = Vec::new();
        loop {
            let (some, is_last) = take(&mut objects);
            let piece = v1::Snapshot {
                epoch: epoch.clone(),
                revision,
                objects: some,
            };
            pieces.push(piece.encode_to_vec().into());
            if is_last {
                break;
            }
        }
        Self {
            epoch,
            revision,
            pieces,
        }
    }
}

/// The next objects, as many as make a piece, and whether no more are left.
fn take(objects: &mut impl ExactSizeIterator<Item = ConfigObject>) -> (Vec<v1::Object>, bool) {
    let (mut some, mut bytes) = (Vec::new(), 0);
    for object in objects.by_ref() {
        let object = v1::Object::from(object);
        bytes += object.encoded_len();
        some.push(object);
        if bytes >= PIECE_BYTES {
            break;
        }
    }
    (some, objects.len() == 0)
}

impl Snapshot {
    /// For data planes that take pieces.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Down> {
        let count = self.pieces.len();
        self.pieces.iter().enumerate().map(move |(at, piece)| {
            Down::Piece(v1::SnapshotPiece {
                snapshot: piece.clone(),
                last: at + 1 == count,
            })
        })
    }

    /// For data planes that do not: encoded messages one after the other are one message with the objects of all
    /// (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>).
    pub(super) fn whole(&self) -> Result<v1::Snapshot, DecodeError> {
        let mut whole = v1::Snapshot::default();
        for piece in &self.pieces {
            whole.merge(piece.clone())?;
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{KeyDigest, KeyGrant, KeyId, Revision};

    fn keys(count: usize) -> ccag_domain::Snapshot {
        let key = |n| KeyGrant {
            id: KeyId::parse(&format!("key_{n}")).unwrap(),
            digest: KeyDigest::of(&format!("secret {n}")),
            name: format!("key {n}"),
            user_id: None,
            team_id: None,
            expires_at_ms: None,
            rate_limit_rpm: None,
            session: false,
        };
        ccag_domain::Snapshot {
            epoch: "e".to_owned(),
            revision: Revision(7),
            objects: (0..count).map(|n| ConfigObject::Key(key(n))).collect(),
        }
    }

    #[test]
    fn all_pieces_together_are_the_snapshot_and_only_the_last_says_so() {
        let encoded = Snapshot::from(keys(10_000));
        let pieces: Vec<v1::SnapshotPiece> = encoded
            .pieces()
            .map(|body| match body {
                Down::Piece(piece) => piece,
                other => panic!("not a piece: {other:?}"),
            })
            .collect();
        assert!(pieces.len() > 2, "{} pieces", pieces.len());
        assert!(
            pieces
                .iter()
                .all(|piece| piece.snapshot.len() < PIECE_BYTES * 9 / 8)
        );
        let last: Vec<bool> = pieces.iter().rev().map(|piece| piece.last).collect();
        assert!(last[0] && last[1..].iter().all(|last| !last));

        let mut together = Vec::new();
        for piece in pieces {
            let some = v1::Snapshot::decode(piece.snapshot).unwrap();
            assert_eq!((&*some.epoch, some.revision), ("e", 7));
            together.extend(some.objects);
        }
        let whole = v1::Snapshot::from(keys(10_000));
        assert_eq!(together, whole.objects);
        assert_eq!(encoded.whole().unwrap(), whole);
    }

    #[test]
    fn a_configuration_without_objects_is_one_piece() {
        let encoded = Snapshot::from(keys(0));
        assert_eq!(encoded.pieces().count(), 1);
        assert_eq!(encoded.whole().unwrap(), v1::Snapshot::from(keys(0)));
    }
}
