//! The table of everything that is looked at.

use crate::finding::{Check, Program};

/// The configuration file and the variables, read as at a start.
pub static CONFIGURATION: Check = Check {
    id: "configuration",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "the configuration file and the variables, read as at a start",
    finds: "an unknown key or variable, a value that does not fit, a file that cannot be read",
    page: "configuration.md",
};

/// The addresses to listen on.
pub static LISTEN: Check = Check {
    id: "listen",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "the addresses to listen on",
    finds: "an address that is not this machine's, or a port that may not be used",
    page: "configuration.md",
};

/// The master key, opened with AWS KMS where that keeps it.
pub static MASTER_KEY: Check = Check {
    id: "master-key",
    by: &[Program::ControlPlane],
    looks_at: "the master key, opened with AWS KMS where that keeps it",
    finds: "a key that KMS does not open",
    page: "secrets.md#where-the-key-comes-from",
};

/// The database: its address, the user, the password, the version.
pub static DATABASE: Check = Check {
    id: "database",
    by: &[Program::ControlPlane],
    looks_at: "the database: its address, the user, the password, the version",
    finds: "nobody answers, the password is wrong, there is no such database, it is a standby that cannot be written to",
    page: "configuration.md#control-plane",
};

/// Whether the database's user may make tables, and owns those that are there.
pub static DATABASE_RIGHTS: Check = Check {
    id: "database-rights",
    by: &[Program::ControlPlane],
    looks_at: "whether the database's user may make tables, and owns those that are there",
    finds: "a role without DDL, tables of another owner",
    page: "upgrade.md",
};

/// How many connections the server has, and how many are wanted.
pub static DATABASE_CONNECTIONS: Check = Check {
    id: "database-connections",
    by: &[Program::ControlPlane],
    looks_at: "how many connections the server has, and how many are wanted",
    finds: "a pool that is larger than what the server gives",
    page: "configuration.md#control-plane",
};

/// The schema's version.
pub static MIGRATIONS: Check = Check {
    id: "migrations",
    by: &[Program::ControlPlane],
    looks_at: "the schema's version",
    finds: "a schema of another line of versions; one that is ahead or behind is told",
    page: "upgrade.md",
};

/// Every secret in the database, opened with the master keys.
pub static SEALED_SECRETS: Check = Check {
    id: "sealed-secrets",
    by: &[Program::ControlPlane],
    looks_at: "every secret in the database, opened with the master keys",
    finds: "secrets that were sealed under a key which is not configured",
    page: "secrets.md#without-the-key",
};

/// The certificate that is shown to data planes, and the authorities that vouch for theirs.
pub static GRPC_CERTIFICATE: Check = Check {
    id: "grpc-certificate",
    by: &[Program::ControlPlane],
    looks_at: "the certificate that is shown to data planes, and the authorities that vouch for theirs",
    finds: "a certificate without names, one that expires; a file that is no good is a fault of the configuration",
    page: "configuration.md#control-plane",
};

/// The address that people are sent to.
pub static PUBLIC_URL: Check = Check {
    id: "public-url",
    by: &[Program::ControlPlane],
    looks_at: "the address that people are sent to",
    finds: "none, or one that is not https",
    page: "configuration.md#control-plane",
};

/// Every enabled identity provider's discovery document and keys.
pub static IDENTITY_PROVIDER: Check = Check {
    id: "identity-provider",
    by: &[Program::ControlPlane, Program::Doctor],
    looks_at: "every enabled identity provider's discovery document and keys",
    finds: "a provider that cannot be reached, another issuer than the configured one, no keys",
    page: "sign-in.md#identity-providers",
};

/// The data directory.
pub static DATA_DIRECTORY: Check = Check {
    id: "data-directory",
    by: &[Program::DataPlane],
    looks_at: "the data directory",
    finds: "one that cannot be made or written to",
    page: "configuration.md#data-plane",
};

/// The room on the data directory's disk.
pub static DISK_SPACE: Check = Check {
    id: "disk-space",
    by: &[Program::DataPlane],
    looks_at: "the room on the data directory's disk",
    finds: "less room than the spool may take",
    page: "runbooks.md#the-disk-of-a-data-plane-is-full",
};

