//! Headers of a frame.

use super::frame::FrameError;

/// A header's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeaderValue<'f> {
    /// Types 0 and 1.
    Bool(bool),
    /// Type 2.
    Byte(i8),
    /// Type 3.
    Short(i16),
    /// Type 4.
    Int(i32),
    /// Type 5.
    Long(i64),
    /// Type 6.
    Bytes(&'f [u8]),
    /// Type 7.
    Text(&'f str),
    /// Type 8: milliseconds since 1970.
    Timestamp(i64),
    /// Type 9.
    Uuid([u8; 16]),
}

/// The headers of a frame in their order.
#[derive(Debug, Clone, Copy)]
pub struct Headers<'f> {
    rest: &'f [u8],
    failed: bool,
}

impl<'f> Headers<'f> {
    pub(crate) fn new(bytes: &'f [u8]) -> Self {
        Self {
            rest: bytes,
            failed: false,
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(FrameError::Headers)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn take_slice(&mut self, length: usize) -> Result<&'f [u8], FrameError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(FrameError::Headers)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_text(&mut self, length: usize) -> Result<&'f str, FrameError> {
        std::str::from_utf8(self.take_slice(length)?).map_err(|_| FrameError::Headers)
    }

    fn read(&mut self) -> Result<(&'f str, HeaderValue<'f>), FrameError> {
        let [length] = self.take()?;
        let name = self.take_text(usize::from(length))?;
        let [kind] = self.take()?;
        let value = match kind {
            0 => HeaderValue::Bool(true),
            1 => HeaderValue::Bool(false),
            2 => HeaderValue::Byte(i8::from_be_bytes(self.take()?)),
            3 => HeaderValue::Short(i16::from_be_bytes(self.take()?)),
            4 => HeaderValue::Int(i32::from_be_bytes(self.take()?)),
            5 => HeaderValue::Long(i64::from_be_bytes(self.take()?)),
            6 => {
                let length = u16::from_be_bytes(self.take()?);
                HeaderValue::Bytes(self.take_slice(usize::from(length))?)
            }
            7 => {
                let length = u16::from_be_bytes(self.take()?);
                HeaderValue::Text(self.take_text(usize::from(length))?)
            }
            8 => HeaderValue::Timestamp(i64::from_be_bytes(self.take()?)),
            9 => HeaderValue::Uuid(self.take()?),
            _ => return Err(FrameError::Headers),
        };
        Ok((name, value))
    }
}

impl<'f> Iterator for Headers<'f> {
    type Item = Result<(&'f str, HeaderValue<'f>), FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ten_types_are_read() {
        let mut bytes = Vec::new();
        let mut header = |kind: u8, value: &[u8]| {
            bytes.extend([1, b'a' + kind, kind]);
            bytes.extend_from_slice(value);
        };
        header(0, &[]);
        header(1, &[]);
        header(2, &[0xff]);
        header(3, &[0, 2]);
        header(4, &[0, 0, 0, 3]);
        header(5, &[0, 0, 0, 0, 0, 0, 0, 4]);
        header(6, &[0, 2, 9, 8]);
        header(7, &[0, 2, b'h', b'i']);
        header(8, &[0, 0, 0, 0, 0, 0, 0, 5]);
        header(9, &[7; 16]);
        let values: Vec<_> = Headers::new(&bytes).map(|h| h.unwrap().1).collect();
        assert_eq!(
            values,
            [
                HeaderValue::Bool(true),
                HeaderValue::Bool(false),
                HeaderValue::Byte(-1),
                HeaderValue::Short(2),
                HeaderValue::Int(3),
                HeaderValue::Long(4),
                HeaderValue::Bytes(&[9, 8]),
                HeaderValue::Text("hi"),
                HeaderValue::Timestamp(5),
                HeaderValue::Uuid([7; 16]),
            ]
        );
    }

    #[test]
    fn headers_that_end_too_soon_are_an_error_once() {
        let all: Vec<_> = Headers::new(&[1, b'a', 7, 0, 9, b'x']).collect();
        assert_eq!(all, [Err(FrameError::Headers)]);
    }
}
