//! Randomness as an argument.

/// Fills buffers with random bytes. Production code gets the operating system's generator.
pub trait Rng: Send + Sync {
    /// Fills `buf` with bytes that nobody can predict.
    fn fill(&self, buf: &mut [u8]);
}

/// A generator whose output is a function of its seed and of how often it was asked: for tests only, since it is
/// predictable.
#[derive(Debug)]
pub struct SequenceRng(std::sync::atomic::AtomicU64);

impl SequenceRng {
    /// A generator that starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(std::sync::atomic::AtomicU64::new(seed))
    }
}

impl Rng for SequenceRng {
    fn fill(&self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let n = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            // SplitMix64's finaliser: neighbouring inputs give unrelated outputs.
            let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    }
}
