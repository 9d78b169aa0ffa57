//! The ledger in the form of FOCUS: what finance reads beside the bills of other providers.
//!
//! A charge is what one key's requests used of one class of tokens, in one hour, at one price. The charges of a record add up
//! to what the ledger has of it, to the nano-dollar: what rounding up the whole adds stands with its first class.

use super::{App, usage};
use crate::store::rows;
use ccag_admin_api::{ExportQuery, FocusRow, LedgerRow, Timestamp};
use ccag_domain::explanation::CostLines;
use ccag_domain::time::{HOUR_MS, hour_bucket};
use ccag_domain::{Actor, Area, NanoUsd, Permission, Price, Problem, Tokens, UnixMs, catalogue};
use futures_util::{Stream, StreamExt};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What one class of what was used is called, and how it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Meter {
    name: &'static str,
    unit: &'static str,
    /// How many make one unit of pricing, and what that is called.
    priced_by: i64,
    priced_unit: &'static str,
}

const fn tokens(name: &'static str) -> Meter {
    Meter {
        name,
        unit: "Tokens",
        priced_by: 1_000_000,
        priced_unit: "1000000 Tokens",
    }
}

const SEARCHES: Meter = Meter {
    name: "Web searches",
    unit: "Searches",
    priced_by: 1,
    priced_unit: "Searches",
};

/// Where a record's price is not there any more, its classes cannot be told apart.
const UNPRICED: Meter = tokens("Tokens");

fn meter(class: &str) -> Meter {
    match class {
        "input" => tokens("Input tokens"),
        "output" => tokens("Output tokens"),
        "cache_read" => tokens("Cache read tokens"),
        "cache_write_5m" => tokens("Cache write tokens (5 minutes)"),
        "cache_write_1h" => tokens("Cache write tokens (1 hour)"),
        _ => UNPRICED,
    }
}

/// What is charged together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Charge {
    team: String,
    user: String,
    key: String,
    endpoint: String,
    model: String,
    meter: Meter,
    price: String,
    unit_price: Option<i64>,
    geography: &'static str,
    lane: &'static str,
    assumed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    quantity: i64,
    cost: NanoUsd,
}

/// The charges of an hour that is being read.
#[derive(Default)]
struct Hour {
    start_ms: UnixMs,
    charges: BTreeMap<Charge, Sum>,
}

/// The ledger as charges, hour by hour.
///
/// # Errors
/// As [`usage::export`].
pub async fn export(
    app: &App,
    actor: &Actor,
    query: &ExportQuery,
) -> Result<impl Stream<Item = Result<Vec<FocusRow>, Problem>> + Send + use<>, Problem> {
    let pages = Box::pin(usage::export(app, actor, query).await?);
    let writer = Writer::load(app, actor).await?;
    let start = Some((pages, writer, Hour::default()));
    Ok(futures_util::stream::try_unfold(start, |state| async move {
        let Some((mut pages, writer, mut hour)) = state else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        let Some(page) = pages.next().await.transpose()? else {
            writer.write(&hour, &mut rows).await?;
            return Ok(Some((rows, None)));
        };
        for row in &page {
            let start_ms = hour_bucket(row.started_at.ms());
            if start_ms != hour.start_ms {
                writer.write(&hour, &mut rows).await?;
                hour = Hour {
                    start_ms,
                    ..Hour::default()
                };
            }
            writer.add(&mut hour, row);
        }
        Ok(Some((rows, Some((pages, writer, hour)))))
    }))
}

/// An endpoint, as far as bills know it.
struct Place {
    name: String,
    region: String,
    account: Option<String>,
}

/// What rows are written with.
struct Writer {
    app: App,
    prices: HashMap<String, Price>,
    /// Empty for those who may not see endpoints.
    places: HashMap<String, Place>,
}

