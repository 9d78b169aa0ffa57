//! What goes wrong, drawn from a seed, and how it is put right again.

use super::world::World;
use crate::harness::Way;
use std::time::Duration;

/// A source of choices that are the same for the same seed (SplitMix64; Steele, Lea and Flood, 2014).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub(super) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = usize::try_from((most - least).as_millis()).unwrap();
        least + Duration::from_millis(self.below(span + 1) as u64)
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// `kill -9` of a data plane.
    KillDataPlane(usize),
    /// SIGTERM to a data plane.
    StopDataPlane(usize),
    /// `kill -9` of a control plane.
    KillControlPlane(usize),
    /// SIGTERM to a control plane.
    StopControlPlane(usize),
    /// The way from a data plane to all control planes.
    BetweenPlanes(usize, Way),
    /// The way from some of the clients to the load balancer.
    BeforeClients(Way),
    /// The wall clock of a data plane jumps by so many seconds; what measures durations does not.
    StepClock(usize, i64),
    /// The way from a control plane to the database.
    BeforeDatabase(usize, Way),
    /// The database crashes.
    CrashDatabase,
}

/// Draws what goes wrong next: one thing, or two of different kinds at once.
pub(super) fn draw(dice: &mut Dice, world: &World) -> Vec<Fault> {
    let (planes, controls) = (world.planes.len(), world.controls.len());
    let kinds = if world.cluster.is_some() { 6 } else { 5 };
    let first = dice.below(kinds);
    let mut chosen = vec![first];
    if dice.below(2) == 0 {
        chosen.push((first + 1 + dice.below(kinds - 1)) % kinds);
    }
    let slow = [Way::Slow(Duration::from_millis(150)), Way::Throttled(20_000)];
    let ways = [slow[0], slow[1], Way::Stalled, Way::Cut];
    let steps = [-90, -5, 5, 90];
    chosen
        .into_iter()
        .map(|kind| match kind {
            0 if dice.below(3) == 0 => Fault::StopDataPlane(dice.below(planes)),
            0 => Fault::KillDataPlane(dice.below(planes)),
            1 if dice.below(3) == 0 => Fault::StopControlPlane(dice.below(controls)),
            1 => Fault::KillControlPlane(dice.below(controls)),
            2 => Fault::BetweenPlanes(dice.below(planes), ways[dice.below(ways.len())]),
            3 => Fault::BeforeClients([Way::Throttled(8_000), slow[0], Way::Stalled][dice.below(3)]),
            4 => Fault::StepClock(dice.below(planes), steps[dice.below(steps.len())]),
            _ if dice.below(2) == 0 => Fault::CrashDatabase,
            _ => Fault::BeforeDatabase(dice.below(controls), ways[dice.below(ways.len())]),
        })
        .collect()
}

impl Fault {
    /// Lets it go wrong.
    pub(super) fn strike(self, world: &mut World) {
        match self {
            Self::KillDataPlane(n) => {
                world.planes[n].kill();
                world.kills.push(super::now_ms());
            }
            Self::StopDataPlane(n) => world.planes[n].process.as_ref().unwrap().terminate(),
            Self::KillControlPlane(n) => world.controls[n].kill(),
            Self::StopControlPlane(n) => world.controls[n].process.as_ref().unwrap().terminate(),
            Self::BetweenPlanes(n, way) => world.links[n].iter().for_each(|link| link.set(way)),
            Self::BeforeClients(way) => world.client_link.set(way),
            Self::StepClock(n, seconds) => world.clocks[n].set(seconds),
            Self::BeforeDatabase(n, way) => world.database_links[n].set(way),
            Self::CrashDatabase => {
                let cluster = world.cluster.as_ref().unwrap();
                tokio::task::block_in_place(|| cluster.stop());
            }
        }
    }

    /// Puts it right.
    pub(super) async fn heal(self, world: &mut World) {
        match self {
            Self::KillDataPlane(n) => world.planes[n].resume().await,
            Self::StopDataPlane(n) => {
                let plane = &mut world.planes[n];
                let mut process = plane.process.take().unwrap();
                let status = process.ended(Duration::from_secs(60)).await;
                assert_eq!(status.code(), Some(0), "{}", process.output());
                plane.resume().await;
            }
            Self::KillControlPlane(n) => world.controls[n].resume().await,
            Self::StopControlPlane(n) => {
                let plane = &mut world.controls[n];
                let mut process = plane.process.take().unwrap();
                let status = process.ended(Duration::from_secs(60)).await;
                assert_eq!(status.code(), Some(0), "{}", process.output());
                plane.resume().await;
            }
            Self::BetweenPlanes(n, _) => world.links[n].iter().for_each(|link| link.set(Way::Open)),
            Self::BeforeClients(_) => world.client_link.set(Way::Open),
            Self::StepClock(n, _) => world.clocks[n].set(0),
            Self::BeforeDatabase(n, _) => world.database_links[n].set(Way::Open),
            Self::CrashDatabase => {
                let cluster = world.cluster.as_ref().unwrap();
                tokio::task::block_in_place(|| cluster.resume());
            }
        }
    }

    /// The later, the more it needs of what else is put right.
    pub(super) fn order(self) -> u8 {
        match self {
            Self::CrashDatabase | Self::BeforeDatabase(..) | Self::BeforeClients(_) | Self::StepClock(..) => {
                0
            }
            Self::BetweenPlanes(..) => 1,
            Self::KillControlPlane(_) | Self::StopControlPlane(_) => 2,
            Self::KillDataPlane(_) | Self::StopDataPlane(_) => 3,
        }
    }
}
