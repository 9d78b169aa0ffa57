//! The figures, for people and as JSON.

use crate::Options;
use crate::measure::{Compared, FirstToken, Governance, Idle, Memory, Sample};
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    out: PathBuf,
    instructions: bool,
    pub(crate) cpu: Vec<Compared>,
    pub(crate) governance: Option<Governance>,
    pub(crate) first_token: Vec<FirstToken>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) hours: Vec<Sample>,
    pub(crate) idle: Option<Idle>,
}

/// Least, lower quartile, median, upper quartile, greatest.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> [f64; 5] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    [0, 1, 2, 3, 4].map(|quarter| {
        let at = last as f64 * f64::from(quarter) / 4.0;
        let value = |at: f64| values.get(at as usize).copied().unwrap_or(f64::NAN);
        let (low, high) = (value(at.floor()), value(at.ceil()));
        low + (high - low) * at.fract()
    })
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            out: options.out.clone(),
            instructions: options.instructions,
            cpu: Vec::new(),
            governance: None,
            first_token: Vec::new(),
            memory: Vec::new(),
            hours: Vec::new(),
            idle: None,
        }
    }

    pub(crate) fn print(&self) {
        self.print_compared(&self.cpu);
        if let Some(governance) = &self.governance {
            self.print_compared(&governance.of);
            println!(
                "of {} requests {} waited for the control plane; {} messages about budgets and limits went to it",
                governance.requests, governance.waits, governance.messages
            );
        }
        self.print_first_token();
        if let [null, gateway] = &*self.memory {
            println!(
                "\nmemory of {} open streams, in KiB for each: null proxy {:.1}, gateway {:.1}, ratio **{:.2}**",
                null.streams,
                null.each(),
                gateway.each(),
                gateway.each() / null.each()
            );
            println!(
                "resident before any: null proxy {:.1} MiB, gateway {:.1} MiB",
                mebibytes(null.before),
                mebibytes(gateway.before)
            );
        }
        self.print_hours();
        if let Some(idle) = &self.idle {
            println!(
                "\nidle: {:.1} MiB resident, {:.0} µs of CPU time a second; ready after {:.0} ms (median of {}); program {:.1} MiB",
                mebibytes(idle.resident),
                idle.cpu,
                spread(idle.ready.iter().copied())[2],
                idle.ready.len(),
                mebibytes(idle.program)
            );
        }
    }

    fn print_hours(&self) {
        let [.., last] = &*self.hours else { return };
        println!("\nresident under load, in MiB");
        for sample in self.hours.iter().step_by(self.hours.len().div_ceil(12)) {
            println!(
                "after {:.0} min: {:.1}",
                sample.minute,
                mebibytes(sample.resident)
            );
        }
        // The first tenth is what it takes until everything has been used once.
        let settled = &self.hours[self.hours.len() / 10..];
        println!(
            "{} streams in {:.0} min; {:+.1} KiB a minute after the first tenth",
            last.answered,
            last.minute,
            slope(settled) / 1_024.0
        );
    }

    fn print_compared(&self, all: &[Compared]) {
        let [first, ..] = all else { return };
        let unit = match self.instructions {
            true => "thousands of instructions",
            false => "microseconds of CPU time",
        };
        let [one, other] = first.of.each_ref().map(|cost| cost.name);
        println!("\n{unit} for each request, medians of the blocks");
        println!(
            "| shape | at a time | blocks | {one} | {other} | ratio | quartiles | gaps p50, p99 (ms), {one} | {other} |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for compared in all {
            let [one, other] = &compared.of;
            let pairs = one.each.iter().zip(&other.each).map(|(one, other)| other / one);
            let [_, low, ratio, high, _] = spread(pairs);
            let median = |of: &[f64]| spread(of.iter().copied())[2] / 1_000.0;
            println!(
                "| {} | {} | {} | {:.1} | {:.1} | **{ratio:.3}** | {low:.3}, {high:.3} | {:.2}, {:.2} | {:.2}, {:.2} |",
                compared.shape,
                compared.clients,
                one.each.len(),
                median(&one.each),
                median(&other.each),
                one.gaps[0],
                one.gaps[1],
                other.gaps[0],
                other.gaps[1]
            );
        }
    }

    fn print_first_token(&self) {
        let [direct, rest @ ..] = &*self.first_token else {
            return;
        };
        println!("\nthe first token, one request after the other, in milliseconds");
        println!(
            "| through | requests | p50 | p90 | p99 | longest | above 30 ms | added p50 | added p99 | p50 after a pause |"
        );
        println!("|---|---|---|---|---|---|---|---|---|---|");
        for of in std::iter::once(direct).chain(rest) {
            let [half, ninety, ninety_nine, longest] = of.took;
            println!(
                "| {} | {} | {half:.2} | {ninety:.2} | {ninety_nine:.2} | {longest:.2} | {:.2} % | {:.2} | {:.2} | {:.2} |",
                of.of,
                of.requests,
                of.delayed * 100.0,
                half - direct.took[0],
                ninety_nine - direct.took[2],
                of.after_pause
            );
        }
    }

    pub(crate) fn write(&self) -> Result<()> {
        let path = self.out.join(if self.instructions {
            "instructions.json"
        } else {
            "speed.json"
        });
        let all = json!({
            "unit": if self.instructions { "instructions" } else { "nanoseconds" },
            "machine": machine(),
            "cpu": self.cpu, "governance": self.governance, "first_token": self.first_token, "memory": self.memory,
            "hours": self.hours, "idle": self.idle,
        });
        std::fs::write(&path, format!("{all:#}\n"))?;
        println!("\nwritten to {}", path.display());
        Ok(())
    }
}

/// How many bytes a minute more, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let n = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (minute, resident) = (mean(|of| of.minute), mean(|of| of.resident as f64));
    let together = |of: &Sample| (of.minute - minute) * (of.resident as f64 - resident);
    let apart: f64 = samples.iter().map(|of| (of.minute - minute).powi(2)).sum();
    samples.iter().map(together).sum::<f64>() / apart
}

pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What kind of machine it was.
pub(crate) fn machine() -> serde_json::Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    json!({
        "processor": model.map(|(_, name)| name),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load": read("/proc/loadavg").trim(),
    })
}
