//! A world of one owner and several holders, stepped at random from a seed.
//!
//! What can happen: requests begin, run and end; holders crash, with or without their disk, and start again; links break
//! and heal at any time; messages are lost with their stream, arrive late, and those of an old stream arrive after the new
//! one has begun; records come twice; clocks run at different speeds; the ceiling is raised.

use ccag_allowance::{Account, Answer, Draw, Holding, Purse, Refusal, Report, Totals, Want};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;

/// How long a holder uses what it has without hearing from the owner, by its own clock.
const LEASE: u64 = 300;

/// A generator of numbers that is the same everywhere (SplitMix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn amount(&mut self, n: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(n).unwrap())).unwrap()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What may happen in a world, and what must hold in it.
#[derive(Clone, Copy)]
struct Laws {
    /// After how long silence a holder counts as lost; `None` for never.
    lost_after: Option<u64>,
    /// The longest that a link stays broken, and a holder with its disk stays down.
    longest_break: u64,
    /// Whether requests may cost more than was reserved for them.
    overruns: bool,
}

#[derive(Clone, Copy)]
struct Running {
    need: i64,
    cost: i64,
    ends_at: u64,
}

#[derive(Clone, Copy)]
struct Record {
    id: u64,
    run: u64,
    cost: i64,
}

enum Up {
    Hello {
        run: u64,
        totals: Totals,
    },
    Ask {
        want: Want,
        returned: i64,
        said: Report,
        delivered_earlier: bool,
    },
}

enum Down {
    Welcome,
    Granted(Answer),
}

/// One connection; messages keep their order within it.
struct Stream {
    number: u64,
    up: VecDeque<(u64, Up)>,
    down: VecDeque<(u64, Down)>,
    /// Whether the holder still listens.
    open: bool,
}

struct Holder {
    up_since: Option<u64>,
    down_until: u64,
    link_broken_until: u64,
    run: u64,
    /// How fast its clock runs, in thousandths.
    speed: u64,
    purse: Purse,
    running: Vec<Running>,
    spool: VecDeque<Record>,
    asked: bool,
    welcomed: bool,
    heard_at: u64,
    lapsed: bool,
    // In the owner's books, as it would be in the database.
    holding: Holding,
    row_run: u64,
    row_stream: u64,
    row_heard_at: u64,
    row_lost: bool,
}

struct World {
    dice: Dice,
    laws: Laws,
    now: u64,
    account: Account,
    holders: Vec<Holder>,
    streams: Vec<(usize, Stream)>,
    next_stream: u64,
    next_record: u64,
    stored: HashSet<u64>,
    /// What went back from holders that were thought lost.
    released: i64,
    /// What requests have cost beyond what was reserved.
    overrun: i64,
    /// What was spent in truth by requests that ended.
    spent: i64,
    /// Records that went down with their disk.
    unrecorded: i64,
    refused: [u64; 2],
    granted: u64,
}

impl World {
    fn new(seed: u64, laws: Laws) -> Self {
        let mut dice = Dice(seed);
        let holders = (0..2 + dice.below(4))
            .map(|_| Holder {
                up_since: Some(0),
                down_until: 0,
                link_broken_until: 0,
                run: 1,
                speed: 900 + dice.below(200),
                purse: Purse::default(),
                running: Vec::new(),
                spool: VecDeque::new(),
                asked: false,
                welcomed: false,
                heard_at: 0,
                lapsed: false,
                holding: Holding::default(),
                row_run: 0,
                row_stream: 0,
                row_heard_at: 0,
                row_lost: false,
            })
            .collect();
        Self {
            account: Account {
                ceiling: Some(500 + dice.amount(6_000)),
                ..Account::default()
            },
            dice,
            laws,
            now: 0,
            holders,
            streams: Vec::new(),
            next_stream: 1,
            next_record: 1,
            stored: HashSet::new(),
            released: 0,
            overrun: 0,
            spent: 0,
            unrecorded: 0,
            refused: [0; 2],
            granted: 0,
        }
    }

