//! Single sign-on, the sessions of clients, and policies.

use crate::table::{create, index};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, text_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        people(manager).await?;
        signing_in(manager).await?;
        sessions(manager).await?;
        create(
            manager,
            "policies",
            vec![
                text("id"),
                text("name"),
                text("name_key"),
                // Of policies that contradict each other the one with the higher number wins.
                big_integer("priority"),
                // JSON: whom it is about, which models they may use, and the settings that Claude Code is given.
                text("subject"),
                text("models"),
                text("settings"),
                big_integer("version"),
                big_integer("created_at_ms"),
                big_integer("updated_at_ms"),
            ],
            &["id"],
        )
        .await?;
        index(manager, "policies", &["name_key"], true).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Providers, and who people are to them.
async fn people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "identity_providers",
        vec![
            text("id"),
            text("name"),
            text("name_key"),
            text("issuer"),
            text("client_id"),
            // Sealed under the master key; null: a public client.
            text_null("client_secret"),
            // JSON.
            text("settings"),
            boolean("enabled"),
            big_integer("created_at_ms"),
            big_integer("updated_at_ms"),
        ],
        &["id"],
    )
    .await?;
    index(manager, "identity_providers", &["name_key"], true).await?;
    create(
        manager,
        "identities",
        vec![
            text("provider_id"),
            text("subject"),
            text("user_id"),
            text_null("email"),
            big_integer("created_at_ms"),
            big_integer("last_sign_in_ms"),
        ],
        &["provider_id", "subject"],
    )
    .await?;
    index(manager, "identities", &["user_id"], false).await?;
    // The provider that a user comes from; null: a local user. The groups are a JSON list of names.
    let mut groups = text("groups");
    groups.default("[]");
    for column in [text_null("provider_id"), groups] {
        let mut table = Table::alter();
        table.table("users").add_column(column);
        manager.alter_table(table).await?;
    }
    index(manager, "users", &["provider_id"], false).await
}

/// What is on its way: sign-ins at a provider, and devices that wait to be let in.
async fn signing_in(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "sign_in_attempts",
        vec![
            // SHA-256 of the state, hexadecimal.
            text("state_digest"),
            text("provider_id"),
            // SHA-256 of what the browser's cookie holds.
            text("browser_digest"),
            text("nonce"),
            // Of PKCE; sealed under the master key.
            text("verifier"),
            text("next"),
            big_integer("expires_at_ms"),
        ],
        &["state_digest"],
    )
    .await?;
    index(manager, "sign_in_attempts", &["expires_at_ms"], false).await?;
    create(
        manager,
        "device_grants",
        vec![
            // SHA-256 of the device code, hexadecimal.
            text("device_digest"),
            text("user_code"),
            text("surface"),
            text("state"),
            text_null("user_id"),
            // JSON: what is known of the device.
            text("device"),
            big_integer("interval_s"),
            big_integer("polled_at_ms"),
            big_integer("created_at_ms"),
            big_integer("expires_at_ms"),
        ],
        &["device_digest"],
    )
    .await?;
    index(manager, "device_grants", &["user_code"], true).await?;
    index(manager, "device_grants", &["expires_at_ms"], false).await
}

/// Sessions of clients, and what their tokens are signed with.
async fn sessions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Whether a key is one that people carry about, or stands for the session of a client.
    let mut kind = text("kind");
    kind.default("key");
    let mut table = Table::alter();
    table.table("virtual_keys").add_column(kind);
    manager.alter_table(table).await?;
    create(
        manager,
        "client_sessions",
        vec![
            text("key_id"),
            text("user_id"),
            text_null("provider_id"),
            // SHA-256 of the refresh token that is good, hexadecimal.
            text("refresh_digest"),
            // JSON: what is known of the device.
            text("device"),
            big_integer("created_at_ms"),
            big_integer("refreshed_at_ms"),
            big_integer("expires_at_ms"),
        ],
        &["key_id"],
    )
    .await?;
    index(manager, "client_sessions", &["refresh_digest"], true).await?;
    index(manager, "client_sessions", &["user_id"], false).await?;
    index(manager, "client_sessions", &["expires_at_ms"], false).await?;
    create(
        manager,
        "spent_refresh_tokens",
        vec![text("digest"), text("key_id"), big_integer("spent_at_ms")],
        &["digest"],
    )
    .await?;
    index(manager, "spent_refresh_tokens", &["key_id"], false).await?;
    create(
        manager,
        "signing_keys",
        vec![
            text("id"),
            // Ed25519, hexadecimal.
            text("public_key"),
            // Sealed under the master key.
            text("private_key"),
            big_integer("created_at_ms"),
            // When tokens are signed with it no more, and when none that were can be good any more.
            big_integer_null("retired_at_ms"),
            big_integer_null("expires_at_ms"),
        ],
        &["id"],
    )
    .await
}
