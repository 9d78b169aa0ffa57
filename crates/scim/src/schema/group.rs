//! Groups (RFC 7643, §4.2).

use super::{Attribute, Schema, Type};

pub(super) static GROUP: Schema = Schema {
    urn: super::GROUP,
    name: "Group",
    description: "A group of users.",
    attributes: &[
        Attribute::text("displayName", "The name of the group.")
            .required()
            .unique(),
        Attribute::complex(
            "members",
            &[
                Attribute::text("value", "The id of the member.")
                    .exact()
                    .immutable(),
                Attribute::new("$ref", Type::Reference, "Where the member is.")
                    .refers(&["User"])
                    .immutable(),
                Attribute::text("display", "The name of the member.").read_only(),
                Attribute::text("type", "What the member is.")
                    .usual(&["User"])
                    .immutable(),
            ],
            "The members of the group.",
        )
        .multi(),
    ],
};
