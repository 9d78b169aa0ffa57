//! All findings, and how they are told.

use crate::finding::{Finding, State};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};

/// The exit code of a program that has found a fault.
pub const FAULTS: u8 = 7;

/// How wide a check's name is written.
const NAME: usize = 20;

/// All that was found, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether there is no fault. Warnings are none.
    pub ok: bool,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Puts findings in order: the worst first, and otherwise as they are.
    #[must_use]
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.state);
        Self {
            ok: findings.iter().all(|finding| finding.state != State::Fault),
            findings,
        }
    }

    /// The exit code for it: 0, or [`FAULTS`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.ok { 0 } else { FAULTS }
    }

    /// The same as one JSON document.
    ///
    /// # Errors
    /// None that could come of this type.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Writes it for people, or as JSON.
    ///
    /// # Errors
    /// Whatever the writer says.
    pub fn write(&self, to: &mut impl Write, json: bool) -> io::Result<()> {
        match json {
            true => writeln!(to, "{}", self.to_json()?),
            false => write!(to, "{self}"),
        }
    }

    fn count(&self, state: State) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.state == state)
            .count()
    }

    fn summary(&self) -> String {
        let count = |state, one: &str, many: &str| match self.count(state) {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        };
        let parts = [
            count(State::Fault, "fault", "faults"),
            count(State::Warning, "warning", "warnings"),
            count(State::Skipped, "not looked at", "not looked at"),
            count(State::Ok, "ok", "ok"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match parts.is_empty() {
            true => "Nothing was looked at.".to_owned(),
            false => format!("{}.", parts.join(", ")),
        }
    }
}

/// For people: what is wrong with what to do, then a line for each thing that is in order.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let word = match finding.state {
                State::Fault => "FAULT  ",
                State::Warning => "warning",
                State::Skipped => "-      ",
                State::Ok => "ok     ",
            };
            let (subject, found) = (one_line(&finding.subject), one_line(&finding.found));
            if matches!(finding.state, State::Ok | State::Skipped) {
                writeln!(f, "{word}  {:NAME$}  {subject}: {found}", finding.check)?;
                continue;
            }
            writeln!(f, "{word}  {:NAME$}  {subject}", finding.check)?;
            writeln!(f, "         what:  {found}")?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "         do:    {}", one_line(advice))?;
            }
            writeln!(
                f,
                "         see:   docs/doctor.md#{}, docs/{}\n",
                finding.check, finding.page
            )?;
        }
        writeln!(f, "{}", self.summary())
    }
}

/// What others have said may hold line breaks, and characters that a terminal acts on.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;

    #[test]
    fn what_is_wrong_comes_first_and_what_is_in_order_takes_a_line() {
        let report = Report::new(vec![
            checks::DATABASE.ok("postgres://(set)@db/ccag", "PostgreSQL 16.3"),
            checks::CONTROL_PLANE.skipped("http://x", "there is no address"),
            checks::JOIN_TOKEN.fault("https://control:8082", "it is\nrefused", "set the other one"),
            checks::GRPC_CERTIFICATE.warning("grpc.crt", "it ends in 9 days", "renew it"),
        ]);
        let expected = "\
FAULT    join-token            https://control:8082
         what:  it is refused
         do:    set the other one
         see:   docs/doctor.md#join-token, docs/configuration.md#data-plane

warning  grpc-certificate      grpc.crt
         what:  it ends in 9 days
         do:    renew it
         see:   docs/doctor.md#grpc-certificate, docs/configuration.md#control-plane

-        control-plane         http://x: there is no address
ok       database              postgres://(set)@db/ccag: PostgreSQL 16.3
1 fault, 1 warning, 1 not looked at, 1 ok.
";
        assert_eq!(report.to_string(), expected);
        assert_eq!(report.exit_code(), FAULTS);
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        assert_eq!(json["ok"], false);
        assert_eq!(json["findings"][0]["check"], "join-token");
        assert_eq!(json["findings"][0]["state"], "fault");
    }

    #[test]
    fn warnings_alone_are_no_failure() {
        let report = Report::new(vec![checks::GRPC_CERTIFICATE.warning("a", "b", "c")]);
        assert_eq!(report.exit_code(), 0);
        assert!(Report::new(Vec::new()).ok);
    }
}
