//! Lines of the log on their way to standard error.
//!
//! A line for each request, written by itself, costs each of them a call into the kernel, and whoever collects the log a waking.
//! So lines that are no trouble are collected for a moment, and written together. A warning or an error is written at once, with
//! everything before it. A process that is killed may lose what it has said in its last moment, and nothing that went wrong.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits at most.
const MOMENT: Duration = Duration::from_millis(50);

/// So many bytes do not wait.
const MANY: usize = 32 * 1024;

/// Where lines are collected.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    /// Told when there is something to write where there was nothing.
    some: Condvar,
    /// Where they go. Whoever holds it may take what waits, so that lines stay in order.
    out: Mutex<Box<dyn Write + Send>>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lines {
    /// # Errors
    /// If a thread cannot be started.
    pub(super) fn new(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            some: Condvar::new(),
            out: Mutex::new(Box::new(out)),
        });
        let lines = Self(Arc::clone(&shared));
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || shared.write_now_and_then())?;
        Ok(lines)
    }

    /// Writes what waits.
    pub(super) fn flush(&self) {
        self.0.flush();
    }
}

impl Shared {
    fn write_now_and_then(&self) {
        loop {
            {
                let waiting = lock(&self.waiting);
                let found = self.some.wait_while(waiting, |waiting| waiting.is_empty());
                drop(found.unwrap_or_else(PoisonError::into_inner));
            }
            std::thread::sleep(MOMENT);
            self.flush();
        }
    }

    fn flush(&self) {
        let mut out = lock(&self.out);
        let lines = std::mem::take(&mut *lock(&self.waiting));
        if !lines.is_empty() {
            // Nobody is left who could be told.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
        }
    }
}

/// A line that is being written.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    is_trouble: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let shared = &self.lines.0;
        let (begins, many) = {
            let mut waiting = lock(&shared.waiting);
            let begins = waiting.is_empty();
            waiting.extend_from_slice(text);
            (begins, waiting.len() >= MANY)
        };
        if self.is_trouble || many {
            shared.flush();
        } else if begins {
            shared.some.notify_one();
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.flush();
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            is_trouble: true,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line {
            lines: self,
            is_trouble: *metadata.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Sends on what is written, a message for each call.
    struct Calls(mpsc::Sender<String>);

    impl Write for Calls {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let said = String::from_utf8(text.to_vec()).unwrap();
            self.0.send(said).map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn say(lines: &Lines, is_trouble: bool, text: &str) {
        let mut line = Line { lines, is_trouble };
        line.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn trouble_is_written_at_once_and_what_was_said_before_it_first() {
        let (calls, written) = mpsc::channel();
        let lines = Lines::new(Calls(calls)).unwrap();
        say(&lines, false, "a request ended\n");
        say(&lines, true, "a disk is full\n");
        let all: String = written.try_iter().collect();
        assert_eq!(all, "a request ended\na disk is full\n");
    }

    #[test]
    fn lines_that_are_no_trouble_are_written_a_little_later_without_being_asked_for() {
        let (calls, written) = mpsc::channel();
        let lines = Lines::new(Calls(calls)).unwrap();
        for round in 0..3 {
            let line = format!("round {round}\n");
            say(&lines, false, &line);
            assert_eq!(written.recv().unwrap(), line);
        }
    }

    #[test]
    fn many_lines_do_not_wait_and_none_is_lost_or_out_of_order() {
        let (calls, written) = mpsc::channel();
        let lines = Lines::new(Calls(calls)).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let lines = lines.clone();
                std::thread::spawn(move || {
                    for n in 0..2_000 {
                        say(
                            &lines,
                            n % 500 == 7,
                            &format!("{thread} {n} {}\n", "x".repeat(40)),
                        );
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        lines.flush();
        let all: String = written.try_iter().collect();
        for thread in 0..4 {
            let said = all.lines().filter_map(|line| {
                let mut words = line.split(' ');
                let is_its = words.next()? == thread.to_string();
                is_its.then(|| words.next()?.parse::<usize>().ok()).flatten()
            });
            assert!(said.eq(0..2_000), "{thread}");
        }
    }
}
