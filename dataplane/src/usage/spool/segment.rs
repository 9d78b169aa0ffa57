//! The format of one spool file: a magic number, then records of length, checksum and payload.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// What every segment starts with; the last character is the version of the format.
pub(super) const MAGIC: &[u8; 8] = b"CCAGSPL1";

/// Bytes before a record's payload: its length and its checksum, four bytes each, little-endian.
const RECORD_HEAD: usize = 8;

/// A length above this cannot be one of ours: usage records are a few hundred bytes.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// The file name of the segment whose first record has this sequence number; names sort as numbers do.
pub(super) fn file_name(first_seq: u64) -> String {
    format!("{first_seq:020}.seg")
}

/// Reads the sequence number back from a file name; `None` for files that are not segments.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// The checksum covers the length too, so that a run of zero bytes is not a valid empty record.
fn checksum(len: [u8; 4], payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&len);
    crc.update(payload);
    crc.finalize()
}

/// Whether a payload can be a record: at most 1 MiB.
pub(super) fn fits(payload: &[u8]) -> bool {
    payload.len() <= MAX_RECORD_BYTES
}

/// Appends one record, which fits, to a buffer.
pub(super) fn encode(payload: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    out.extend_from_slice(&len);
    out.extend_from_slice(&checksum(len, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Reads one segment from its beginning, up to its end or its first damaged record.
pub(super) struct SegmentReader {
    file: BufReader<File>,
    /// Bytes up to the end of the last whole record.
    valid_bytes: u64,
}

impl SegmentReader {
    /// Opens a segment and checks its magic number; `None` if the file is too short to have one or has another.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = BufReader::with_capacity(64 * 1024, File::open(path)?);
        let mut magic = [0u8; 8];
        let is_ours = read_full(&mut file, &mut magic)? && &magic == MAGIC;
        Ok(is_ours.then_some(Self {
            file,
            valid_bytes: MAGIC.len() as u64,
        }))
    }

    /// The next payload; `None` where no whole, undamaged record follows. After `None` a later call may find a record
    /// only if the reader is opened anew.
    pub(super) fn next_record(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut head = [0u8; RECORD_HEAD];
        if !read_full(&mut self.file, &mut head)? {
            return Ok(None);
        }
        let len_bytes = [head[0], head[1], head[2], head[3]];
        let len = u32::from_le_bytes(len_bytes) as usize;
        if len > MAX_RECORD_BYTES {
            return Ok(None);
        }
        let mut payload = Vec::with_capacity(len);
        if (&mut self.file).take(len as u64).read_to_end(&mut payload)? < len {
            return Ok(None);
        }
        if checksum(len_bytes, &payload) != u32::from_le_bytes([head[4], head[5], head[6], head[7]]) {
            return Ok(None);
        }
        self.valid_bytes += (RECORD_HEAD + len) as u64;
        Ok(Some(payload))
    }
}

/// Fills the buffer; false if the file ends before.
fn read_full(file: &mut impl Read, buf: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buf) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

/// What is usable in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scan {
    /// Whole, undamaged records from the beginning on.
    pub(super) records: u64,
    /// The bytes that they take, magic number included; 0 if there is not even that.
    pub(super) valid_bytes: u64,
    /// The bytes that follow them and mean nothing.
    pub(super) torn_bytes: u64,
}

/// Reads a whole segment to find out where its usable part ends.
pub(super) fn scan(path: &Path) -> io::Result<Scan> {
    let size = std::fs::metadata(path)?.len();
    let Some(mut reader) = SegmentReader::open(path)? else {
        return Ok(Scan {
            records: 0,
            valid_bytes: 0,
            torn_bytes: size,
        });
    };
    let mut records = 0;
    while reader.next_record()?.is_some() {
        records += 1;
    }
    Ok(Scan {
        records,
        valid_bytes: reader.valid_bytes,
        torn_bytes: size - reader.valid_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for payload in payloads {
            encode(payload, &mut bytes);
        }
        bytes
    }

    fn scan_bytes(bytes: &[u8]) -> Scan {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, bytes).unwrap();
        scan(&path).unwrap()
    }

    #[test]
    fn file_names_are_read_back_and_others_ignored() {
        assert_eq!(parse_file_name(&file_name(42)), Some(42));
        for other in [
            "cursor",
            "42.seg",
            "0000000000000000004x.seg",
            "00000000000000000042.tmp",
        ] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_tail_of_zero_bytes_is_no_record() {
        let mut bytes = segment(&[b"a".to_vec()]);
        let good = bytes.len() as u64;
        bytes.extend([0; 64]);
        assert_eq!(
            scan_bytes(&bytes),
            Scan {
                records: 1,
                valid_bytes: good,
                torn_bytes: 64
            }
        );
    }

    #[test]
    fn a_file_without_our_magic_has_nothing_usable() {
        assert_eq!(scan_bytes(b"CCAG").valid_bytes, 0);
        assert_eq!(scan_bytes(b"somethingelse").records, 0);
    }

    proptest! {
        #[test]
        fn cutting_a_segment_anywhere_keeps_every_whole_record(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6),
            cut in 0usize..400,
        ) {
            let whole = segment(&payloads);
            let cut = cut.min(whole.len());
            let found = scan_bytes(&whole[..cut]);
            let mut end = MAGIC.len();
            let mut expected = 0;
            for payload in &payloads {
                end += RECORD_HEAD + payload.len();
                if end <= cut { expected += 1; }
            }
            prop_assert_eq!(found.records, expected);
        }

        #[test]
        fn a_flipped_bit_ends_the_usable_part(flip in 8usize..60, bit in 0u8..8) {
            let mut bytes = segment(&[vec![7; 20], vec![9; 20]]);
            let at = flip.min(bytes.len() - 1);
            bytes[at] ^= 1 << bit;
            prop_assert!(scan_bytes(&bytes).records < 2);
        }
    }
}
