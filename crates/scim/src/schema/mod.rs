//! What resources consist of (RFC 7643, §4 and §7).

mod group;
mod user;

use serde_json::{Value, json};

/// The core schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// What an enterprise knows of a user.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The core schema of a group.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// What a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A user.
    User,
    /// A group.
    Group,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Where its resources are, below the base.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// Its own schema.
    #[must_use]
    pub const fn schema(self) -> &'static Schema {
        match self {
            Self::User => &user::USER,
            Self::Group => &group::GROUP,
        }
    }

    /// What extends it.
    #[must_use]
    pub const fn extensions(self) -> &'static [Schema] {
        match self {
            Self::User => &user::EXTENSIONS,
            Self::Group => &[],
        }
    }

    /// The extension of this name, whatever the case.
    pub(crate) fn extension(self, urn: &str) -> Option<&'static Schema> {
        let mut extensions = self.extensions().iter();
        extensions.find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }
}

/// A schema.
#[derive(Debug)]
pub struct Schema {
    /// Its name.
    pub urn: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

/// The type of a value (RFC 7643, §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// Yes or no.
    Boolean,
    /// A moment.
    DateTime,
    /// Bytes in base64.
    Binary,
    /// A URI.
    Reference,
    /// An object.
    Complex,
}

impl Type {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may change a value (RFC 7643, §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// We alone.
    ReadOnly,
    /// The client.
    ReadWrite,
    /// The client, once.
    Immutable,
}

/// An attribute, or a part of one.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub of: Type,
    /// Whether it has any number of values.
    pub multi: bool,
    /// Whether there has to be a value.
    pub required: bool,
    /// Whether the case of letters counts.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// Whether it is shown whatever the client asks for.
    pub always: bool,
    /// Whether no two resources of a provider have the same value.
    pub unique: bool,
    /// The values that are usual.
    pub canonical: &'static [&'static str],
    /// What a reference may name.
    pub refers: &'static [&'static str],
    /// Its parts.
    pub sub: &'static [Attribute],
    /// What it is.
    pub description: &'static str,
}

impl Attribute {
    /// An attribute that the client may change.
    pub(crate) const fn new(name: &'static str, of: Type, description: &'static str) -> Self {
        Self {
            name,
            of,
            multi: false,
            required: false,
            case_exact: !matches!(of, Type::String | Type::Boolean | Type::Complex),
            mutability: Mutability::ReadWrite,
            always: false,
            unique: false,
            canonical: &[],
            refers: &[],
            sub: &[],
            description,
        }
    }

    pub(crate) const fn text(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::String, description)
    }

    pub(crate) const fn complex(
        name: &'static str,
        sub: &'static [Attribute],
        description: &'static str,
    ) -> Self {
        let mut this = Self::new(name, Type::Complex, description);
        this.sub = sub;
        this
    }

    pub(crate) const fn multi(mut self) -> Self {
        self.multi = true;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    pub(crate) const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    pub(crate) const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    pub(crate) const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    pub(crate) const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    pub(crate) const fn usual(mut self, canonical: &'static [&'static str]) -> Self {
        self.canonical = canonical;
        self
    }

    pub(crate) const fn refers(mut self, refers: &'static [&'static str]) -> Self {
        self.refers = refers;
        self
    }

    /// The part of this name, whatever the case.
    pub(crate) fn part(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub, name)
    }

    /// Whether only we change it.
    pub(crate) fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// As it stands in a schema (RFC 7643, §7).
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "name": self.name,
            "type": self.of.as_str(),
            "multiValued": self.multi,
            "description": self.description,
            "required": self.required,
            "caseExact": self.case_exact,
            "mutability": match self.mutability {
                Mutability::ReadOnly => "readOnly",
                Mutability::ReadWrite => "readWrite",
                Mutability::Immutable => "immutable",
            },
            "returned": if self.always { "always" } else { "default" },
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        if !self.canonical.is_empty() {
            json["canonicalValues"] = self.canonical.into();
        }
        if !self.refers.is_empty() {
            json["referenceTypes"] = self.refers.into();
        }
        if !self.sub.is_empty() {
            json["subAttributes"] = self.sub.iter().map(Self::to_json).collect();
        }
        json
    }
}

/// What every resource has (RFC 7643, §3.1); no schema lists it.
pub(crate) const COMMON: &[Attribute] = &[
    Attribute::new("schemas", Type::Reference, "The schemas of the resource.")
        .multi()
        .always()
        .read_only(),
    Attribute::text("id", "The id of the resource.")
        .exact()
        .always()
        .read_only(),
    Attribute::text("externalId", "What the provider calls the resource.").exact(),
    Attribute::complex(
        "meta",
        &[
            Attribute::text("resourceType", "What it is.").exact(),
            Attribute::new("created", Type::DateTime, "When it was made."),
            Attribute::new("lastModified", Type::DateTime, "When it was last changed."),
            Attribute::new("location", Type::Reference, "Where it is."),
            Attribute::text("version", "Its version.").exact(),
        ],
        "What is known of the resource.",
    )
    .read_only(),
];

/// The attribute of this name, whatever the case.
pub(crate) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