/// How much of the usage spool waits for delivery.
pub static SPOOL: Check = Check {
    id: "spool",
    by: &[Program::DataPlane],
    looks_at: "how much of the usage spool waits for delivery",
    finds: "a spool that fills up",
    page: "runbooks.md#the-spool-is-full",
};

/// The way to every address of CCAG_CONTROL_PLANE: name, connection, TLS, protocol.
pub static CONTROL_PLANE: Check = Check {
    id: "control-plane",
    by: &[Program::DataPlane],
    looks_at: "the way to every address of CCAG_CONTROL_PLANE: name, connection, TLS, protocol",
    finds: "a name that does not resolve, a port where nobody listens, something that is no control plane",
    page: "configuration.md#data-plane",
};

/// The certificate that the control plane shows.
pub static CONTROL_PLANE_CERTIFICATE: Check = Check {
    id: "control-plane-certificate",
    by: &[Program::DataPlane],
    looks_at: "the certificate that the control plane shows",
    finds: "one that is not trusted, is for another name, or expires",
    page: "configuration.md#data-plane",
};

/// The certificate that the data plane shows.
pub static DATA_PLANE_CERTIFICATE: Check = Check {
    id: "data-plane-certificate",
    by: &[Program::DataPlane],
    looks_at: "the certificate that the data plane shows to the control plane",
    finds: "none though one is asked for, one of another authority, one that is not for clients, or expires",
    page: "security.md#how-the-planes-know-each-other",
};

/// Whether the control plane lets this data plane in.
pub static JOIN_TOKEN: Check = Check {
    id: "join-token",
    by: &[Program::DataPlane],
    looks_at: "whether the control plane lets this data plane in",
    finds: "another join token",
    page: "configuration.md#data-plane",
};

/// The address that other requests are passed on to.
pub static FORWARD_CONTROL: Check = Check {
    id: "forward-control",
    by: &[Program::DataPlane],
    looks_at: "the address that other requests are passed on to",
    finds: "one where no control plane answers",
    page: "configuration.md#data-plane",
};

/// The collectors of telemetry.
pub static COLLECTORS: Check = Check {
    id: "collectors",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "the collectors of telemetry",
    finds: "one that cannot be reached",
    page: "observability.md",
};

/// The AWS region.
pub static AWS_REGION: Check = Check {
    id: "aws-region",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "the AWS region",
    finds: "none, or one that there is not",
    page: "configuration.md#aws",
};

/// Whether Bedrock answers from here.
pub static AWS_REACH: Check = Check {
    id: "aws-reach",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "whether Bedrock answers from here",
    finds: "no way to Bedrock, a proxy or a certificate in between that is not trusted",
    page: "endpoints.md#the-way-to-aws",
};

/// The AWS credentials of the process, and whose they are.
pub static AWS_CREDENTIALS: Check = Check {
    id: "aws-credentials",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "the AWS credentials of the process, and whose they are",
    finds: "none, expired ones, ones that AWS does not know, a clock that is wrong",
    page: "endpoints.md#credentials",
};

/// Whether the credentials may do what the gateway needs; no model runs.
pub static AWS_PERMISSIONS: Check = Check {
    id: "aws-permissions",
    by: &[Program::ControlPlane, Program::DataPlane],
    looks_at: "whether the credentials may do what the gateway needs; no model runs",
    finds: "an IAM action that is missing, by its name",
    page: "endpoints.md#policies",
};

/// This machine's clock beside those of the database, the control plane, AWS and the gateway.
pub static CLOCK: Check = Check {
    id: "clock",
    by: &[Program::ControlPlane, Program::DataPlane, Program::Doctor],
    looks_at: "this machine's clock beside those of the database, the control plane, AWS and the gateway",
    finds: "clocks that are half a minute or more apart",
    page: "sign-in.md",
};

/// The gateway's address.
pub static ADDRESS: Check = Check {
    id: "address",
    by: &[Program::Doctor],
    looks_at: "the gateway's address",
    finds: "plain http to another machine",
    page: "configuration.md#control-plane",
};

/// The name and the connection.
pub static REACH: Check = Check {
    id: "reach",
    by: &[Program::Doctor],
    looks_at: "the name and the connection",
    finds: "a name that does not resolve, nobody who listens, a firewall",
    page: "runbooks.md",
};

