//! A body as it is read.

use bytes::{Bytes, BytesMut};
use memmap2::MmapMut;

/// From so many bytes on a body is a large one.
const LARGE: usize = 256 * 1_024;

/// A body as it is read.
///
/// Large ones have memory of their own from the system, which goes back to it with them. The C library's allocator keeps
/// what is freed once blocks of a size have come and gone (glibc, `M_MMAP_THRESHOLD`): as much as there ever was at once.
#[derive(Debug)]
pub(super) enum Buffer {
    /// As it came, in one piece.
    Whole(Bytes),
    Small(BytesMut),
    /// With its length: what is mapped takes no memory until it is written.
    Large(MmapMut, usize),
}

impl Buffer {
    /// For a body of so many bytes, or of no length that is known.
    pub(super) fn new(length: Option<usize>) -> Self {
        match length {
            Some(length) if length >= LARGE => Self::large(length),
            length => Self::Small(BytesMut::with_capacity(length.unwrap_or(0))),
        }
    }

    fn large(most: usize) -> Self {
        match MmapMut::map_anon(most) {
            Ok(map) => Self::Large(map, 0),
            Err(_) => Self::Small(BytesMut::with_capacity(most)),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.as_ref().len()
    }

    /// Appends a piece of a body that has at most `most` bytes.
    pub(super) fn push(&mut self, piece: &[u8], most: usize) {
        let length = self.len() + piece.len();
        let has_room = match self {
            Self::Whole(_) => false,
            Self::Small(bytes) => length < LARGE || length <= bytes.capacity(),
            Self::Large(map, _) => length <= map.len(),
        };
        if !has_room {
            let mut larger = Self::large(most.max(length));
            larger.append(self.as_ref());
            *self = larger;
        }
        self.append(piece);
    }

    /// Appends what there is room for.
    fn append(&mut self, piece: &[u8]) {
        match self {
            Self::Whole(_) => {}
            Self::Small(bytes) => bytes.extend_from_slice(piece),
            Self::Large(map, length) => {
                map[*length..][..piece.len()].copy_from_slice(piece);
                *length += piece.len();
            }
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Small(bytes) => bytes,
            Self::Large(map, length) => &map[..*length],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_what_was_pushed_whatever_was_announced() {
        let pieces: Vec<Vec<u8>> = (1..=40u8).map(|n| vec![n; usize::from(n) * 1_000]).collect();
        let whole = pieces.concat();
        assert!(whole.len() > LARGE);
        let announced = [0, 1_000, LARGE, whole.len(), whole.len() + 1].map(Some);
        for announced in announced.into_iter().chain([None]) {
            let mut buffer = Buffer::new(announced);
            pieces.iter().for_each(|piece| buffer.push(piece, whole.len()));
            assert!(buffer.as_ref() == whole, "{announced:?}");
            assert!(matches!(buffer, Buffer::Large(..)), "{announced:?}");
        }
        let mut whole = Buffer::Whole(Bytes::from_static(b"ab"));
        whole.push(b"c", 3);
        assert_eq!(whole.as_ref(), b"abc");
    }
}
