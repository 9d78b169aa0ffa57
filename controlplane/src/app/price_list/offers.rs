//! From the rows of a price list to what a model costs.

use super::{Kind, Row, Scope};
use ccag_domain::{NanoUsd, Rates};
use std::collections::BTreeMap;

/// What a price list says about one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) struct Offer {
    /// The model as AWS names it.
    pub(in crate::app) model: String,
    /// The price list's number of the input price.
    pub(in crate::app) sku: String,
    /// What it costs through the global profile, or, for a model without one, at all.
    pub(in crate::app) rates: Rates,
    /// The same above the long-context threshold.
    pub(in crate::app) long_context: Option<Rates>,
    /// What profiles of a geography cost, in thousandths of the rates; `None` if the list does not say.
    pub(in crate::app) regional_permille: Option<u32>,
    /// What the region itself costs; `None` if the list does not say.
    pub(in crate::app) in_region_permille: Option<u32>,
    /// What GovCloud costs; `None` if the list does not say.
    pub(in crate::app) gov_permille: Option<u32>,
    /// How many rows it is made of.
    pub(in crate::app) rows: u64,
    /// What was assumed or chosen among contradictions, in words.
    pub(in crate::app) notes: Vec<String>,
}

/// A model whose rows do not make a price, and why.
pub(in crate::app) type Incomplete = (String, u64, String);

/// Makes prices of rows, one for each model that has all it needs.
pub(in crate::app) fn offers(rows: &[Row]) -> (Vec<Offer>, Vec<Incomplete>) {
    let mut by_model: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_model.entry(&row.model).or_default().push(row);
    }
    let (mut offers, mut incomplete) = (Vec::new(), Vec::new());
    for (model, rows) in by_model {
        match offer(model, &rows) {
            Ok(offer) => offers.push(offer),
            Err(reason) => incomplete.push((model.to_owned(), rows.len() as u64, reason)),
        }
    }
    (offers, incomplete)
}

/// The rates of one scope, by kind: where regions differ, the dearest.
type Column = BTreeMap<Kind, NanoUsd>;

