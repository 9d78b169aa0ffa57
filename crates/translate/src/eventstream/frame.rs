//! Frames out of bytes that arrive in pieces.

use super::headers::Headers;

/// The longest frame that is read: AWS allows 16 MB of payload and 128 KB of headers.
pub const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024 + 128 * 1024 + OVERHEAD;

/// Prelude (two lengths and their CRC) and the CRC at the end.
const OVERHEAD: usize = 16;
const PRELUDE: usize = 12;

/// Above this, an emptied buffer is given back.
const KEEP_BYTES: usize = 64 * 1024;

/// Why bytes are not a frame. The stream cannot be read on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The lengths do not fit together or exceed [`MAX_FRAME_BYTES`].
    #[error("the frame's lengths are impossible")]
    Length,
    /// The prelude's checksum is wrong.
    #[error("the checksum of the frame's prelude is wrong")]
    PreludeChecksum,
    /// The frame's checksum is wrong.
    #[error("the checksum of the frame is wrong")]
    Checksum,
    /// The headers cannot be read.
    #[error("the frame's headers cannot be read")]
    Headers,
    /// The payload of a chunk is not what Bedrock documents.
    #[error("the frame's payload cannot be read")]
    Payload,
}

/// One frame with its checksums verified.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'r> {
    pub(crate) headers: &'r [u8],
    pub(crate) payload: &'r [u8],
}

impl<'r> Frame<'r> {
    /// The headers.
    #[must_use]
    pub fn headers(&self) -> Headers<'r> {
        Headers::new(self.headers)
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &'r [u8] {
        self.payload
    }
}

/// Collects bytes and hands out whole frames.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Where the next frame begins.
    start: usize,
}

impl FrameReader {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
            if self.buffer.capacity() > KEEP_BYTES {
                self.buffer.shrink_to(bytes.len());
            }
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is there whole.
    ///
    /// # Errors
    /// [`FrameError`] for damaged or impossible frames; the same again on every later call.
    #[expect(
        clippy::should_implement_trait,
        reason = "a frame borrows from the reader: this cannot be an iterator"
    )]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let bytes = &self.buffer[self.start..];
        let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else {
            return Ok(None);
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *prelude;
        let total = u32::from_be_bytes([a, b, c, d]) as usize;
        let headers = u32::from_be_bytes([e, f, g, h]) as usize;
        if crc32fast::hash(&prelude[..8]) != u32::from_be_bytes([i, j, k, l]) {
            return Err(FrameError::PreludeChecksum);
        }
        if !(OVERHEAD..=MAX_FRAME_BYTES).contains(&total) || headers > total - OVERHEAD {
            return Err(FrameError::Length);
        }
        let Some(frame) = bytes.get(..total) else {
            return Ok(None);
        };
        let (body, checksum) = frame.split_last_chunk::<4>().ok_or(FrameError::Length)?;
        if crc32fast::hash(body) != u32::from_be_bytes(*checksum) {
            return Err(FrameError::Checksum);
        }
        self.start += total;
        let (headers, payload) = body[PRELUDE..].split_at(headers);
        Ok(Some(Frame { headers, payload }))
    }

    /// Whether a part of a frame is waiting for the rest: at the end of a stream, that it was cut.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.start < self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn encode(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let total = u32::try_from(OVERHEAD + headers.len() + payload.len()).unwrap();
        let mut frame = total.to_be_bytes().to_vec();
        frame.extend(u32::try_from(headers.len()).unwrap().to_be_bytes());
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame.extend_from_slice(headers);
        frame.extend_from_slice(payload);
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        frame
    }

    fn payloads(reader: &mut FrameReader) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(frame) = reader.next().unwrap() {
            all.push(frame.payload().to_vec());
        }
        all
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_frames(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..6),
            cuts in proptest::collection::vec(1usize..200, 1..40),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|f| encode(b"", f)).collect();
            let mut reader = FrameReader::new();
            let mut seen = Vec::new();
            let mut rest = bytes.as_slice();
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                reader.push(piece);
                seen.extend(payloads(&mut reader));
                rest = after;
            }
            prop_assert_eq!(seen, frames);
            prop_assert!(!reader.is_mid_frame());
        }

        #[test]
        fn one_flipped_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = encode(b"", &payload);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let mut reader = FrameReader::new();
            reader.push(&bytes);
            prop_assert!(reader.next().is_err());
        }
    }

    #[test]
    fn a_frame_that_would_never_end_is_refused_by_its_prelude() {
        let mut bytes = u32::MAX.to_be_bytes().to_vec();
        bytes.extend(0u32.to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        let mut reader = FrameReader::new();
        reader.push(&bytes);
        assert_eq!(reader.next().unwrap_err(), FrameError::Length);
    }

    #[test]
    fn half_a_frame_is_waited_for() {
        let bytes = encode(b"", b"payload");
        let mut reader = FrameReader::new();
        reader.push(&bytes[..bytes.len() - 1]);
        assert!(reader.next().unwrap().is_none());
        assert!(reader.is_mid_frame());
    }
}
