//! The reader of server-sent events gives the same events however the bytes are cut, and never panics.
#![no_main]

use ccag_translate::stream::SseReader;
use libfuzzer_sys::fuzz_target;

fn read(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let (mut reader, mut seen) = (SseReader::new(), Vec::new());
    for piece in pieces {
        reader.push(piece);
        while let Ok(Some(data)) = reader.next() {
            seen.push(data.to_vec());
        }
    }
    (seen, reader.is_mid_event())
}

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (step, bytes) = input;
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(step) + 1).collect();
    assert_eq!(read(&pieces), read(&[&bytes]));
});