    fn step(&mut self) {
        self.now += self.dice.below(4);
        let i = usize::try_from(self.dice.below(self.holders.len() as u64)).unwrap();
        self.end_requests(i);
        match self.dice.below(100) {
            0..30 => self.begin_request(i),
            30..50 => self.speak(i),
            50..68 => self.hear_up(),
            68..84 => self.hear_down(),
            84..94 => self.deliver_record(i),
            94 if self.dice.one_in(4) => self.break_link(i),
            95 => self.crash(i),
            96 => self.find_lost(),
            97 => {
                let (passed, runs) = (self.dice.below(8_000), !self.holders[i].running.is_empty());
                self.holders[i].purse.beat(Duration::from_millis(passed), runs);
            }
            98 if self.dice.one_in(50) => {
                let more = self.dice.amount(3_000);
                self.account.ceiling = self.account.ceiling.map(|c| c + more);
            }
            _ => self.revive(i),
        }
        self.check();
    }

    /// The holder's own reckoning of how long ago it was answered.
    fn silence(&self, i: usize) -> u64 {
        (self.now - self.holders[i].heard_at) * self.holders[i].speed / 1_000
    }

    fn begin_request(&mut self, i: usize) {
        let silence = self.silence(i);
        let need = 1 + self.dice.amount(200);
        let cost = self.dice.amount(need + 1);
        let cost = if self.laws.overruns && self.dice.one_in(10) {
            cost * 2
        } else {
            cost
        };
        let ends_at = self.now + self.dice.below(150);
        let holder = &mut self.holders[i];
        if holder.up_since.is_some()
            && holder.welcomed
            && silence < LEASE
            && holder.purse.reserve(need).is_ok()
        {
            holder.running.push(Running { need, cost, ends_at });
        }
    }

    fn end_requests(&mut self, i: usize) {
        let (now, holder) = (self.now, &mut self.holders[i]);
        if holder.up_since.is_none() {
            return;
        }
        let (ended, running) = holder.running.drain(..).partition(|r: &Running| r.ends_at <= now);
        holder.running = running;
        for request in ended {
            let Running { need, cost, .. } = request;
            holder.purse.settle(need, cost);
            self.spent += cost;
            self.overrun += (cost - need).max(0);
            holder.spool.push_back(Record {
                id: self.next_record,
                run: holder.run,
                cost,
            });
            self.next_record += 1;
        }
    }

    fn linked(&self, i: usize) -> bool {
        self.holders[i].up_since.is_some() && self.holders[i].link_broken_until <= self.now
    }

    /// The holder opens a stream, or asks and reports on the one it has.
    fn speak(&mut self, i: usize) {
        if !self.linked(i) {
            return;
        }
        let silence = self.silence(i);
        let delay = self.now + self.dice.below(20);
        let waiting = if self.dice.one_in(2) {
            1 + self.dice.amount(200)
        } else {
            0
        };
        let holder = &mut self.holders[i];
        if silence >= LEASE && !holder.lapsed {
            // The lease has run out: what is free may be somebody else's by now.
            holder.purse.give_back_all();
            holder.lapsed = true;
        }
        let open = self
            .streams
            .iter_mut()
            .find(|(of, stream)| *of == i && stream.open);
        let Some((_, stream)) = open else {
            let hello = Up::Hello {
                run: holder.run,
                totals: holder.purse.totals(),
            };
            holder.asked = false;
            holder.welcomed = false;
            self.streams.push((
                i,
                Stream {
                    number: self.next_stream,
                    up: VecDeque::from([(delay, hello)]),
                    down: VecDeque::new(),
                    open: true,
                },
            ));
            self.next_stream += 1;
            return;
        };
        if !holder.welcomed || holder.asked {
            return;
        }
        holder.purse.give_back(waiting, waiting);
        let purse = &holder.purse;
        let said = Report {
            unused: purse.free() + purse.reserved(),
            exposed: holder.running.iter().map(|r| r.cost).sum(),
            kept: purse.kept(waiting),
        };
        let ask = Up::Ask {
            want: purse.want(waiting, waiting).unwrap_or_default(),
            returned: purse.totals().returned,
            said,
            delivered_earlier: holder.spool.front().is_none_or(|record| record.run == holder.run),
        };
        holder.asked = true;
        let after = stream.up.back().map_or(0, |(at, _)| *at);
        stream.up.push_back((delay.max(after), ask));
    }

