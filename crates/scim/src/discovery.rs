//! What a client can find out before it has a token (RFC 7644, §4; RFC 7643, §5 to §7).

use crate::schema::Schema;
use crate::{Kind, MAX_PAGE, Object, bulk};
use serde_json::{Value, json};

const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

const KINDS: [Kind; 2] = [Kind::User, Kind::Group];

/// What this service does, under the address `base`.
#[must_use]
pub fn service_provider_config(base: &str) -> Value {
    json!({
        "schemas": [CONFIG],
        "patch": {"supported": true},
        "bulk": {
            "supported": true,
            "maxOperations": bulk::MAX_OPERATIONS,
            "maxPayloadSize": bulk::MAX_PAYLOAD,
        },
        "filter": {"supported": true, "maxResults": MAX_PAGE},
        "changePassword": {"supported": false},
        "sort": {"supported": true},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "A token that an administrator of the gateway has made for the provider.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{base}/ServiceProviderConfig"),
        },
    })
}

fn resource_type_of(kind: Kind, base: &str) -> Value {
    let name = kind.as_str();
    let extensions = kind.extensions().iter();
    json!({
        "schemas": [RESOURCE_TYPE],
        "id": name,
        "name": name,
        "description": kind.schema().description,
        "endpoint": format!("/{}", kind.folder()),
        "schema": kind.schema().urn,
        "schemaExtensions": extensions
            .map(|extension| json!({"schema": extension.urn, "required": false}))
            .collect::<Vec<_>>(),
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}")},
    })
}

/// The kinds of resources.
#[must_use]
pub fn resource_types(base: &str) -> Vec<Object> {
    objects(KINDS.iter().map(|kind| resource_type_of(*kind, base)))
}

/// One of them.
#[must_use]
pub fn resource_type(name: &str, base: &str) -> Option<Value> {
    let mut kinds = KINDS.iter();
    let kind = kinds.find(|kind| kind.as_str().eq_ignore_ascii_case(name))?;
    Some(resource_type_of(*kind, base))
}

fn all() -> impl Iterator<Item = &'static Schema> {
    KINDS
        .iter()
        .flat_map(|kind| std::iter::once(kind.schema()).chain(kind.extensions()))
}

fn schema_json(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": [SCHEMA],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(crate::schema::Attribute::to_json).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", schema.urn)},
    })
}

/// The schemas.
#[must_use]
pub fn schemas(base: &str) -> Vec<Object> {
    objects(all().map(|schema| schema_json(schema, base)))
}

/// One of them.
#[must_use]
pub fn schema(urn: &str, base: &str) -> Option<Value> {
    let schema = all().find(|schema| schema.urn.eq_ignore_ascii_case(urn))?;
    Some(schema_json(schema, base))
}

fn objects(values: impl Iterator<Item = Value>) -> Vec<Object> {
    let objects = values.filter_map(|value| match value {
        Value::Object(object) => Some(object),
        _ => None,
    });
    objects.collect()
}