fn column(rows: &[&Row], long_context: bool, notes: &mut Vec<String>, fits: impl Fn(&Row) -> bool) -> Column {
    let mut column = Column::new();
    for row in rows.iter().filter(|r| r.long_context == long_context && fits(r)) {
        let held = column.entry(row.kind).or_insert(row.rate);
        if *held != row.rate {
            let note = format!(
                "{} has different prices in different regions; the dearest counts",
                row.kind.as_str()
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
            *held = (*held).max(row.rate);
        }
    }
    column
}

fn offer(model: &str, rows: &[&Row]) -> Result<Offer, String> {
    let mut notes = Vec::new();
    let gov = |row: &Row| row.region.starts_with("us-gov-");
    let scoped =
        |scope: Scope, notes: &mut Vec<String>| column(rows, false, notes, |r| r.scope == scope && !gov(r));
    let global = scoped(Scope::Global, &mut notes);
    let geo = scoped(Scope::Geo, &mut notes);
    let in_region = scoped(Scope::InRegion, &mut notes);
    let unsaid = scoped(Scope::Unsaid, &mut notes);
    let (base, base_scope) = [
        (&global, Scope::Global),
        (&unsaid, Scope::Unsaid),
        (&in_region, Scope::InRegion),
        (&geo, Scope::Geo),
    ]
    .into_iter()
    .find(|(column, _)| column.contains_key(&Kind::Input))
    .ok_or("it has no standard price of input tokens outside GovCloud")?;
    let rates = complete(base, &mut notes)?;
    let long = column(rows, true, &mut notes, |r| r.scope == base_scope && !gov(r));
    let long_context = (!long.is_empty())
        .then(|| complete(&long, &mut notes))
        .transpose()
        .map_err(|reason| format!("above the long-context threshold {reason}"))?;
    // Rows that do not say where are the regional ones beside global rows; beside rows for geographies they are the
    // region's own.
    let unsaid_is_regional = base_scope == Scope::Global && geo.is_empty();
    let regional = if unsaid_is_regional { &unsaid } else { &geo };
    let regional_permille = match ratio(base, regional, "regional prices", &mut notes) {
        None if base_scope != Scope::Global => Some(1_000),
        found => found,
    };
    let own = if in_region.is_empty() && !unsaid_is_regional {
        &unsaid
    } else {
        &in_region
    };
    let gov_column = column(rows, false, &mut notes, gov);
    Ok(Offer {
        model: model.to_owned(),
        sku: rows
            .iter()
            .find(|r| r.kind == Kind::Input && r.scope == base_scope && !r.long_context && !gov(r))
            .map_or_else(String::new, |r| r.sku.clone()),
        rates,
        long_context,
        regional_permille,
        in_region_permille: ratio(base, own, "prices in the region itself", &mut notes),
        gov_permille: ratio(base, &gov_column, "GovCloud prices", &mut notes),
        rows: rows.len() as u64,
        notes,
    })
}

/// All five rates. Only the one-hour write may be missing: it costs twice the input everywhere that AWS lists it.
fn complete(column: &Column, notes: &mut Vec<String>) -> Result<Rates, String> {
    let get = |kind: Kind| {
        column
            .get(&kind)
            .copied()
            .ok_or_else(|| format!("it has no price of {} tokens", kind.as_str()))
    };
    let input = get(Kind::Input)?;
    let cache_write_1h = match get(Kind::CacheWrite1h) {
        Ok(rate) => rate,
        Err(_) => {
            notes
                .push("no price of 1-hour cache writes is listed; twice the input price is taken".to_owned());
            NanoUsd(input.0.saturating_mul(2))
        }
    };
    Ok(Rates {
        input,
        output: get(Kind::Output)?,
        cache_read: get(Kind::CacheRead)?,
        cache_write_5m: get(Kind::CacheWrite5m)?,
        cache_write_1h,
    })
}

/// What one column costs in thousandths of another, rounded up; the largest where kinds differ. `None` if they have no
/// kind in common.
fn ratio(base: &Column, other: &Column, what: &str, notes: &mut Vec<String>) -> Option<u32> {
    let mut found: Vec<u32> = Vec::new();
    for kind in Kind::ALL {
        if let (Some(base), Some(other)) = (base.get(&kind), other.get(&kind)) {
            let permille = (i128::from(other.0) * 1_000 + i128::from(base.0) - 1) / i128::from(base.0.max(1));
            found.push(u32::try_from(permille).unwrap_or(u32::MAX));
        }
    }
    let largest = found.iter().copied().max()?;
    if found.iter().any(|permille| *permille != largest) {
        notes.push(format!(
            "{what} differ by kind of token; the largest premium counts for all"
        ));
    }
    Some(largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Kind, scope: Scope, region: &str, nano: i64) -> Row {
        Row {
            model: "Claude X 1".into(),
            region: region.into(),
            sku: "SKU1".into(),
            kind,
            long_context: false,
            scope,
            rate: NanoUsd(nano),
        }
    }

    fn rows(scope: Scope, region: &str, unit: i64) -> Vec<Row> {
        vec![
            row(Kind::Input, scope, region, 100 * unit),
            row(Kind::Output, scope, region, 500 * unit),
            row(Kind::CacheRead, scope, region, 10 * unit),
            row(Kind::CacheWrite5m, scope, region, 125 * unit),
            row(Kind::CacheWrite1h, scope, region, 200 * unit),
        ]
    }

    fn only(rows: &[Row]) -> Offer {
        let (mut offers, incomplete) = offers(rows);
        assert_eq!((offers.len(), incomplete.len()), (1, 0), "{incomplete:?}");
        offers.remove(0)
    }

    #[test]
    fn global_rows_are_the_rates_and_the_others_are_premiums() {
        let mut all = rows(Scope::Global, "us-east-1", 100);
        all.extend(rows(Scope::Unsaid, "us-east-1", 110));
        all.extend(rows(Scope::Unsaid, "us-gov-west-1", 120));
        let offer = only(&all);
        assert_eq!(offer.rates.input, NanoUsd(10_000));
        assert_eq!(offer.rates.cache_write_1h, NanoUsd(20_000));
        assert_eq!(offer.regional_permille, Some(1_100));
        assert_eq!(offer.gov_permille, Some(1_200));
        assert_eq!(offer.in_region_permille, None);
        assert!(offer.notes.is_empty(), "{:?}", offer.notes);
        all.extend(rows(Scope::Geo, "us-east-1", 111));
        let offer = only(&all);
        assert_eq!(
            (offer.regional_permille, offer.in_region_permille),
            (Some(1_110), Some(1_100))
        );
    }

    #[test]
    fn a_model_with_one_price_has_no_premium() {
        let offer = only(&rows(Scope::Unsaid, "us-east-1", 100));
        assert_eq!(offer.rates.output, NanoUsd(50_000));
        assert_eq!(offer.regional_permille, Some(1_000));
    }

    #[test]
    fn contradictions_cost_the_dearer_and_are_told() {
        let mut all = rows(Scope::Global, "us-east-1", 100);
        all.push(row(Kind::Output, Scope::Global, "eu-west-1", 60_000));
        let offer = only(&all);
        assert_eq!(offer.rates.output, NanoUsd(60_000));
        assert!(offer.notes[0].contains("output"), "{:?}", offer.notes);
    }

    #[test]
    fn what_is_missing_is_assumed_only_where_it_follows() {
        let mut all = rows(Scope::Global, "us-east-1", 100);
        all.retain(|r| r.kind != Kind::CacheWrite1h);
        let offer = only(&all);
        assert_eq!(offer.rates.cache_write_1h, NanoUsd(20_000));
        assert_eq!(offer.notes.len(), 1);
        all.retain(|r| r.kind != Kind::CacheRead);
        let (none, incomplete) = offers(&all);
        assert!(none.is_empty());
        assert!(incomplete[0].2.contains("cache read"), "{incomplete:?}");
    }

    #[test]
    fn premiums_are_rounded_up() {
        let mut all = rows(Scope::Global, "us-east-1", 3);
        all.push(row(Kind::Input, Scope::Geo, "us-east-1", 301));
        assert_eq!(only(&all).regional_permille, Some(1_004));
    }
}