impl Writer {
    async fn load(app: &App, actor: &Actor) -> Result<Self, Problem> {
        let mut prices: HashMap<String, Price> = catalogue::prices()
            .into_iter()
            .map(|price| (price.id.to_string(), price))
            .collect();
        for row in app.store.list_price_history().await? {
            let dated = rows::dated_price(&row)?;
            prices.insert(dated.price.id.to_string(), dated.price);
        }
        let mut places = HashMap::new();
        if actor.may_all(Permission::Read(Area::Endpoints)) {
            for row in app.store.list_endpoints().await? {
                let account = row.role_arn.as_deref().and_then(account).map(str::to_owned);
                let place = Place {
                    name: row.name,
                    region: row.region.unwrap_or_default(),
                    account,
                };
                places.insert(row.id, place);
            }
        }
        Ok(Self {
            app: app.clone(),
            prices,
            places,
        })
    }

    fn add(&self, hour: &mut Hour, row: &LedgerRow) {
        let charge = |meter: Meter, unit_price: Option<i64>| Charge {
            team: row.team_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            user: row.user_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            key: row.key_id.to_string(),
            endpoint: row.endpoint_id.to_string(),
            model: row.model.clone(),
            meter,
            price: row.price_id.to_string(),
            unit_price,
            geography: row.geography.as_str(),
            lane: row.surface.as_str(),
            assumed: row.price_assumed,
        };
        let used = Tokens {
            input: row.input_tokens,
            output: row.output_tokens,
            cache_read: row.cache_read_tokens,
            cache_write_5m: row.cache_write_5m_tokens,
            cache_write_1h: row.cache_write_1h_tokens,
        };
        let mut rest = row.cost_nano_usd;
        let mut charges = Vec::new();
        if let Some(price) = self.prices.get(row.price_id.as_str()) {
            let way = (row.geography, row.surface);
            let lines = CostLines::new(price, way, &used, row.web_searches, row.cost_nano_usd);
            for line in &lines.lines {
                let rate = line.rate_nano_usd.0.saturating_mul(i64::from(lines.permille)) / 1_000;
                charges.push((
                    charge(meter(&line.class), Some(rate)),
                    line.tokens,
                    line.amount_nano_usd,
                ));
            }
            if let Some(searches) = &lines.searches {
                let each = searches.amount_nano_usd.0 / i64::from(searches.count.max(1));
                charges.push((
                    charge(SEARCHES, Some(each)),
                    u64::from(searches.count),
                    searches.amount_nano_usd,
                ));
            }
        }
        if charges.is_empty() {
            let all = used.prompt().saturating_add(used.output);
            charges.push((charge(UNPRICED, None), all, NanoUsd::ZERO));
        }
        for (_, _, amount) in &charges {
            rest = rest - *amount;
        }
        for (place, (charge, quantity, amount)) in charges.into_iter().enumerate() {
            let sum = hour.charges.entry(charge).or_default();
            sum.quantity = sum
                .quantity
                .saturating_add(i64::try_from(quantity).unwrap_or(i64::MAX));
            sum.cost = sum.cost + amount + if place == 0 { rest } else { NanoUsd::ZERO };
        }
    }

