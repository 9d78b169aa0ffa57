-- The tables of the existing gateway, version 1.9.3, as its migrations 1 to 12 leave them.
CREATE TABLE identity_providers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, issuer_url text NOT NULL UNIQUE,
    client_id text, audience text, jwks_url text, flow_type text NOT NULL DEFAULT 'device_code',
    auto_provision boolean NOT NULL DEFAULT false, default_role text NOT NULL DEFAULT 'member', allowed_domains text[],
    enabled boolean NOT NULL DEFAULT true, source text NOT NULL DEFAULT 'admin', created_at timestamptz NOT NULL DEFAULT now(),
    user_claim text, scopes text, scim_enabled boolean NOT NULL DEFAULT false, scim_admin_groups jsonb NOT NULL DEFAULT '[]'
);
CREATE TABLE teams (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL UNIQUE, budget_amount_usd double precision,
    budget_period text NOT NULL DEFAULT 'monthly', budget_policy jsonb, default_user_budget_usd double precision,
    notify_recipients text NOT NULL DEFAULT 'both', created_at timestamptz NOT NULL DEFAULT now(),
    routing_strategy text NOT NULL DEFAULT 'sticky_user', external_id text, display_name text,
    scim_managed boolean NOT NULL DEFAULT false, idp_id uuid REFERENCES identity_providers (id) ON DELETE SET NULL
);
CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text NOT NULL UNIQUE, team_id uuid REFERENCES teams (id),
    role text NOT NULL DEFAULT 'member', spend_limit_monthly_usd double precision,
    budget_period text NOT NULL DEFAULT 'monthly', created_at timestamptz NOT NULL DEFAULT now(),
    active boolean NOT NULL DEFAULT true, external_id text, display_name text, given_name text, family_name text,
    scim_managed boolean NOT NULL DEFAULT false, idp_id uuid REFERENCES identity_providers (id) ON DELETE SET NULL
);
CREATE TABLE virtual_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), key_hash text NOT NULL UNIQUE, key_prefix text NOT NULL, name text,
    user_id uuid REFERENCES users (id), team_id uuid REFERENCES teams (id), is_active boolean NOT NULL DEFAULT true,
    rate_limit_rpm integer, created_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz
);
CREATE TABLE spend_log (
    id bigserial PRIMARY KEY, key_id uuid REFERENCES virtual_keys (id), user_identity text, request_id text,
    model text NOT NULL, streaming boolean NOT NULL DEFAULT false, duration_ms integer, input_tokens integer NOT NULL,
    output_tokens integer NOT NULL, cache_read_tokens integer NOT NULL DEFAULT 0,
    cache_write_tokens integer NOT NULL DEFAULT 0, stop_reason text, tool_count smallint NOT NULL DEFAULT 0,
    tool_names text[], turn_count smallint NOT NULL DEFAULT 0, thinking_enabled boolean NOT NULL DEFAULT false,
    has_system_prompt boolean NOT NULL DEFAULT false, session_id text, project_key text, tool_errors jsonb,
    has_correction boolean NOT NULL DEFAULT false, content_block_types text[], system_prompt_hash text,
    detection_flags jsonb, endpoint_id uuid, recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE proxy_settings (key text PRIMARY KEY, value text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE model_mappings (
    anthropic_prefix text PRIMARY KEY, bedrock_suffix text NOT NULL, anthropic_display text,
    source text NOT NULL DEFAULT 'seed', created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE endpoints (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, role_arn text, region text NOT NULL,
    routing_prefix text NOT NULL, priority integer NOT NULL DEFAULT 0, enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(), inference_profile_arn text, external_id text,
    is_default boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX ON endpoints (is_default) WHERE is_default;
CREATE TABLE team_endpoints (
    team_id uuid NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    endpoint_id uuid NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE, priority integer NOT NULL DEFAULT 0,
    PRIMARY KEY (team_id, endpoint_id)
);
CREATE TABLE user_search_providers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider_type text NOT NULL, api_key text, api_url text, max_results integer NOT NULL DEFAULT 5,
    enabled boolean NOT NULL DEFAULT true, created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(), UNIQUE (user_id, provider_type)
);
CREATE TABLE notification_config (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), slot text NOT NULL UNIQUE, destination_type text NOT NULL,
    destination_value text NOT NULL, event_categories jsonb NOT NULL DEFAULT '["budget"]'
);
CREATE TABLE scim_tokens (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), idp_id uuid NOT NULL REFERENCES identity_providers (id),
    token_hash text NOT NULL UNIQUE, token_prefix text NOT NULL, name text, created_by text NOT NULL,
    enabled boolean NOT NULL DEFAULT true, last_used_at timestamptz, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE scim_groups (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), external_id text, display_name text NOT NULL,
    idp_id uuid NOT NULL REFERENCES identity_providers (id), created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE scim_group_members (
    group_id uuid NOT NULL REFERENCES scim_groups (id), user_id uuid NOT NULL REFERENCES users (id),
    PRIMARY KEY (group_id, user_id)
);
CREATE TABLE model_pricing (
    model_prefix text PRIMARY KEY, input_rate double precision NOT NULL, output_rate double precision NOT NULL,
    cache_read_rate double precision NOT NULL, cache_write_rate double precision NOT NULL, source text NOT NULL,
    aws_sku text, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE beta_overrides (
    endpoint_id uuid NOT NULL REFERENCES endpoints (id), profile_id text NOT NULL, beta_name text NOT NULL,
    supported boolean NOT NULL, set_at timestamptz NOT NULL DEFAULT now(), set_by text NOT NULL, reason text,
    PRIMARY KEY (endpoint_id, profile_id, beta_name)
);
CREATE TABLE endpoint_aip_overrides (
    endpoint_id uuid NOT NULL REFERENCES endpoints (id), model_id text NOT NULL, aip_arn text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now(), set_by text NOT NULL, reason text, PRIMARY KEY (endpoint_id, model_id)
);
-- The price of the longest prefix, per million tokens; null where there is none.
CREATE FUNCTION estimate_cost_usd(m text, i integer, o integer, r integer DEFAULT 0, w integer DEFAULT 0)
RETURNS double precision STABLE LANGUAGE sql AS $$
    SELECT (i * p.input_rate + o * p.output_rate + r * p.cache_read_rate + w * p.cache_write_rate) / 1000000.0
    FROM model_pricing p WHERE m LIKE p.model_prefix || '%' ORDER BY length(p.model_prefix) DESC LIMIT 1
$$;
INSERT INTO model_pricing VALUES ('claude-sonnet-4-6', 3, 15, 0.3, 3.75, 'seed'), ('claude-haiku-4-5', 1, 5, 0.1, 1.25, 'seed');
INSERT INTO proxy_settings VALUES ('virtual_keys_enabled', 'true');
