//! The frame reader gives the same frames however the bytes are cut, and never panics.
#![no_main]

use ccag_translate::eventstream::{FrameReader, Scratch};
use libfuzzer_sys::fuzz_target;

fn read(pieces: &[&[u8]]) -> (Vec<String>, bool) {
    let (mut reader, mut scratch, mut seen) = (FrameReader::new(), Scratch::default(), Vec::new());
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(Some(frame)) => seen.push(format!("{:?}", frame.message(&mut scratch))),
                Ok(None) => break,
                Err(_) => return (seen, false),
            }
        }
    }
    (seen, true)
}

/// Checksums keep a fuzzer out: this writes the right ones over whatever stands there.
fn mend(bytes: &mut [u8]) {
    let mut rest = bytes;
    while rest.len() >= 16 {
        let length = (16 + usize::from(rest[2]) % 4 * 256 + usize::from(rest[3])).min(rest.len());
        rest[..4].copy_from_slice(&(length as u32).to_be_bytes());
        rest[4..7].fill(0);
        rest[7] = rest[7].min((length - 16).min(255) as u8);
        let prelude = crc(&rest[..8]);
        rest[8..12].copy_from_slice(&prelude);
        let whole = crc(&rest[..length - 4]);
        rest[length - 4..length].copy_from_slice(&whole);
        rest = &mut rest[length..];
    }
}

/// CRC-32 as in ISO 3309, bit by bit.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    (!crc).to_be_bytes()
}

fuzz_target!(|input: (bool, u8, Vec<u8>)| {
    let (mended, step, mut bytes) = input;
    if mended {
        mend(&mut bytes);
    }
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(step) + 1).collect();
    assert_eq!(read(&pieces), read(&[&bytes]));
});
