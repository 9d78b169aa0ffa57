//! Filters, PATCH and projection, as the RFCs and providers write them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod filters;
mod messages;
mod patches;
mod strangers;

use ccag_scim::{Kind, Object, resource};
use serde_json::{Value, json};

/// The user of RFC 7643, §8.2, as a client sends it.
pub(crate) fn bjensen() -> Object {
    resource::from_client(Kind::User, &bjensen_json()).unwrap()
}

pub(crate) fn bjensen_json() -> Value {
    json!({
        "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
        ],
        "id": "2819c223-7f76-453a-919d-413861904646",
        "externalId": "701984",
        "userName": "bjensen@example.com",
        "name": {
            "formatted": "Ms. Barbara J Jensen, III",
            "familyName": "Jensen",
            "givenName": "Barbara",
            "middleName": "Jane",
            "honorificPrefix": "Ms.",
            "honorificSuffix": "III"
        },
        "displayName": "Babs Jensen",
        "profileUrl": "https://login.example.com/bjensen",
        "emails": [
            {"value": "bjensen@example.com", "type": "work", "primary": true},
            {"value": "babs@jensen.org", "type": "home"}
        ],
        "addresses": [
            {"type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood", "region": "CA",
             "postalCode": "91608", "country": "USA", "primary": true},
            {"type": "home", "streetAddress": "456 Hollywood Blvd", "locality": "Hollywood"}
        ],
        "userType": "Employee",
        "title": "Tour Guide",
        "active": true,
        "password": "t1meMa$heen",
        "x509Certificates": [{"value": "MIIDQzCCAqyg"}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": "701984",
            "department": "Tour Operations",
            "manager": {"value": "26118915-6090-4610-87e4-49d8ca9f808d", "$ref": "../Users/26118915", "displayName": "John Smith"}
        },
        "meta": {"resourceType": "User", "version": "W/\"a330bc54f0671c9\""}
    })
}
