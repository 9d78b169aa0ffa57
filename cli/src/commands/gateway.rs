//! The gateway itself: data planes, models, prices, status.

use super::Context;
use crate::clock;
use crate::error::CliError;
use crate::human::{ago, count, duration, moment, or_none};
use crate::table::{Table, card};
use ccag_admin_api::{FleetView, ModelList, PriceList, ReplicaView, StatusView, paths};

/// Shows the data planes.
pub(crate) async fn fleet(context: &Context) -> Result<(), CliError> {
    let fleet: FleetView = context.client.get(paths::FLEET).await?;
    let now = clock::now();
    context.out.show(&fleet, |fleet| {
        let mut table = Table::new(&[
            "NAME",
            "STATE",
            ">APPLIED",
            ">BEHIND",
            ">P99 MS",
            ">IN FLIGHT",
            ">SPOOLED",
            "LAST SEEN",
            "VERSION",
            "ID",
        ]);
        for replica in &fleet.replicas {
            table.row([
                replica.name.clone(),
                state(replica).to_owned(),
                replica.applied_revision.to_string(),
                count(replica.lag),
                or_none(replica.apply_p99_ms.as_ref()),
                count(replica.in_flight.into()),
                count(replica.spooled_records),
                ago(replica.last_seen_at, now),
                replica.version.clone(),
                replica.id.to_string(),
            ]);
        }
        let mut text = format!(
            "Newest revision: {}\n\n{}",
            fleet.revision,
            table.render("No data planes have been seen.")
        );
        for replica in &fleet.replicas {
            for object in &replica.rejected {
                let line = format!(
                    "{} could not apply {} {}: {}",
                    replica.name, object.kind, object.id, object.reason
                );
                text.push_str(&format!("\n\nwarning: {}", crate::human::printable_line(&line)));
            }
        }
        text
    })
}

fn state(replica: &ReplicaView) -> &'static str {
    match (replica.connected, replica.draining) {
        (true, false) => "connected",
        (true, true) => "draining",
        (false, _) => "gone",
    }
}

/// Shows the models.
pub(crate) async fn models(context: &Context) -> Result<(), CliError> {
    let list: ModelList = context.client.get(paths::MODELS).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&[
            "NAME",
            "TITLE",
            ">CONTEXT",
            ">OUTPUT",
            "PROFILES",
            "PRICED",
            "BEDROCK ID",
        ]);
        for model in &list.models {
            let profiles: Vec<&str> = model
                .geographies
                .iter()
                .map(|geography| geography.as_str())
                .collect();
            table.row([
                model.name.clone(),
                model.display_name.clone(),
                count(model.context_tokens.into()),
                count(model.max_output_tokens.into()),
                profiles.join(" "),
                if model.priced { "yes" } else { "no" }.to_owned(),
                model.bedrock_id.clone(),
            ]);
        }
        table.render("No models.")
    })
}

/// Shows the prices.
pub(crate) async fn pricing(context: &Context) -> Result<(), CliError> {
    let list: PriceList = context.client.get(paths::PRICING).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&[
            "MODEL", ">INPUT", ">OUTPUT", ">CACHE READ", ">WRITE 5 MIN", ">WRITE 1 H", ">REGIONAL", "SOURCE",
        ]);
        for price in &list.prices {
            let tiers = std::iter::once((price.model.clone(), price.rates)).chain(price.long_context.map(|long| {
                let name = format!("{} above {} tokens", price.model, count(long.above_prompt_tokens));
                (name, long.rates)
            }));
            for (name, rates) in tiers {
                let amounts = [
                    rates.input_nano_usd,
                    rates.output_nano_usd,
                    rates.cache_read_nano_usd,
                    rates.cache_write_5m_nano_usd,
                    rates.cache_write_1h_nano_usd,
                ];
                let [input, output, read, five, hour] = amounts.map(crate::human::money);
                table.row([
                    name,
                    input,
                    output,
                    read,
                    five,
                    hour,
                    permille(price.regional_permille),
                    price.source.clone(),
                ]);
            }
        }
        format!(
            "Dollars per million tokens, in the global geography and in a single region; regional profiles cost what \
             REGIONAL says of it.\n\n{}",
            table.render("No prices.")
        )
    })
}

/// 1100 as `110.0 %`.
fn permille(n: u32) -> String {
    format!("{}.{} %", n / 10, n % 10)
}

/// Shows the gateway as a whole.
pub(crate) async fn status(context: &Context) -> Result<(), CliError> {
    let status: StatusView = context.client.get(paths::STATUS).await?;
    context.out.show(&status, |status| {
        card(&[
            ("Gateway", context.client.url()),
            ("Version", status.version.clone()),
            ("Revision", status.revision.to_string()),
            ("Database", status.database.clone()),
            (
                "Up for",
                format!(
                    "{}, since {} UTC",
                    duration(status.uptime_s),
                    moment(Some(status.started_at))
                ),
            ),
            (
                "Data planes",
                format!(
                    "{} connected, {} of them up to date, {} known",
                    status.replicas.connected, status.replicas.up_to_date, status.replicas.known
                ),
            ),
        ])
    })
}
