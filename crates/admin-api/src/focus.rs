//! Costs in the form of FOCUS, the FinOps Open Cost and Usage Specification (version 1.2, <https://focus.finops.org>), which
//! cost tools of other providers read.

use crate::ledger::csv_field;

/// One charge: what one key's requests used of one class of tokens in one hour, at one price. Amounts are exact decimal
/// dollars; a field that does not apply is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FocusRow {
    /// The hour, as two RFC 3339 times in UTC.
    pub charge_period: (String, String),
    /// The month of that hour, the same way.
    pub billing_period: (String, String),
    /// The AWS account that is billed, as far as it is known, else the endpoint's id; the endpoint's name; what the id is.
    pub billing_account: (String, String, &'static str),
    /// The team that pays: id and name.
    pub sub_account: (String, String),
    /// The virtual key: id and name.
    pub resource: (String, String),
    /// The AWS region that requests were sent to; empty where the process's own setting says.
    pub region: String,
    /// The model.
    pub model: String,
    /// The class of tokens, such as `Input tokens`.
    pub meter: &'static str,
    /// The row of the price book.
    pub price_id: String,
    /// What one unit of pricing costs.
    pub unit_price: String,
    /// How many units of pricing, and what one is.
    pub pricing: (String, &'static str),
    /// How many were used, and of what.
    pub consumed: (String, &'static str),
    /// What it comes to.
    pub cost: String,
    /// A JSON object: user, lane, geography, and whether the price was assumed.
    pub tags: String,
}

/// Who bills for the models.
const PROVIDER: &str = "Amazon Web Services";

impl FocusRow {
    /// The columns, by the names of FOCUS 1.2, in order.
    pub const COLUMNS: [&'static str; 42] = [
        "BilledCost",
        "BillingAccountId",
        "BillingAccountName",
        "BillingAccountType",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargeClass",
        "ChargeDescription",
        "ChargeFrequency",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ConsumedQuantity",
        "ConsumedUnit",
        "ContractedCost",
        "ContractedUnitPrice",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
        "ListUnitPrice",
        "PricingCategory",
        "PricingQuantity",
        "PricingUnit",
        "ProviderName",
        "PublisherName",
        "RegionId",
        "RegionName",
        "ResourceId",
        "ResourceName",
        "ResourceType",
        "ServiceCategory",
        "ServiceName",
        "ServiceSubcategory",
        "SkuId",
        "SkuMeter",
        "SkuPriceId",
        "SkuPriceDetails",
        "SubAccountId",
        "SubAccountName",
        "SubAccountType",
        "Tags",
    ];

    /// The header line.
    #[must_use]
    pub fn csv_header() -> String {
        format!("{}\r\n", Self::COLUMNS.join(","))
    }

    /// The row as a line. Texts that a spreadsheet would take for a formula are defused.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let description = format!("{} of {}", self.meter, self.model);
        let sub_account_type = if self.sub_account.0.is_empty() { "" } else { "Team" };
        let fields: [&str; Self::COLUMNS.len()] = [
            &self.cost,
            &self.billing_account.0,
            &self.billing_account.1,
            self.billing_account.2,
            "USD",
            &self.billing_period.1,
            &self.billing_period.0,
            "Usage",
            "",
            &description,
            "Usage-Based",
            &self.charge_period.1,
            &self.charge_period.0,
            &self.consumed.0,
            self.consumed.1,
            &self.cost,
            &self.unit_price,
            &self.cost,
            PROVIDER,
            &self.cost,
            &self.unit_price,
            "Standard",
            &self.pricing.0,
            self.pricing.1,
            PROVIDER,
            "Anthropic",
            &self.region,
            &self.region,
            &self.resource.0,
            &self.resource.1,
            "Virtual key",
            "AI and Machine Learning",
            "Amazon Bedrock",
            "Generative AI",
            &self.model,
            self.meter,
            &self.price_id,
            "",
            &self.sub_account.0,
            &self.sub_account.1,
            sub_account_type,
            &self.tags,
        ];
        let mut line = String::with_capacity(600);
        for field in fields {
            csv_field(&mut line, field);
        }
        line.pop();
        line.push_str("\r\n");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_field_for_each_column_and_no_formula() {
        let row = FocusRow {
            resource: ("key_1".to_owned(), "=HYPERLINK(\"x\")".to_owned()),
            cost: "0.25".to_owned(),
            ..FocusRow::default()
        };
        let line = row.to_csv();
        assert!(line.starts_with("0.25,,"), "{line}");
        assert!(line.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{line}");
        assert_eq!(line.matches(',').count(), FocusRow::COLUMNS.len() - 1);
    }
}
