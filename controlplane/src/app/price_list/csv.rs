//! The CSV form: five lines about the file, then a header, then one price a line (RFC 4180).

use super::{List, Raw, Unreadable};

/// How far the header may be from the start.
const PREAMBLE: usize = 50;

/// The columns that are used, as the header names them. AWS orders and spells them differently from offer to offer, so
/// they are found by their letters alone.
const COLUMNS: [&str; 9] = [
    "servicename",
    "regioncode",
    "sku",
    "termtype",
    "pricedescription",
    "unit",
    "priceperunit",
    "currency",
    "usagetype",
];

/// The letters of a column's name, in lower case.
fn letters(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Splits text into records of fields. Quotes may hold commas, line breaks and doubled quotes.
fn records(text: &str) -> impl Iterator<Item = Vec<String>> + '_ {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        chars.peek()?;
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        while let Some(c) = chars.next() {
            match (c, quoted) {
                ('"', true) if chars.peek() == Some(&'"') => {
                    chars.next();
                    field.push('"');
                }
                ('"', _) => quoted = !quoted,
                (',', false) => fields.push(std::mem::take(&mut field)),
                ('\r', false) => {}
                ('\n', false) => break,
                (c, _) => field.push(c),
            }
        }
        fields.push(field);
        Some(fields)
    })
}

/// Reads a CSV file.
pub(super) fn read(text: &str) -> Result<List, Unreadable> {
    let mut list = List::default();
    let mut records = records(text);
    let mut places = None;
    for record in records.by_ref().take(PREAMBLE) {
        let names: Vec<_> = record.iter().map(|name| letters(name)).collect();
        if let [name, value] = names.as_slice()
            && name == "publicationdate"
            && !value.is_empty()
        {
            list.published = record.get(1).cloned();
        }
        if names.first().is_some_and(|name| name == "sku") {
            places = Some(COLUMNS.map(|column| names.iter().position(|name| name == column)));
            break;
        }
    }
    let Some(places) = places else {
        return Err(Unreadable::NoList(
            "This is not a price list of AWS: no line begins with the column `SKU`. Download the file of the offer \
             AmazonBedrockFoundationModels as CSV or JSON."
                .to_owned(),
        ));
    };
    let missing: Vec<_> = COLUMNS
        .iter()
        .zip(places)
        .filter(|(name, place)| place.is_none() && **name != "regioncode")
        .map(|(name, _)| *name)
        .collect();
    if !missing.is_empty() {
        return Err(Unreadable::NoList(format!(
            "The price list lacks the columns {}: AWS has changed its form, or it is another file.",
            missing.join(", ")
        )));
    }
    for record in records {
        if record.iter().all(String::is_empty) {
            continue;
        }
        let [
            service,
            region,
            sku,
            term,
            description,
            unit,
            amount,
            currency,
            usage_type,
        ] = places.map(|place| place.and_then(|i| record.get(i)).map_or("", String::as_str));
        list.take(&Raw {
            service,
            region,
            sku,
            term,
            description,
            unit,
            amount,
            currency,
            usage_type,
        });
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_breaks_and_quotes() {
        let all: Vec<_> = records("a,\"b, \"\"c\"\"\nd\",\r\n\"\",x\n").collect();
        assert_eq!(all, [vec!["a", "b, \"c\"\nd", ""], vec!["", "x"]]);
        assert_eq!(records("").count(), 0);
        assert_eq!(records("\"open").collect::<Vec<_>>(), [vec!["open"]]);
    }

    #[test]
    fn a_file_without_a_header_is_refused() {
        let preamble = "\"FormatVersion\",\"v1.0\"\n\"OfferCode\",\"AmazonBedrockFoundationModels\"\n";
        assert!(read(preamble).is_err());
        assert!(read("<html></html>").is_err());
        let Err(Unreadable::NoList(message)) = read("\"SKU\",\"Unit\"\n") else {
            panic!("a header without prices")
        };
        assert!(message.contains("priceperunit"), "{message}");
    }
}
