//! Why a request went as it went.

use super::Context;
use crate::error::CliError;
use crate::human::printable_line;
use crate::table::{Table, card};
use ccag_admin_api::{ExplanationView, paths};
use ccag_domain::explanation::{Names, Section, told};
use clap::Args;

/// Which request.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The request's id, as it stands in the header request-id of every answer and in the body of every error
    #[arg(value_name = "REQUEST-ID")]
    id: String,
}

impl Explain {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let id = self.id.trim();
        if id.is_empty() {
            return Err(CliError::Usage(
                "no id of a request: give the one that the answer's header request-id shows".to_owned(),
            ));
        }
        let view: ExplanationView = context.client.get(&paths::explanation(id)).await?;
        context.out.show(&view, human)
    }
}

fn human(view: &ExplanationView) -> String {
    let names = Names {
        key: view.key_name.clone(),
        user: view.user_name.clone(),
        team: view.team_name.clone(),
    };
    let sections = told(&view.explanation, &names, view.cost.as_ref());
    let mut parts: Vec<String> = view.note.iter().map(|note| printable_line(note)).collect();
    parts.extend(sections.iter().map(section));
    if let Some(at) = view.kept_until {
        parts.push(format!(
            "Kept until {} UTC; the ledger keeps what it cost.",
            at.to_the_minute()
        ));
    }
    parts.join("\n\n")
}

fn section(section: &Section) -> String {
    let mut parts = Vec::new();
    if !section.facts.is_empty() {
        parts.push(card(&section.facts));
    }
    if let Some(found) = &section.table {
        let mut table = Table::of(&found.columns);
        for row in &found.rows {
            table.cells(row);
        }
        parts.push(table.render(""));
    }
    if !section.notes.is_empty() {
        let notes: Vec<_> = section.notes.iter().map(|note| printable_line(note)).collect();
        parts.push(notes.join("\n"));
    }
    let body = parts.join("\n\n");
    let indented: Vec<_> = body
        .lines()
        .map(|line| {
            if line.is_empty() {
                String::new()
            } else {
                format!("  {line}")
            }
        })
        .collect();
    format!("{}\n{}", section.title, indented.join("\n"))
}
