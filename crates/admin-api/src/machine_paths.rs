//! What programs find their way with.

/// `GET`: the OpenAPI document of the admin API. For everybody.
pub const OPENAPI: &str = "/openapi.json";
/// `POST`: the Model Context Protocol, over streamable HTTP.
pub const MCP: &str = "/mcp";

/// The header of a `POST` that is carried out once, however often it is sent.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