    /// The owner takes one message, possibly of a stream that its holder has given up.
    fn hear_up(&mut self) {
        let due = |stream: &Stream| stream.up.front().is_some_and(|(at, _)| *at <= self.now);
        let ready: Vec<usize> = (0..self.streams.len())
            .filter(|&s| due(&self.streams[s].1))
            .collect();
        if ready.is_empty() {
            return;
        }
        let s = ready[usize::try_from(self.dice.below(ready.len() as u64)).unwrap()];
        let (i, number) = (self.streams[s].0, self.streams[s].1.number);
        let Some((_, message)) = self.streams[s].1.up.pop_front() else {
            return;
        };
        let holders = u32::try_from(self.holders.len()).unwrap();
        let holder = &mut self.holders[i];
        let account = &mut self.account;
        if number < holder.row_stream {
            // A newer stream has begun: this one counts for nothing.
            return;
        }
        holder.row_heard_at = self.now;
        holder.row_lost = false;
        let answer = match message {
            Up::Hello { run, totals } => {
                holder.row_stream = number;
                if run == holder.row_run {
                    account.resume(&mut holder.holding, totals);
                } else {
                    account.restart(&mut holder.holding, None);
                    holder.row_run = run;
                }
                Down::Welcome
            }
            Up::Ask {
                want,
                returned,
                said,
                delivered_earlier,
            } => {
                if delivered_earlier {
                    account.close_earlier_runs(&mut holder.holding);
                }
                account.report(&mut holder.holding, returned, said);
                let answer = account.grant(&mut holder.holding, want, holders);
                match answer.refusal {
                    Some(Refusal::Exhausted) => self.refused[0] += 1,
                    Some(Refusal::Busy) => self.refused[1] += 1,
                    None => self.granted += u64::from(answer.amount > 0),
                }
                Down::Granted(answer)
            }
        };
        let at = self.now + self.dice.below(20);
        self.streams[s].1.down.push_back((at, answer));
    }

    fn hear_down(&mut self) {
        let now = self.now;
        for (i, stream) in &mut self.streams {
            let holder = &mut self.holders[*i];
            if !stream.open || stream.down.front().is_none_or(|(at, _)| *at > now) {
                continue;
            }
            let Some((_, message)) = stream.down.pop_front() else {
                continue;
            };
            holder.heard_at = now;
            holder.lapsed = false;
            match message {
                Down::Welcome => holder.welcomed = true,
                Down::Granted(answer) => {
                    holder.asked = false;
                    holder.purse.take(&answer);
                }
            }
        }
        // What nobody listens to and what has nothing to say any more is forgotten.
        self.streams
            .retain(|(_, stream)| stream.open || !stream.up.is_empty());
    }

    /// A record arrives; the acknowledgement may be lost, so that it comes again.
    fn deliver_record(&mut self, i: usize) {
        if !self.linked(i) {
            return;
        }
        let ack_lost = self.dice.one_in(4);
        let holder = &mut self.holders[i];
        let Some(record) = holder.spool.front().copied() else {
            return;
        };
        // Records of a run that the owner has not heard of yet wait: its holding is not known.
        if self.stored.insert(record.id) {
            let draw = Draw {
                amount: record.cost,
                earlier_run: record.run < holder.row_run,
            };
            self.account
                .settle(record.cost, Some((&mut holder.holding, draw)));
        }
        if !ack_lost {
            holder.spool.pop_front();
        }
    }

    fn break_link(&mut self, i: usize) {
        let long = self.dice.below(self.laws.longest_break.min(3 * LEASE) + 1);
        self.holders[i].link_broken_until = self.now + long;
        self.close(i);
    }

    fn close(&mut self, i: usize) {
        for (of, stream) in &mut self.streams {
            if *of == i {
                stream.open = false;
                // Some of what was under way still arrives, some of it late.
                let keep = usize::try_from(self.dice.below(3)).unwrap();
                stream.up.truncate(keep);
                let late = self.dice.below(LEASE);
                stream.up.iter_mut().for_each(|(at, _)| *at += late);
            }
        }
        self.holders[i].welcomed = false;
        self.holders[i].asked = false;
    }

    fn crash(&mut self, i: usize) {
        if self.holders[i].up_since.is_none() || !self.dice.one_in(12) {
            return;
        }
        self.close(i);
        let disk_lost = self.dice.one_in(3);
        let down = self.dice.below(self.laws.longest_break.min(2 * LEASE) + 1);
        let holder = &mut self.holders[i];
        holder.up_since = None;
        holder.down_until = self.now + down;
        holder.running.clear();
        holder.purse = Purse::default();
        if disk_lost {
            let stored = &self.stored;
            let lost = holder
                .spool
                .drain(..)
                .filter(|record| !stored.contains(&record.id));
            self.unrecorded += lost.map(|record| record.cost).sum::<i64>();
        }
    }

