//! The body of a request in pieces, which need not stand together in memory.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The body of a request in pieces: most of a large body is what a client has sent, and is not copied for the few bytes that
/// change in it.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    list: VecDeque<Bytes>,
}

impl Pieces {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.iter().map(Bytes::len).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.iter().all(Bytes::is_empty)
    }

    /// The pieces in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.list.iter()
    }

    /// All of it in one place; a copy, if it has more than one piece.
    #[must_use]
    pub fn whole(&self) -> Bytes {
        if self.list.len() == 1 {
            return self.list[0].clone();
        }
        let mut whole = Vec::with_capacity(self.len());
        self.iter().for_each(|piece| whole.extend_from_slice(piece));
        whole.into()
    }
}

impl From<Bytes> for Pieces {
    fn from(whole: Bytes) -> Self {
        Self::from_iter([whole])
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(whole: Vec<u8>) -> Self {
        Bytes::from(whole).into()
    }
}

impl FromIterator<Bytes> for Pieces {
    fn from_iter<I: IntoIterator<Item = Bytes>>(pieces: I) -> Self {
        Self {
            list: pieces.into_iter().filter(|piece| !piece.is_empty()).collect(),
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.list.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.list.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn what_is_sent_is_all_of_it_with_its_length() {
        let pieces: Pieces = ["ab", "", "c"].map(Bytes::from).into_iter().collect();
        assert_eq!((pieces.len(), pieces.size_hint().exact()), (3, Some(3)));
        assert_eq!(pieces.whole(), "abc");
        assert_eq!(pieces.collect().await.unwrap().to_bytes(), "abc");
        let none = Pieces::from(Vec::new());
        assert!(none.is_empty() && none.is_end_stream() && none.whole().is_empty());
    }
}
