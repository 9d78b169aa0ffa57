//! What programs find their way with.

/// `GET`: the OpenAPI document of the admin API. For everybody.
pub const OPENAPI: &str = "/openapi.json";
/// `POST`: the Model Context Protocol, over streamable HTTP.
pub const MCP: &str = "/mcp";