    fn revive(&mut self, i: usize) {
        let holder = &mut self.holders[i];
        if holder.up_since.is_none() && holder.down_until <= self.now {
            holder.up_since = Some(self.now);
            holder.run += 1;
            holder.heard_at = self.now;
            holder.lapsed = false;
        }
    }

    fn find_lost(&mut self) {
        let Some(after) = self.laws.lost_after else { return };
        for holder in &mut self.holders {
            if !holder.row_lost && self.now - holder.row_heard_at > after {
                holder.row_lost = true;
                self.released += self.account.release(&mut holder.holding);
            }
        }
    }

    /// Everything heals, no request begins any more, and holders give back what they have.
    fn end(&mut self) {
        self.laws.longest_break = 0;
        for i in 0..self.holders.len() {
            self.holders[i].link_broken_until = 0;
            self.holders[i].down_until = 0;
        }
        for _ in 0..6_000 {
            self.now += 1;
            let i = usize::try_from(self.dice.below(self.holders.len() as u64)).unwrap();
            self.end_requests(i);
            self.revive(i);
            self.holders[i].purse.beat(Duration::from_millis(250), false);
            self.speak(i);
            self.hear_up();
            self.hear_down();
            self.deliver_record(i);
            self.check();
        }
        for holder in &self.holders {
            assert!(holder.running.is_empty() && holder.spool.is_empty());
            let purse = holder.purse;
            // A wish that was granted just now may still lie there.
            let left = purse.free().max(0);
            let open =
                holder.holding.outstanding() - holder.holding.written_off.min(holder.holding.carried.max(0));
            assert!(
                open - left <= 400,
                "{open} stay granted to a holder that has {left}: {:?}",
                holder.holding
            );
        }
    }

    fn check(&self) {
        let held: i64 = self.holders.iter().map(|h| h.holding.outstanding().max(0)).sum();
        assert_eq!(
            held, self.account.held,
            "the sum of the holdings is what the account says"
        );
        let excess = self.account.settled + self.account.held - self.account.ceiling.unwrap();
        let allowed = self.overrun + if self.may_come_back() { self.released } else { 0 };
        assert!(
            excess <= allowed,
            "{excess} too much at {} with {allowed} allowed",
            self.now
        );
    }

    /// Whether somebody who counts as lost may be alive.
    fn may_come_back(&self) -> bool {
        self.laws
            .lost_after
            .is_some_and(|after| self.laws.longest_break + 2 * LEASE > after)
    }
}

/// Runs worlds of a kind, and checks that something happened in them.
fn run(laws: Laws, seeds: std::ops::Range<u64>, steps: u64) {
    let (mut granted, mut exhausted, mut busy, mut used) = (0, 0, 0, 0.0f64);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut world = World::new(seed, laws);
        for _ in 0..steps {
            world.step();
        }
        world.end();
        granted += world.granted;
        exhausted += world.refused[0];
        busy += world.refused[1];
        let ceiling = world.account.ceiling.unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a share, for a rough check")]
        let share = world.account.settled as f64 / ceiling as f64;
        used += share;
        assert!(
            world.account.settled + world.unrecorded <= world.spent,
            "nothing is counted twice"
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a mean, for a rough check")]
    let mean = used / count as f64;
    assert!(
        granted > 100 && exhausted > 10 && busy > 10,
        "{granted} {exhausted} {busy}"
    );
    assert!(mean > 0.5, "budgets are used: {mean}");
}

const SEEDS: u64 = 60;
const STEPS: u64 = 6_000;

#[test]
fn settled_and_granted_never_exceed_the_ceiling_while_nobody_is_taken_for_lost() {
    let laws = Laws {
        lost_after: None,
        longest_break: u64::MAX / 4,
        overruns: false,
    };
    run(laws, 0..SEEDS, STEPS);
}

#[test]
fn nor_while_those_who_are_taken_for_lost_stay_lost() {
    let laws = Laws {
        lost_after: Some(4 * LEASE),
        longest_break: LEASE / 2,
        overruns: false,
    };
    run(laws, 1_000..1_000 + SEEDS, STEPS);
}

#[test]
fn and_otherwise_by_no_more_than_what_was_released_and_what_requests_cost_beyond_their_reservations() {
    let laws = Laws {
        lost_after: Some(2 * LEASE),
        longest_break: 3 * LEASE,
        overruns: true,
    };
    run(laws, 2_000..2_000 + SEEDS, STEPS);
}
