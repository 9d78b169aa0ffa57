//! Tokens of service accounts.

use super::Context;
use crate::error::CliError;
use crate::human::moment;
use crate::names;
use crate::table::Table;
use ccag_admin_api::{CreateToken, CreatedToken, Timestamp, TokenList, paths};
use ccag_domain::SessionId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Tokens with which service accounts use the admin API, in their role.
#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token; it is shown once
    Create {
        /// The service account's id or name
        user: String,
        /// What it is for
        #[arg(long)]
        name: String,
        /// Until when it is good, such as 2027-01-01T00:00:00Z; by default for a year
        #[arg(long, value_name = "TIME")]
        expires_at: Option<Timestamp>,
    },
    /// List the tokens of a service account
    List {
        /// The service account's id or name
        user: String,
    },
    /// Revoke a token
    Revoke {
        /// The service account's id or name
        user: String,
        /// The token's id
        token: SessionId,
    },
}

impl Tokens {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::Create {
                user,
                name,
                expires_at,
            } => {
                let id = names::user(client, &user).await?;
                let body = CreateToken { name, expires_at };
                let made: CreatedToken = client.send(Method::POST, &paths::user_tokens(&id), &body).await?;
                context.out.show(&made, |made| {
                    format!(
                        "{}\n\nThis is the token {} of {user}, good until {}. It is shown only now.",
                        made.token.reveal(),
                        made.record.id,
                        moment(Some(made.record.expires_at)),
                    )
                })
            }
            Self::List { user } => {
                let id = names::user(client, &user).await?;
                let list: TokenList = client.get(&paths::user_tokens(&id)).await?;
                context.out.show(&list, table)
            }
            Self::Revoke { user, token } => {
                let id = names::user(client, &user).await?;
                client
                    .order(Method::DELETE, &paths::user_token(&id, &token))
                    .await?;
                context
                    .out
                    .show(&json!({ "revoked": [token] }), |_| format!("Revoked {token}."))
            }
        }
    }
}

fn table(list: &TokenList) -> String {
    let mut table = Table::new(&["ID", "NAME", "CREATED", "EXPIRES"]);
    for token in &list.tokens {
        table.row([
            token.id.to_string(),
            token.name.clone(),
            moment(Some(token.created_at)),
            moment(Some(token.expires_at)),
        ]);
    }
    table.render("No tokens.")
}
