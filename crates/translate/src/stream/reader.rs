//! Server-sent events from upstream, however the bytes are cut.

/// The longest event that is put together: Bedrock's largest is a content block of a megabyte.
const MAX_EVENT_BYTES: usize = 32 << 20;

/// An event that is longer than any that Bedrock sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {MAX_EVENT_BYTES} bytes")]
pub struct EventTooLong;

/// Puts together the events of a `text/event-stream` (WHATWG HTML, "Server-sent events"). Only their data is of interest:
/// Anthropic's events name their type there, too.
#[derive(Debug, Default)]
pub struct SseReader {
    buffer: Vec<u8>,
    /// What stands before this in `buffer` was read.
    at: usize,
    /// What stands before this was looked through for the end of a line.
    looked: usize,
    /// The data of the event that is being read.
    data: Vec<u8>,
    has_data: bool,
    /// `data` was handed out, and goes with the next call.
    handed_out: bool,
    /// The line before ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    /// Whether anything was read: a byte order mark may stand at the beginning.
    begun: bool,
}

impl SseReader {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            (self.at, self.looked) = (0, 0);
        } else if self.at > self.buffer.len() / 2 {
            self.buffer.drain(..self.at);
            self.looked -= self.at;
            self.at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The data of the next event; `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`EventTooLong`]: the stream cannot be read on.
    #[expect(
        clippy::should_implement_trait,
        reason = "it lends out its buffer, which an iterator cannot"
    )]
    pub fn next(&mut self) -> Result<Option<&[u8]>, EventTooLong> {
        if self.handed_out {
            self.data.clear();
            (self.handed_out, self.has_data) = (false, false);
        }
        while let Some((start, end)) = self.line() {
            if start == end {
                if self.has_data {
                    self.handed_out = true;
                    return Ok(Some(&self.data));
                }
                continue;
            }
            self.field(start, end);
            if self.data.len() > MAX_EVENT_BYTES {
                return Err(EventTooLong);
            }
        }
        if self.buffer.len() - self.at > MAX_EVENT_BYTES {
            return Err(EventTooLong);
        }
        Ok(None)
    }

    /// Whether an event has begun and not ended. What is left at the end of a stream is no event.
    #[must_use]
    pub fn is_mid_event(&self) -> bool {
        (self.has_data && !self.handed_out) || self.at < self.buffer.len()
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<(usize, usize)> {
        if self.after_return && self.at < self.buffer.len() {
            self.after_return = false;
            if self.buffer[self.at] == b'\n' {
                self.at += 1;
                self.looked = self.looked.max(self.at);
            }
        }
        let Some(found) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.looked..]) else {
            self.looked = self.buffer.len();
            return None;
        };
        let end = self.looked + found;
        let mut start = self.at;
        if !self.begun {
            self.begun = true;
            if self.buffer[start..end].starts_with(b"\xef\xbb\xbf") {
                start += 3;
            }
        }
        self.after_return = self.buffer[end] == b'\r';
        self.at = end + 1;
        self.looked = self.at;
        Some((start, end))
    }

    fn field(&mut self, start: usize, end: usize) {
        let line = &self.buffer[start..end];
        let Some(value) = line.strip_prefix(b"data") else {
            return;
        };
        let value = match value {
            [] => value,
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            // Another field, whose name only begins like this.
            _ => return,
        };
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(chunks: &[&[u8]]) -> (Vec<String>, bool) {
        let mut reader = SseReader::new();
        let mut events = Vec::new();
        for chunk in chunks {
            reader.push(chunk);
            while let Some(data) = reader.next().unwrap() {
                events.push(String::from_utf8(data.to_vec()).unwrap());
            }
        }
        (events, reader.is_mid_event())
    }

    const STREAM: &str = "\u{feff}event: message_start\ndata: {\"a\":\"ä\"}\n\n: a comment\r\n\r\nevent: ping\rdata:{}\r\rdata: one\ndata\ndata: two\ndatabase: no\nid: 7\n\n";

    #[test]
    fn fields_comments_and_all_ends_of_lines_are_understood() {
        let (events, open) = read(&[STREAM.as_bytes()]);
        assert_eq!(events, ["{\"a\":\"ä\"}", "{}", "one\n\ntwo"]);
        assert!(!open);
    }

    #[test]
    fn what_is_not_ended_by_an_empty_line_is_no_event() {
        for cut in ["data: {}", "data: {}\n", "event: x\ndata: {\"a\"", "da"] {
            let (events, open) = read(&[cut.as_bytes()]);
            assert!(events.is_empty() && open, "{cut:?}");
        }
        assert!(!read(&[b"data: {}\n\n"]).1);
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut reader = SseReader::new();
        reader.push(b"data: ");
        let piece = vec![b'x'; 1 << 20];
        let mut result = Ok(());
        for _ in 0..40 {
            reader.push(&piece);
            result = reader.next().map(|event| assert!(event.is_none()));
        }
        assert_eq!(result, Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn the_cuts_between_chunks_change_nothing(cuts in proptest::collection::vec(0usize..200, 0..30)) {
            let bytes = STREAM.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut at = 0;
            for cut in cuts {
                chunks.push(&bytes[at..cut]);
                at = cut;
            }
            chunks.push(&bytes[at..]);
            prop_assert_eq!(read(&chunks), read(&[bytes]));
        }
    }
}