    async fn write(&self, hour: &Hour, rows: &mut Vec<FocusRow>) -> Result<(), Problem> {
        if hour.charges.is_empty() {
            return Ok(());
        }
        let store = &self.app.store;
        let ids = |of: fn(&Charge) -> &String| -> Vec<String> {
            let ids: BTreeSet<&String> = hour.charges.keys().map(of).filter(|id| !id.is_empty()).collect();
            ids.into_iter().cloned().collect()
        };
        let (mut teams, mut users, mut keys) = (HashMap::new(), HashMap::new(), HashMap::new());
        for some in ids(|charge| &charge.team).chunks(NAMES) {
            teams.extend(store.list_team_names(some).await?);
        }
        for some in ids(|charge| &charge.user).chunks(NAMES) {
            users.extend(store.list_user_names(some).await?);
        }
        for some in ids(|charge| &charge.key).chunks(NAMES) {
            keys.extend(store.list_key_names(some).await?);
        }
        let name = |names: &HashMap<String, String>, id: &str| names.get(id).cloned().unwrap_or_default();
        for (charge, sum) in &hour.charges {
            let place = self.places.get(&charge.endpoint);
            let endpoint_name = place.map(|place| place.name.clone()).unwrap_or_default();
            let billing_account = match place.and_then(|place| place.account.clone()) {
                Some(account) => (account, endpoint_name, "AWS account"),
                None => (charge.endpoint.clone(), endpoint_name, "Endpoint"),
            };
            let tags = serde_json::json!({
                "user_id": charge.user, "user": name(&users, &charge.user), "geography": charge.geography,
                "lane": charge.lane, "endpoint_id": charge.endpoint, "price_assumed": charge.assumed,
            });
            rows.push(FocusRow {
                charge_period: (moment(hour.start_ms), moment(hour.start_ms + HOUR_MS)),
                billing_period: month(hour.start_ms),
                billing_account,
                sub_account: (charge.team.clone(), name(&teams, &charge.team)),
                resource: (charge.key.clone(), name(&keys, &charge.key)),
                region: place.map(|place| place.region.clone()).unwrap_or_default(),
                model: charge.model.clone(),
                meter: charge.meter.name,
                price_id: charge.price.clone(),
                unit_price: charge
                    .unit_price
                    .map(|price| NanoUsd(price).to_string())
                    .unwrap_or_default(),
                pricing: (
                    quotient(sum.quantity, charge.meter.priced_by),
                    charge.meter.priced_unit,
                ),
                consumed: (sum.quantity.to_string(), charge.meter.unit),
                cost: sum.cost.to_string(),
                tags: tags.to_string(),
            });
        }
        Ok(())
    }
}

/// How many names are asked for at a time.
const NAMES: usize = 500;

/// The account in a role's ARN, as in `arn:aws:iam::123456789012:role/claude`.
fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

/// An exact decimal: `priced_by` is one or a million.
fn quotient(quantity: i64, priced_by: i64) -> String {
    match priced_by {
        1 => quantity.to_string(),
        // A millionth is a thousand nano-units: the same digits as an amount has.
        _ => NanoUsd(quantity.saturating_mul(1_000)).to_string(),
    }
}

/// A whole hour, as FOCUS writes times: RFC 3339, in UTC, without fractions.
fn moment(at: UnixMs) -> String {
    let hour = at.div_euclid(HOUR_MS).rem_euclid(24);
    format!("{}T{hour:02}:00:00Z", Timestamp::from_ms(at).date())
}

/// The month, from its first moment to the next one's.
fn month(at: UnixMs) -> (String, String) {
    let date = Timestamp::from_ms(at).date();
    let (year, month) = (date.get(..4).unwrap_or("1970"), date.get(5..7).unwrap_or("01"));
    let next = match (year.parse::<u32>(), month.parse::<u32>()) {
        (Ok(year), Ok(12)) => format!("{}-01", year + 1),
        (Ok(year), Ok(month)) => format!("{year:04}-{:02}", month + 1),
        _ => format!("{year}-{month}"),
    };
    (
        format!("{year}-{month}-01T00:00:00Z"),
        format!("{next}-01T00:00:00Z"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_months_and_quantities_are_as_focus_writes_them() {
        // 2026-12-31T23:59:59.999Z
        let at = 1_798_761_599_999;
        assert_eq!(moment(hour_bucket(at)), "2026-12-31T23:00:00Z");
        assert_eq!(
            month(at),
            (
                "2026-12-01T00:00:00Z".to_owned(),
                "2027-01-01T00:00:00Z".to_owned()
            )
        );
        assert_eq!(quotient(1_234_567, 1_000_000), "1.234567");
        assert_eq!(quotient(1_000_000, 1_000_000), "1.00");
        assert_eq!(account("arn:aws:iam::123456789012:role/x"), Some("123456789012"));
        assert_eq!(account("none"), None);
    }
}
