//! Users (RFC 7643, §4.1 and §4.3).

use super::{Attribute, Schema, Type};

const PRIMARY: Attribute = Attribute::new("primary", Type::Boolean, "Whether it is the one to prefer.");
const DISPLAY: Attribute = Attribute::text("display", "How it is shown.");

/// The parts of an attribute with any number of values (RFC 7643, §2.4).
macro_rules! plural {
    ($of:expr, $usual:expr) => {
        &[
            Attribute::new("value", $of, "The value."),
            DISPLAY,
            Attribute::text("type", "What it is for.").usual($usual),
            PRIMARY,
        ]
    };
}

const NAME: &[Attribute] = &[
    Attribute::text("formatted", "The whole name, as it is shown."),
    Attribute::text("familyName", "The family name."),
    Attribute::text("givenName", "The given name."),
    Attribute::text("middleName", "The middle names."),
    Attribute::text("honorificPrefix", "What comes before the name, such as a title."),
    Attribute::text("honorificSuffix", "What comes after the name."),
];

const ADDRESS: &[Attribute] = &[
    Attribute::text("formatted", "The whole address, as it is written on a letter."),
    Attribute::text("streetAddress", "Street and number."),
    Attribute::text("locality", "The city."),
    Attribute::text("region", "The state or region."),
    Attribute::text("postalCode", "The postal code."),
    Attribute::text("country", "The country, as a code of two letters."),
    Attribute::text("type", "What it is for.").usual(&["work", "home", "other"]),
    PRIMARY,
];

const GROUPS: &[Attribute] = &[
    Attribute::text("value", "The id of the group.")
        .exact()
        .read_only(),
    Attribute::new("$ref", Type::Reference, "Where the group is.")
        .refers(&["Group"])
        .read_only(),
    Attribute::text("display", "The name of the group.").read_only(),
    Attribute::text("type", "Whether the user is in it directly.")
        .usual(&["direct"])
        .read_only(),
];

pub(super) static USER: Schema = Schema {
    urn: super::USER,
    name: "User",
    description: "Somebody who uses the gateway.",
    attributes: &[
        Attribute::text("userName", "The name by which the provider knows the user.")
            .required()
            .unique(),
        Attribute::complex("name", NAME, "The parts of the user's name."),
        Attribute::text("displayName", "The name that is shown."),
        Attribute::text("nickName", "What the user is called casually."),
        Attribute::new("profileUrl", Type::Reference, "A page about the user.").refers(&["external"]),
        Attribute::text("title", "The user's title, such as \"Vice President\"."),
        Attribute::text("userType", "How the user belongs to the organisation."),
        Attribute::text("preferredLanguage", "The language that the user prefers."),
        Attribute::text("locale", "How numbers and dates are written for the user."),
        Attribute::text("timezone", "The user's time zone."),
        Attribute::new(
            "active",
            Type::Boolean,
            "Whether the user may use the gateway. Without it they are refused everywhere within a second.",
        ),
        Attribute::complex(
            "emails",
            plural!(Type::String, &["work", "home", "other"]),
            "E-mail addresses; the primary one, else the first, is the user's in the gateway.",
        )
        .multi(),
        Attribute::complex(
            "phoneNumbers",
            plural!(Type::String, &["work", "home", "mobile", "fax", "pager", "other"]),
            "Telephone numbers.",
        )
        .multi(),
        Attribute::complex(
            "ims",
            plural!(
                Type::String,
                &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]
            ),
            "Addresses for instant messages.",
        )
        .multi(),
        Attribute::complex(
            "photos",
            plural!(Type::Reference, &["photo", "thumbnail"]),
            "URLs of pictures.",
        )
        .multi(),
        Attribute::complex("addresses", ADDRESS, "Postal addresses.").multi(),
        Attribute::complex(
            "groups",
            GROUPS,
            "The groups that the user is in; changed through the groups.",
        )
        .multi()
        .read_only(),
        Attribute::complex(
            "entitlements",
            plural!(Type::String, &[]),
            "What the user may have.",
        )
        .multi(),
        Attribute::complex(
            "roles",
            plural!(Type::String, &[]),
            "What the user is elsewhere. What they are in the gateway follows from their groups.",
        )
        .multi(),
        Attribute::complex("x509Certificates", plural!(Type::Binary, &[]), "Certificates.").multi(),
    ],
};

const MANAGER: &[Attribute] = &[
    Attribute::text("value", "The id of the manager."),
    Attribute::new("$ref", Type::Reference, "Where the manager is.").refers(&["User"]),
    Attribute::text("displayName", "The name of the manager.").read_only(),
];

pub(super) static EXTENSIONS: [Schema; 1] = [Schema {
    urn: super::ENTERPRISE,
    name: "EnterpriseUser",
    description: "What an enterprise knows of a user.",
    attributes: &[
        Attribute::text(
            "employeeNumber",
            "The number or name by which the organisation knows them.",
        ),
        Attribute::text("costCenter", "The cost centre."),
        Attribute::text("organization", "The organisation."),
        Attribute::text("division", "The division."),
        Attribute::text("department", "The department."),
        Attribute::complex("manager", MANAGER, "The user's manager."),
    ],
}];
