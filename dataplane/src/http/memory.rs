//! How much memory the bodies of requests may take together: more is refused politely, instead of the process being killed
//! with everything that it serves.

use super::buffer::Buffer;
use bytes::Bytes;
use ccag_domain::{Code, Problem};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is counted, in bytes.
const UNIT: usize = 1_024;

/// A body is held as it came. What is found out about it, and what changes in it, takes no more than it does.
pub(super) const COPIES: usize = 2;

/// A body whose tokens are to be counted goes to Bedrock in base64, too.
pub(crate) const COUNT_COPIES: usize = 4;

/// How long a request waits for others to need their bodies no longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where nothing bounds the memory of the process.
const UNBOUNDED_DEFAULT: usize = 1 << 30;

/// Memory for bodies, shared by all requests.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory {
    free: Arc<Semaphore>,
    in_use: Gauge,
    refused: Counter,
}

/// Memory that a body takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    /// How many times it is to be there.
    copies: usize,
    taken: Mutex<Taken>,
    in_use: Gauge,
}

#[derive(Debug)]
struct Taken {
    permit: OwnedSemaphorePermit,
    bytes: usize,
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Held {
    fn new(permit: OwnedSemaphorePermit, bytes: usize, copies: usize, in_use: &Gauge) -> Self {
        in_use.inc_by(signed(bytes));
        Self {
            copies,
            taken: Mutex::new(Taken { permit, bytes }),
            in_use: in_use.clone(),
        }
    }

    /// Both values are whole after every line that holds this lock.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long a body this is enough.
    pub(super) fn room(&self) -> usize {
        self.taken().bytes / self.copies
    }

    /// The body is understood, and takes so many bytes: others may have the rest.
    pub(super) fn needs_only(&self, bytes: usize) {
        let mut taken = self.taken();
        if bytes >= taken.bytes {
            return;
        }
        let free = taken.permit.num_permits() - units(bytes) as usize;
        drop(taken.permit.split(free));
        self.in_use.dec_by(signed(taken.bytes - bytes));
        taken.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.in_use.dec_by(signed(self.taken().bytes));
    }
}

/// A body with the memory that it takes.
struct Owner {
    body: Buffer,
    _held: Arc<Held>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.body.as_ref()
    }
}

/// The memory is given back with the last piece of the body.
pub(super) fn bound(body: Buffer, held: Held) -> (Bytes, Arc<Held>) {
    let held = Arc::new(held);
    let owner = Owner {
        body,
        _held: Arc::clone(&held),
    };
    (Bytes::from_owner(owner), held)
}

impl BodyMemory {
    pub(crate) fn new(bytes: usize, in_use: Gauge, refused: Counter) -> Self {
        Self {
            free: Arc::new(Semaphore::new((bytes / UNIT).min(Semaphore::MAX_PERMITS))),
            in_use,
            refused,
        }
    }

