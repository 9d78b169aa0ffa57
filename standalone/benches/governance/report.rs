//! The figures, for people and as JSON.

use crate::Options;
use crate::load::{CLIENTS, Shape};
use ccag_bench::cpu::{Mark, Meter};
use serde_json::{Value, json};
use std::path::Path;

/// What a data plane has used in a block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) requests: u64,
    /// Nanoseconds of CPU time, or instructions.
    pub(crate) used: u64,
}

/// The same block of both users.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) shape: Shape,
    pub(crate) swapped: bool,
    pub(crate) governed: Block,
    pub(crate) free: Block,
    /// Messages to the control plane about shares of budgets and limits.
    pub(crate) messages: i64,
    /// How often a request waited for an answer to one.
    pub(crate) waits: i64,
}

impl Block {
    /// What was used since a mark, by so many requests.
    pub(crate) fn new(since: &Mark, meter: &Meter, name: &str, requests: impl Fn() -> u64) -> Self {
        let requests = requests();
        let used = meter.since(since, name).unwrap();
        Self { requests, used }
    }

    fn each(&self) -> f64 {
        self.used as f64 / self.requests as f64
    }

    fn json(&self) -> Value {
        json!({"requests": self.requests, "used": self.used})
    }
}

impl Pair {
    pub(crate) fn ratio(&self) -> f64 {
        self.governed.each() / self.free.each()
    }
}

/// Least, lower quartile, median, upper quartile, greatest.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 5] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    [0, 1, 2, 3, 4].map(|quarter| {
        let at = last as f64 * f64::from(quarter) / 4.0;
        let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
        low + (high - low) * at.fract()
    })
}

/// All pairs.
pub(crate) struct Results {
    instructions: bool,
    pub(crate) pairs: Vec<Pair>,
}

impl Results {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            instructions: options.instructions,
            pairs: Vec::new(),
        }
    }

    fn shapes(&self) -> impl Iterator<Item = (Shape, Vec<&Pair>)> {
        let all = [Shape::Message, Shape::Stream].map(|shape| {
            let of: Vec<&Pair> = self.pairs.iter().filter(|pair| pair.shape == shape).collect();
            (shape, of)
        });
        all.into_iter().filter(|(_, pairs)| !pairs.is_empty())
    }

    pub(crate) fn print(&self) {
        let unit = match self.instructions {
            true => "thousands of instructions",
            false => "microseconds of CPU time",
        };
        println!(
            "{unit} for each request, medians of the blocks; {CLIENTS} requests at a time at each data plane"
        );
        println!("| shape | blocks | with | without | ratio | quartiles | least, greatest |");
        println!("|---|---|---|---|---|---|---|");
        for (shape, pairs) in self.shapes() {
            let median = |of: fn(&Pair) -> f64| spread(pairs.iter().map(|pair| of(pair)))[2] / 1_000.0;
            let [least, low, ratio, high, greatest] = spread(pairs.iter().map(|pair| pair.ratio()));
            println!(
                "| {} | {} | {:.1} | {:.1} | **{ratio:.3}** | {low:.3}, {high:.3} | {least:.3}, {greatest:.3} |",
                shape.name(),
                pairs.len(),
                median(|pair| pair.governed.each()),
                median(|pair| pair.free.each()),
            );
        }
        for (shape, pairs) in self.shapes() {
            let requests: u64 = pairs.iter().map(|pair| pair.governed.requests).sum();
            let messages: i64 = pairs.iter().map(|pair| pair.messages).sum();
            let waits: i64 = pairs.iter().map(|pair| pair.waits).sum();
            println!(
                "{}: of {requests} governed requests {waits} waited for the control plane; {messages} messages in all",
                shape.name(),
            );
        }
    }

    pub(crate) fn write(&self, dir: &Path) {
        let path = dir.join(if self.instructions {
            "instructions.json"
        } else {
            "time.json"
        });
        let pairs = self.pairs.iter().map(|pair| {
            json!({
                "shape": pair.shape.name(), "swapped": pair.swapped, "ratio": pair.ratio(),
                "governed": pair.governed.json(), "free": pair.free.json(),
                "messages": pair.messages, "waits": pair.waits,
            })
        });
        let all = json!({
            "unit": if self.instructions { "instructions" } else { "nanoseconds" },
            "clients": CLIENTS,
            "pairs": pairs.collect::<Vec<_>>(),
        });
        std::fs::write(&path, format!("{all:#}\n")).unwrap();
        println!("written to {}", path.display());
    }
}
