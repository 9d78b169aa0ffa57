//! What AWS lets an endpoint's account use, and what of it is used.

use super::super::Context;
use crate::error::CliError;
use crate::human::moment;
use crate::names;
use crate::table::Table;
use ccag_admin_api::{EndpointModels, EndpointQuotas, QuotaView, paths};
use ccag_domain::{QuotaKind, QuotaScope};

/// Shows the quotas; asks AWS first if that is wanted.
pub(super) async fn run(context: &Context, endpoint: &str, discover: bool) -> Result<(), CliError> {
    let client = &context.client;
    let id = names::endpoint(client, endpoint).await?;
    if discover {
        let _: EndpointModels = client.act(&paths::endpoint_discover(&id)).await?;
    }
    let quotas: EndpointQuotas = client.get(&paths::endpoint_quotas(&id)).await?;
    context.out.show(&quotas, text)
}

fn text(found: &EndpointQuotas) -> String {
    let mut table = Table::new(&[
        "MODEL",
        "QUOTA",
        ">LIMIT",
        ">USED",
        ">SHARE",
        ">COUNTED NOW",
        "NAME",
    ]);
    for quota in &found.quotas {
        let share = quota
            .used
            .map(|used| format!("{} %", u128::from(used) * 100 / u128::from(quota.limit.max(1))));
        table.row([
            quota.model.clone().unwrap_or_else(|| "-".to_owned()),
            words(quota),
            quota.limit.to_string(),
            quota.used.map_or_else(|| "-".to_owned(), |used| used.to_string()),
            share.unwrap_or_else(|| "-".to_owned()),
            quota
                .counted
                .map_or_else(|| "-".to_owned(), |counted| counted.to_string()),
            quota.name.clone(),
        ]);
    }
    let mut text =
        table.render("No quotas are known. Ask AWS with `ccag endpoints quotas ENDPOINT --discover`.");
    let mut note = |line: String| {
        text.push_str("\n\n");
        text.push_str(&line);
    };
    if let Some(at) = found.asked_at {
        note(format!(
            "AWS said so at {}, and lists {} other quotas of Bedrock's.",
            moment(Some(at)),
            found.others
        ));
    }
    if let Some(error) = &found.error {
        note(format!("Service Quotas did not say the last time: {error}"));
    }
    text
}

fn words(quota: &QuotaView) -> String {
    let what = match quota.kind {
        QuotaKind::TokensPerMinute => "tokens/min",
        QuotaKind::RequestsPerMinute => "requests/min",
        QuotaKind::TokensPerDay => "tokens/day",
    };
    let which = match quota.scope {
        QuotaScope::CrossRegion => "cross-region",
        QuotaScope::Global => "global",
        QuotaScope::OnDemand => "on demand",
        QuotaScope::Regional => "regional",
        QuotaScope::All => "all models",
    };
    format!("{what}, {which}")
}