    /// Memory for a body of so many bytes, so many times, if need be after a moment.
    ///
    /// # Errors
    /// 503 where there is none.
    pub(super) async fn take(&self, body_bytes: usize, copies: usize) -> Result<Held, Problem> {
        let bytes = body_bytes.saturating_mul(copies);
        let units = units(bytes);
        let free = Arc::clone(&self.free);
        let permit = match Arc::clone(&free).try_acquire_many_owned(units) {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(PATIENCE, free.acquire_many_owned(units)).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(self.none_left()),
            },
        };
        Ok(Held::new(permit, bytes, copies, &self.in_use))
    }

    /// More of it, for a body that turns out to be longer; what waits here would hold what others wait for.
    ///
    /// # Errors
    /// 503 where there is none.
    pub(super) fn extend(&self, held: &Held, body_bytes: usize) -> Result<(), Problem> {
        let bytes = body_bytes.saturating_mul(held.copies);
        let mut taken = held.taken();
        let more = units(bytes) as usize - taken.permit.num_permits();
        let permit = Arc::clone(&self.free)
            .try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX))
            .map_err(|_| self.none_left())?;
        taken.permit.merge(permit);
        self.in_use.inc_by(signed(bytes - taken.bytes));
        taken.bytes = bytes;
        Ok(())
    }

    fn none_left(&self) -> Problem {
        self.refused.inc();
        Problem::new(
            Code::Unavailable,
            "this gateway is handling as many large requests as it has memory for; try again in a moment",
        )
        .retry_after(2)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// Half of what the process may have, as far as the kernel bounds it (Linux, "Control Group v2", `memory.max`; version 1,
/// `memory.limit_in_bytes`).
pub(crate) fn half_of_all() -> usize {
    let limit = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .into_iter()
    .find_map(|path| std::fs::read_to_string(path).ok());
    half_of(limit.as_deref().unwrap_or("max"))
}

fn half_of(limit: &str) -> usize {
    // Version 1 says a number beyond all memory where there is no limit.
    match limit.trim().parse::<usize>() {
        Ok(bytes) if bytes < 1 << 50 => bytes / 2,
        _ => UNBOUNDED_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: usize) -> (BodyMemory, Gauge, Counter) {
        let (in_use, refused) = (Gauge::default(), Counter::default());
        (
            BodyMemory::new(bytes, in_use.clone(), refused.clone()),
            in_use,
            refused,
        )
    }

    #[tokio::test]
    async fn what_is_held_is_free_again_with_the_last_piece_of_the_body() {
        let (memory, in_use, refused) = memory(100 << 10);
        let held = memory.take(40 << 10, 2).await.unwrap();
        let (body, held) = bound(Buffer::Whole(vec![0; 40 << 10].into()), held);
        drop(held);
        let piece = body.slice(5..6);
        drop(body);
        assert_eq!(in_use.get(), 80 << 10);
        let problem = memory.take(20 << 10, 2).await.unwrap_err();
        assert_eq!((problem.code.status(), refused.get()), (503, 1));
        drop(piece);
        assert_eq!(in_use.get(), 0);
        assert!(memory.take(50 << 10, 2).await.is_ok());
    }

    #[tokio::test]
    async fn a_request_waits_a_moment_for_others_to_be_done() {
        let (memory, _, refused) = memory(100 << 10);
        let held = memory.take(50 << 10, 2).await.unwrap();
        let give_back = async {
            tokio::time::sleep(PATIENCE / 4).await;
            drop(held);
        };
        let (taken, ()) = tokio::join!(memory.take(50 << 10, 2), give_back);
        assert!(taken.is_ok());
        assert_eq!(refused.get(), 0);
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_takes_more_as_it_comes() {
        let (memory, in_use, _) = memory(100 << 10);
        let held = memory.take(10 << 10, 2).await.unwrap();
        memory.extend(&held, 30 << 10).unwrap();
        assert_eq!((held.room(), in_use.get()), (30 << 10, 60 << 10));
        assert!(memory.extend(&held, 51 << 10).is_err());
        drop(held);
        assert_eq!(in_use.get(), 0);
    }

    #[tokio::test]
    async fn what_turns_out_not_to_be_needed_is_free_at_once() {
        let (memory, in_use, _) = memory(100 << 10);
        let (body, held) = bound(
            Buffer::Whole(vec![0; 40 << 10].into()),
            memory.take(40 << 10, 2).await.unwrap(),
        );
        held.needs_only((41 << 10) + 1);
        assert_eq!(in_use.get(), (41 << 10) + 1);
        held.needs_only(90 << 10);
        let other = memory.take(29 << 10, 2).await.unwrap();
        assert!(memory.take(1 << 10, 1).await.is_err());
        drop((body, held, other));
        assert_eq!(in_use.get(), 0);
        assert!(memory.take(50 << 10, 2).await.is_ok());
    }

    #[test]
    fn half_of_what_there_is() {
        assert_eq!(half_of("1073741824\n"), 1 << 29);
        assert_eq!(half_of("max\n"), UNBOUNDED_DEFAULT);
        assert_eq!(half_of("9223372036854771712\n"), UNBOUNDED_DEFAULT);
    }
}
