//! What an import finds, makes and leaves.

use std::fmt;

/// What became, or would become, of one kind of thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is, in the plural.
    pub what: &'static str,
    /// How many there are in the existing gateway.
    pub found: u64,
    /// How many are made.
    pub made: u64,
    /// How many are here already, and stay as they are.
    pub there: u64,
}

/// Something that a person has to know: what is not as it was, or not carried over at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The table in the database of the existing gateway.
    pub table: &'static str,
    /// The row there.
    pub row: String,
    /// What there is to say.
    pub text: String,
}

/// What an import comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// By kind.
    pub parts: Vec<Part>,
    /// What a person has to know.
    pub notes: Vec<Note>,
}

impl Report {
    /// Counts one kind of thing.
    pub(super) fn part(&mut self, what: &'static str, found: usize, made: usize, there: usize) {
        self.parts.push(Part {
            what,
            found: found as u64,
            made: made as u64,
            there: there as u64,
        });
    }

    pub(super) fn note(&mut self, table: &'static str, row: impl Into<String>, text: impl Into<String>) {
        let clean = |text: String| text.chars().filter(|c| !c.is_control()).collect();
        self.notes.push(Note {
            table,
            row: clean(row.into()),
            text: clean(text.into()),
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let made = if self.dry_run { "to make" } else { "made" };
        writeln!(
            f,
            "{:<24}{:>12}{made:>12}{:>14}{:>10}",
            "", "found", "here already", "left"
        )?;
        for part in &self.parts {
            let left = part.found.saturating_sub(part.made + part.there);
            writeln!(
                f,
                "{:<24}{:>12}{:>12}{:>14}{left:>10}",
                part.what, part.found, part.made, part.there
            )?;
        }
        if !self.notes.is_empty() {
            writeln!(f, "\nTo know:")?;
        }
        for note in &self.notes {
            writeln!(f, "  {} {}: {}", note.table, note.row, note.text)?;
        }
        if self.dry_run {
            writeln!(f, "\nNothing was changed. Without --dry-run this is carried out.")?;
        }
        Ok(())
    }
}
