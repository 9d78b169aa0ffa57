//! Lists: which users and groups a filter selects, in which order, and one page of them (RFC 7644, §3.4.2).

use super::{Client, Shown, views};
use crate::app::App;
use crate::store::StoreError;
use crate::store::entity::scim_group;
use crate::store::scim::{Narrow, Person};
use ccag_scim::list::{self, Query};
use ccag_scim::sort::Key;
use ccag_scim::{Filter, Kind, Object, Projection, ScimError};
use serde_json::Value;

/// How many rows are looked at at once.
const CHUNK: u64 = 1_000;

/// One that was found.
enum Row {
    User(Box<Person>),
    Group(Box<scim_group::Model>),
}

/// Answers a query about the users, the groups, or both of a provider.
pub(crate) async fn search(
    app: &App,
    client: &Client,
    kinds: &[Kind],
    query: &Query,
) -> Result<Value, ScimError> {
    if let Some(filter) = &query.filter {
        for kind in kinds {
            filter.check(*kind)?;
        }
    }
    let (total, rows) = match (kinds, &query.filter, &query.sort) {
        ([kind], None, None) => in_order(app, client, *kind, query).await?,
        _ => {
            let mut found = Vec::new();
            for kind in kinds {
                look(app, client, *kind, query, &mut found).await?;
            }
            if let Some(sort) = &query.sort {
                found.sort_by(|(one, _), (other, _)| sort.compare(one, other));
            }
            let total = found.len() as u64;
            let skipped = usize::try_from(query.start - 1).unwrap_or(usize::MAX);
            let count = usize::try_from(query.count).unwrap_or(usize::MAX);
            let page = found.into_iter().skip(skipped).take(count);
            (total, page.map(|(_, row)| row).collect())
        }
    };
    let resources = show(app, client, rows, &query.projection).await?;
    Ok(list::response(total, query.start, resources))
}

/// All of a kind, in the order of their ids: the database counts and skips.
async fn in_order(
    app: &App,
    client: &Client,
    kind: Kind,
    query: &Query,
) -> Result<(u64, Vec<Row>), StoreError> {
    let (reads, provider) = (app.store.scim(), &client.provider.id);
    let (all, skipped) = (Narrow::default(), query.start - 1);
    // More than that many rows there cannot be.
    let skipped = skipped.min(u64::from(u32::MAX));
    Ok(match kind {
        Kind::User => {
            let total = reads.count_people(provider).await?;
            let rows = reads
                .list_people(provider, &all, None, skipped, query.count)
                .await?;
            (total, rows.into_iter().map(|p| Row::User(Box::new(p))).collect())
        }
        Kind::Group => {
            let total = reads.count_groups(provider).await?;
            let rows = reads
                .list_groups(provider, &all, None, skipped, query.count)
                .await?;
            (total, rows.into_iter().map(|g| Row::Group(Box::new(g))).collect())
        }
    })
}

/// What an index can tell of a filter: what is equal in all that it selects.
fn narrow(kind: Kind, filter: Option<&Filter>) -> Narrow {
    let mut narrow = Narrow::default();
    for term in filter.into_iter().flat_map(Filter::terms) {
        let wants = |name| term.wants(kind, name);
        if let Some(id) = wants("id") {
            narrow.id = Some(id.to_owned());
        }
        if let Some(id) = wants("externalId") {
            narrow.external_id = Some(id.to_owned());
        }
        let name = match kind {
            Kind::User => wants("userName"),
            Kind::Group => wants("displayName"),
        };
        if let Some(name) = name {
            narrow.name_key = Some(name.trim().to_lowercase());
        }
        if kind == Kind::Group
            && let Some(id) = wants("members")
        {
            narrow.member = Some(id.to_owned());
        }
    }
    narrow
}

/// Adds those of a kind that the filter selects.
async fn look(
    app: &App,
    client: &Client,
    kind: Kind,
    query: &Query,
    found: &mut Vec<(Key, Row)>,
) -> Result<(), ScimError> {
    let (reads, provider) = (app.store.scim(), &client.provider.id);
    let narrow = narrow(kind, query.filter.as_ref());
    let others = match kind {
        Kind::User => "groups",
        Kind::Group => "members",
    };
    let filtered = query.filter.as_ref().is_some_and(|f| f.mentions(kind, others));
    let with_others = filtered || query.sort.as_ref().is_some_and(|s| s.is_about(kind, others));
    let mut after: Option<String> = None;
    loop {
        let rows: Vec<Row> = match kind {
            Kind::User => {
                let rows = reads
                    .list_people(provider, &narrow, after.as_deref(), 0, CHUNK)
                    .await?;
                rows.into_iter().map(|p| Row::User(Box::new(p))).collect()
            }
            Kind::Group => {
                let rows = reads
                    .list_groups(provider, &narrow, after.as_deref(), 0, CHUNK)
                    .await?;
                rows.into_iter().map(|g| Row::Group(Box::new(g))).collect()
            }
        };
        let full = rows.len() as u64 == CHUNK;
        after = rows.last().map(|row| row.id().to_owned());
        let shown = view(app, client, &rows, with_others).await?;
        for (row, shown) in rows.into_iter().zip(shown) {
            let selected = match &query.filter {
                Some(filter) => filter.matches(kind, &shown.resource)?,
                None => true,
            };
            if selected {
                let key = query.sort.as_ref().map(|sort| sort.key(kind, &shown.resource));
                found.push((key.unwrap_or(Key::Nothing), row));
            }
        }
        if !full {
            return Ok(());
        }
    }
}

impl Row {
    fn id(&self) -> &str {
        match self {
            Self::User(person) => &person.scim.user_id,
            Self::Group(group) => &group.id,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Group(_) => Kind::Group,
        }
    }
}

/// Rows as resources, with groups or members if these are wanted.
async fn view(app: &App, client: &Client, rows: &[Row], with_others: bool) -> Result<Vec<Shown>, StoreError> {
    let ids = |kind: Kind| -> Vec<String> {
        let those = rows.iter().filter(|row| with_others && row.kind() == kind);
        those.map(|row| row.id().to_owned()).collect()
    };
    let reads = app.store.scim();
    let groups = reads.list_groups_of(&ids(Kind::User)).await?;
    let members = reads.list_members(&ids(Kind::Group)).await?;
    rows.iter()
        .map(|row| match row {
            Row::User(person) => {
                let groups = groups.get(&person.scim.user_id).map(Vec::as_slice);
                views::user(client, person, groups)
            }
            Row::Group(group) => views::group(client, group, members.get(&group.id).map(Vec::as_slice)),
        })
        .collect()
}

/// A page as the client wants to see it.
async fn show(
    app: &App,
    client: &Client,
    rows: Vec<Row>,
    projection: &Projection,
) -> Result<Vec<Object>, StoreError> {
    let wants = |row: &Row| match row.kind() {
        Kind::User => projection.shows(Kind::User, "groups"),
        Kind::Group => projection.shows(Kind::Group, "members"),
    };
    let with_others = rows.iter().any(wants);
    let shown = view(app, client, &rows, with_others).await?;
    let resources = rows.iter().zip(shown);
    Ok(resources
        .map(|(row, shown)| projection.apply(row.kind(), shown.resource))
        .collect())
}