/// The certificate that the gateway shows.
pub static CERTIFICATE: Check = Check {
    id: "certificate",
    by: &[Program::Doctor],
    looks_at: "the certificate that the gateway shows",
    finds: "one that is not trusted, is for another name, or expires",
    page: "runbooks.md#a-certificate-expires",
};

/// Whether a control plane answers, and has its database.
pub static HEALTH: Check = Check {
    id: "health",
    by: &[Program::Doctor],
    looks_at: "whether a control plane answers, and has its database",
    finds: "something else that answers, a control plane without its database",
    page: "runbooks.md#the-control-plane-is-down",
};

/// Whether /v1 leads to a data plane, and the rest to a control plane.
pub static PATH_SPLIT: Check = Check {
    id: "path-split",
    by: &[Program::Doctor],
    looks_at: "whether /v1 leads to a data plane, and the rest to a control plane",
    finds: "rules of a load balancer that lead to the other plane, or nowhere",
    page: "configuration.md",
};

/// The key that Claude Code shows, and the models that it may use.
pub static KEY: Check = Check {
    id: "key",
    by: &[Program::Doctor],
    looks_at: "the key that Claude Code shows, and the models that it may use",
    finds: "a key that is refused, no model",
    page: "setup.md",
};

/// Whether headers arrive as they were sent.
pub static HEADERS: Check = Check {
    id: "headers",
    by: &[Program::Doctor],
    looks_at: "whether headers arrive as they were sent",
    finds: "a proxy that takes away x-api-key, Authorization, anthropic-beta or anthropic-version",
    page: "doctor.md#what-proxies-do",
};

/// Whether a body of 8 MiB arrives whole.
pub static BODY: Check = Check {
    id: "body",
    by: &[Program::Doctor],
    looks_at: "whether a body of 8 MiB arrives whole",
    finds: "a proxy that refuses or cuts large bodies",
    page: "doctor.md#what-proxies-do",
};

/// Whether server-sent events arrive when they are sent.
pub static STREAM: Check = Check {
    id: "stream",
    by: &[Program::Doctor],
    looks_at: "whether server-sent events arrive when they are sent",
    finds: "a proxy that collects, compresses or changes them",
    page: "doctor.md#what-proxies-do",
};

/// Whether a stream lives through a silence as long as the gateway's pings are apart.
pub static IDLE: Check = Check {
    id: "idle",
    by: &[Program::Doctor],
    looks_at: "whether a stream lives through a silence as long as the gateway's pings are apart",
    finds: "a load balancer whose idle time-out is shorter",
    page: "doctor.md#what-proxies-do",
};

/// Claude Code's settings on this machine, and their variables.
pub static SETTINGS: Check = Check {
    id: "settings",
    by: &[Program::Doctor],
    looks_at: "Claude Code's settings on this machine, and their variables",
    finds: "another base URL, a helper that cannot be run, settings that are no JSON",
    page: "setup.md",
};

/// Variables of this terminal that Claude Code heeds.
pub static VARIABLES: Check = Check {
    id: "variables",
    by: &[Program::Doctor],
    looks_at: "variables of this terminal that Claude Code heeds",
    finds: "ones that lead it elsewhere, or show another key",
    page: "setup.md",
};

/// HTTPS_PROXY, HTTP_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS.
pub static PROXY: Check = Check {
    id: "proxy",
    by: &[Program::Doctor],
    looks_at: "HTTPS_PROXY, HTTP_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS",
    finds: "a proxy between here and a gateway on this machine, a file of certificates that is not there",
    page: "setup.md",
};

/// Whether somebody is signed in who may see how the gateway is.
pub static SESSION: Check = Check {
    id: "session",
    by: &[Program::Doctor],
    looks_at: "whether somebody is signed in who may see how the gateway is",
    finds: "nobody is: what follows is left out",
    page: "sign-in.md",
};

/// The data planes.
pub static FLEET: Check = Check {
    id: "fleet",
    by: &[Program::Doctor],
    looks_at: "the data planes",
    finds: "none that is connected, ones that lag behind or could not apply something",
    page: "runbooks.md#a-data-plane-is-down",
};

