//! The JSON form: products by SKU, and terms by SKU with price dimensions in them.

use super::{List, Raw, Unreadable};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    publication_date: Option<String>,
    products: BTreeMap<String, Product>,
    terms: BTreeMap<String, BTreeMap<String, BTreeMap<String, Term>>>,
}

#[derive(Deserialize)]
struct Product {
    attributes: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: BTreeMap<String, Dimension>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    description: String,
    unit: String,
    price_per_unit: BTreeMap<String, String>,
}

impl Product {
    /// An attribute by its letters, since AWS writes `servicename` and `serviceName`.
    fn attribute(&self, name: &str) -> &str {
        self.attributes
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| value.as_str())
            .unwrap_or_default()
    }
}

/// Reads a JSON file.
pub(super) fn read(text: &str) -> Result<List, Unreadable> {
    let file: File = serde_json::from_str(text).map_err(|error| {
        Unreadable::NoList(format!(
            "This is not a price list of AWS in JSON ({error}). Download the file of the offer \
             AmazonBedrockFoundationModels as CSV or JSON."
        ))
    })?;
    let mut list = List {
        published: file.publication_date,
        ..List::default()
    };
    for (term, by_sku) in &file.terms {
        for (sku, terms) in by_sku {
            let product = file.products.get(sku);
            let attribute = |name| product.map_or("", |p: &Product| p.attribute(name));
            for dimension in terms.values().flat_map(|t| t.price_dimensions.values()) {
                for (currency, amount) in &dimension.price_per_unit {
                    list.take(&Raw {
                        service: attribute("servicename"),
                        region: attribute("regionCode"),
                        sku,
                        term,
                        description: &dimension.description,
                        unit: &dimension.unit,
                        amount,
                        currency,
                        usage_type: attribute("usagetype"),
                    });
                }
            }
        }
    }
    Ok(list)
}
