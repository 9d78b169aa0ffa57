//! Virtual keys. They go on working, since both gateways look them up by their SHA-256.

use super::world::{Owner, World, id, name};
use crate::store::StoreError;
use crate::store::ccag::{Ccag, KeyRow, PairRow};
use crate::store::entity::virtual_key;
use ccag_domain::KeyDigest;
use std::collections::{HashMap, HashSet};

/// Plans them, and remembers whose they are.
pub(super) async fn plan(
    world: &mut World<'_>,
    from: &Ccag,
    settings: &[PairRow],
) -> Result<Vec<virtual_key::Model>, StoreError> {
    let theirs = from.keys().await?;
    let off = settings
        .iter()
        .any(|s| s.a == "virtual_keys_enabled" && s.b.trim() == "false");
    if off {
        let text = "virtual keys are switched off there: they come as revoked";
        world.report.note("proxy_settings", "virtual_keys_enabled", text);
    }
    let by_digest: HashMap<String, String> = world
        .present
        .keys
        .iter()
        .map(|(id, digest)| (digest.clone(), id.clone()))
        .collect();
    let ids: HashSet<String> = world.present.keys.iter().map(|(id, _)| id.clone()).collect();
    let (found, mut there, mut made) = (theirs.len(), 0, Vec::new());
    for row in theirs {
        let Some(ours) = id("key_", &row.id) else { continue };
        let digest = row.key_hash.trim().to_lowercase();
        if KeyDigest::from_hex(&digest).is_none() {
            world.report.note(
                "virtual_keys",
                &row.id,
                "what is stored of it is no SHA-256: nobody could use it, and it is not carried over",
            );
            continue;
        }
        let known = if ids.contains(&ours) {
            Some(ours.clone())
        } else {
            by_digest.get(&digest).cloned()
        };
        let new = key(world, &row, ours, digest, off);
        let owner = Owner {
            key_id: known.clone().unwrap_or_else(|| new.id.clone()),
            user_id: new.user_id.clone(),
            team_id: new.team_id.clone(),
        };
        world.keys.insert(row.id, owner);
        if known.is_some() {
            there += 1;
        } else {
            made.push(new);
        }
    }
    world.report.part("keys", found, made.len(), there);
    Ok(made)
}

fn key(world: &mut World<'_>, row: &KeyRow, ours: String, digest: String, off: bool) -> virtual_key::Model {
    let user = row.user_id.as_ref().and_then(|id| world.users.get(id)).cloned();
    let mut revoked = off || !row.is_active;
    let mut refuse = |world: &mut World<'_>, text: &str| {
        world.report.note("virtual_keys", &row.id, text);
        revoked = true;
    };
    if row.user_id.is_some() && user.is_none() {
        refuse(world, "its user is gone: it comes as revoked");
    }
    if row.rate_limit_rpm == Some(0) {
        refuse(
            world,
            "its limit of 0 requests a minute let nothing through: it comes as revoked",
        );
    }
    let shown = name(row.name.as_deref().unwrap_or_default(), "");
    virtual_key::Model {
        id: ours,
        digest,
        prefix: row.key_prefix.trim_end_matches('.').chars().take(40).collect(),
        name_key: shown.to_lowercase(),
        name: shown,
        user_id: user,
        team_id: world.team(row.team_id.as_ref()),
        state: if revoked { "revoked" } else { "active" }.to_owned(),
        // A negative limit is none there.
        rate_limit_rpm: row.rate_limit_rpm.filter(|limit| *limit > 0),
        expires_at_ms: row.expires_at_ms,
        created_at_ms: row.created_at_ms,
        created_by: None,
        revoked_at_ms: revoked.then_some(world.now),
        revoked_by: None,
        kind: "key".to_owned(),
    }
}
