//! The binary framing of streamed answers (`application/vnd.amazon.eventstream`), read without copying.
//!
//! Layout of a frame (AWS, "Event stream encoding"): total length, headers' length, CRC of these two, headers, payload, CRC
//! of all before it; integers are big-endian.

mod frame;
mod headers;
mod message;

pub use frame::{Frame, FrameError, FrameReader, MAX_FRAME_BYTES};
pub use headers::{HeaderValue, Headers};
pub use message::{Message, Scratch};
