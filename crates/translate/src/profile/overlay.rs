//! Rules of an admin's own, laid over a rule book.

use super::{RuleBook, RuleBookError};
use serde_json::Value;

/// The tables that rules can be added to.
pub const TABLES: [&str; 19] = [
    "betas",
    "add_betas",
    "fields",
    "versions",
    "output_config",
    "context_edits",
    "cache_control",
    "message_fields",
    "roles",
    "system_texts",
    "tools",
    "tool_fields",
    "blocks",
    "sources",
    "events",
    "answer_blocks",
    "deltas",
    "thinking",
    "efforts",
];

/// Puts rows before those of a book and names the result: of several rows that fit, the first decides. Returns the new
/// book as JSON.
///
/// `rows` are pairs of a table and a row in the form that the book itself has, in the order in which they are to count.
///
/// # Errors
/// [`RuleBookError`] names what is wrong with a row.
pub fn overlaid<'r>(
    book: &str,
    rows: impl IntoIterator<Item = (&'r str, &'r Value)>,
    version: &str,
) -> Result<String, RuleBookError> {
    let mut whole: Value = serde_json::from_str(book)?;
    let mut positions = [0; TABLES.len()];
    for (table, row) in rows {
        let slot = TABLES.iter().position(|known| *known == table);
        let (Some(slot), Some(list)) = (slot, whole.get_mut(table).and_then(Value::as_array_mut)) else {
            return Err(RuleBookError::Table(table.to_owned()));
        };
        list.insert(positions[slot], row.clone());
        positions[slot] += 1;
    }
    if let Some(slot) = whole.get_mut("version") {
        *slot = Value::from(version);
    }
    let text = whole.to_string();
    RuleBook::from_json(text.as_bytes())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Action;
    use ccag_domain::ModelName;
    use serde_json::json;

    fn shipped() -> &'static str {
        RuleBook::shipped("invoke-model").unwrap()
    }

    #[test]
    fn a_row_of_an_admins_own_counts_before_the_shipped_ones() {
        let beta = "fallback-credit-2026-06-01";
        let first =
            json!({"name": beta, "do": "keep", "models": {"only": ["claude-opus-5-5"]}, "source": "a test"});
        let second = json!({"name": beta, "do": "refuse", "source": "a test"});
        let text = overlaid(shipped(), [("betas", &first), ("betas", &second)], "1+2").unwrap();
        let book = RuleBook::from_json(text.as_bytes()).unwrap();
        assert_eq!(book.version(), "1+2");
        let action = |model: &str| book.profile(&ModelName::canonical(model), 1).betas.action(beta);
        assert_eq!(action("claude-opus-5-5"), Some(Action::Keep));
        assert_eq!(action("claude-sonnet-5-5"), Some(Action::Refuse));
    }

    #[test]
    fn what_is_wrong_with_a_row_is_said() {
        let refused =
            |table: &str, row: Value| overlaid(shipped(), [(table, &row)], "1").unwrap_err().to_string();
        assert!(refused("planets", json!({})).contains("planets"));
        assert!(refused("betas", json!({"name": "x", "do": "ponder", "source": "s"})).contains("ponder"));
        assert!(refused("betas", json!({"name": "x", "do": "drop", "source": ""})).contains("source"));
        assert!(
            refused("deltas", json!({"name": "x", "do": "refuse", "source": "s"}))
                .contains("kept or dropped")
        );
        assert!(
            refused(
                "betas",
                json!({"name": "x", "do": "drop", "source": "s", "colour": 1})
            )
            .contains("colour")
        );
    }

    #[test]
    fn every_table_of_a_book_can_be_added_to() {
        let book: Value = serde_json::from_str(shipped()).unwrap();
        let tables: Vec<&str> = book
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, value)| value.is_array())
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(tables, TABLES);
    }
}
