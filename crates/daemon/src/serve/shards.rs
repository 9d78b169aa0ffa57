//! Threads that serve connections each by itself, so that what a request does wakes no other thread.
//!
//! A runtime of several threads hands tasks around: whichever thread is free takes the next, and is woken for it. For a request that
//! is a few steps between two sockets, waking costs as much as the steps (docs/adr/0035-a-thread-for-each-connection.md).

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// How long what still blocks a thread's helpers may take when it ends.
const LAST: Duration = Duration::from_secs(1);

/// Threads with a runtime each. Clones are the same; with the last one the threads end, and what still runs on them.
#[derive(Debug, Clone)]
pub struct Shards(Arc<[Shard]>);

impl Shards {
    /// Starts one for each processor that this process may use.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::start_some(count)
    }

    fn start_some(count: usize) -> io::Result<Self> {
        let all: io::Result<Vec<Shard>> = (0..count).map(Shard::start).collect();
        Ok(Self(all?.into()))
    }

    /// Runs a connection where the fewest are.
    pub(super) fn run<F>(&self, connections: &mut JoinSet<()>, connection: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(shard) = self
            .0
            .iter()
            .min_by_key(|shard| shard.open.load(Ordering::Relaxed))
        else {
            return;
        };
        let open = Open::new(&shard.open);
        connections.spawn_on(
            async move {
                connection.await;
                drop(open);
            },
            &shard.handle,
        );
    }
}

#[derive(Debug)]
struct Shard {
    handle: Handle,
    open: Arc<AtomicUsize>,
    /// The thread ends when this is dropped.
    _running: oneshot::Sender<()>,
}

impl Shard {
    fn start(n: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel();
        thread::Builder::new()
            .name(format!("shard-{n}"))
            .spawn(move || run(runtime, ended))?;
        Ok(Self {
            handle,
            open: Arc::default(),
            _running: running,
        })
    }
}

fn run(runtime: Runtime, ended: oneshot::Receiver<()>) {
    // It says that the sender is gone, and nothing else.
    let _ = runtime.block_on(ended);
    runtime.shutdown_timeout(LAST);
}

/// Counts a connection as long as it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn connections_go_where_the_fewest_are_and_stay_there() {
        let shards = Shards::start_some(3).unwrap();
        let (seen, end) = (Arc::new(Mutex::new(BTreeMap::new())), CancellationToken::new());
        let mut connections = JoinSet::new();
        for n in 0..7 {
            let (seen, end) = (Arc::clone(&seen), end.clone());
            shards.run(&mut connections, async move {
                let before = thread::current().id();
                let name = thread::current().name().unwrap_or_default().to_owned();
                if n > 0 {
                    end.cancelled().await;
                }
                assert_eq!(thread::current().id(), before);
                *seen.lock().unwrap().entry(name).or_insert(0) += 1;
            });
            if n == 0 {
                // It has ended, and its place is free.
                connections.join_next().await.unwrap().unwrap();
            }
        }
        end.cancel();
        while let Some(ended) = connections.join_next().await {
            ended.unwrap();
        }
        let seen = seen.lock().unwrap().clone();
        let expected = [("shard-0", 3), ("shard-1", 2), ("shard-2", 2)];
        assert_eq!(
            seen,
            expected.map(|(name, count)| (name.to_owned(), count)).into()
        );
    }

    #[tokio::test]
    async fn what_still_runs_ends_with_the_threads() {
        struct Told(Option<oneshot::Sender<()>>);
        impl Drop for Told {
            fn drop(&mut self) {
                let _ = self.0.take().unwrap().send(());
            }
        }
        let shards = Shards::start_some(1).unwrap();
        let (tell, told) = oneshot::channel();
        let held = Told(Some(tell));
        let mut connections = JoinSet::new();
        shards.run(&mut connections, async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(shards);
        told.await.unwrap();
        assert!(connections.join_next().await.unwrap().unwrap_err().is_cancelled());
    }
}