/// The versions of data planes, control plane and this program.
pub static VERSIONS: Check = Check {
    id: "versions",
    by: &[Program::Doctor],
    looks_at: "the versions of data planes, control plane and this program",
    finds: "different ones",
    page: "upgrade.md",
};

/// Usage records that data planes have not delivered.
pub static BACKLOG: Check = Check {
    id: "backlog",
    by: &[Program::Doctor],
    looks_at: "usage records that data planes have not delivered",
    finds: "many that wait",
    page: "runbooks.md#the-spool-is-full",
};

/// What data planes see of each endpoint.
pub static ENDPOINTS: Check = Check {
    id: "endpoints",
    by: &[Program::Doctor],
    looks_at: "what data planes see of each endpoint",
    finds: "an endpoint that is tried last, and why",
    page: "resilience.md#endpoints-in-trouble",
};

/// What each endpoint's credentials may do, tried by the control plane.
pub static ENDPOINT_RIGHTS: Check = Check {
    id: "endpoint-rights",
    by: &[Program::Doctor],
    looks_at: "what each endpoint's credentials may do, tried by the control plane",
    finds: "an IAM action that is missing, by its name; credentials that do not work",
    page: "endpoints.md#what-is-missing",
};

/// What AWS says of each model at each endpoint.
pub static MODEL_ACCESS: Check = Check {
    id: "model-access",
    by: &[Program::Doctor],
    looks_at: "what AWS says of each model at each endpoint",
    finds: "a model without an agreement, an authorisation, or in a region that does not have it",
    page: "endpoints.md#what-is-missing",
};

/// Secrets in the database.
pub static SECRETS: Check = Check {
    id: "secrets",
    by: &[Program::Doctor],
    looks_at: "secrets in the database",
    finds: "ones that the control plane cannot open, or that are under an old key",
    page: "secrets.md",
};

/// Keys and tokens with an end.
pub static EXPIRY: Check = Check {
    id: "expiry",
    by: &[Program::Doctor],
    looks_at: "keys and tokens with an end",
    finds: "ones that end within a fortnight",
    page: "notifications.md",
};

/// Notifications that were to be sent.
pub static NOTIFICATIONS: Check = Check {
    id: "notifications",
    by: &[Program::Doctor],
    looks_at: "notifications that were to be sent",
    finds: "ones that have failed",
    page: "runbooks.md#notifications-do-not-arrive",
};

/// Usage records that could not be stored.
pub static QUARANTINE: Check = Check {
    id: "quarantine",
    by: &[Program::Doctor],
    looks_at: "usage records that could not be stored",
    finds: "records that were put aside",
    page: "usage.md#records-that-were-put-aside",
};

/// All of it, in the order of `docs/doctor.md`.
pub static ALL: &[&Check] = &[
    &CONFIGURATION,
    &LISTEN,
    &MASTER_KEY,
    &DATABASE,
    &DATABASE_RIGHTS,
    &DATABASE_CONNECTIONS,
    &MIGRATIONS,
    &SEALED_SECRETS,
    &GRPC_CERTIFICATE,
    &PUBLIC_URL,
    &IDENTITY_PROVIDER,
    &DATA_DIRECTORY,
    &DISK_SPACE,
    &SPOOL,
    &CONTROL_PLANE,
    &CONTROL_PLANE_CERTIFICATE,
    &DATA_PLANE_CERTIFICATE,
    &JOIN_TOKEN,
    &FORWARD_CONTROL,
    &COLLECTORS,
    &AWS_REGION,
    &AWS_REACH,
    &AWS_CREDENTIALS,
    &AWS_PERMISSIONS,
    &CLOCK,
    &ADDRESS,
    &REACH,
    &CERTIFICATE,
    &HEALTH,
    &PATH_SPLIT,
    &KEY,
    &HEADERS,
    &BODY,
    &STREAM,
    &IDLE,
    &SETTINGS,
    &VARIABLES,
    &PROXY,
    &SESSION,
    &FLEET,
    &VERSIONS,
    &BACKLOG,
    &ENDPOINTS,
    &ENDPOINT_RIGHTS,
    &MODEL_ACCESS,
    &SECRETS,
    &EXPIRY,
    &NOTIFICATIONS,
    &QUARANTINE,
];
