-- What a gateway has that has been used for a while, with what goes wrong in such data.
INSERT INTO identity_providers (id, name, issuer_url, audience, allowed_domains, scopes, user_claim, scim_enabled, scim_admin_groups)
VALUES ('10000000-0000-4000-8000-000000000001', 'Okta', 'https://login.example.com', 'client-1', ARRAY['example.com'],
        'openid email', 'auto', true, '["Gateway admins"]');
INSERT INTO teams (id, name, budget_amount_usd, budget_period, budget_policy, default_user_budget_usd, routing_strategy) VALUES
('20000000-0000-4000-8000-000000000001', 'Plattform Größe', 800.1, 'monthly',
 '[{"at_percent": 80, "action": "notify"}, {"at_percent": 100, "action": "shape", "shaped_rpm": 5}, {"at_percent": 150, "action": "block"}]',
 100, 'primary_fallback'),
('20000000-0000-4000-8000-000000000002', 'plattform größe', 0, 'weekly', NULL, NULL, 'least_latency'),
('20000000-0000-4000-8000-000000000003', 'Huge', 1e300, 'daily', '"nonsense"', 'NaN', 'sticky_user');
INSERT INTO users (id, email, team_id, role, spend_limit_monthly_usd, active, external_id, display_name, given_name, scim_managed, idp_id, created_at) VALUES
('30000000-0000-4000-8000-000000000001', 'Ada@example.com', '20000000-0000-4000-8000-000000000001', 'admin', NULL, true, 'ext-1', 'Ada Lovelace', 'Ada', true, '10000000-0000-4000-8000-000000000001', '2026-01-01'),
('30000000-0000-4000-8000-000000000002', 'ada@example.com', NULL, 'member', 5, true, NULL, NULL, NULL, false, NULL, '2026-02-01'),
('30000000-0000-4000-8000-000000000003', 'gone@example.com', '20000000-0000-4000-8000-000000000001', 'member', NULL, false, NULL, NULL, NULL, false, NULL, '2026-01-02'),
('30000000-0000-4000-8000-000000000004', 'grace@example.com', NULL, 'superuser', 0.05, true, NULL, E'Grace \U0001F600', NULL, false, NULL, '2026-01-03');
-- The secrets are sk-proxy-NAME.
INSERT INTO virtual_keys (id, key_hash, key_prefix, name, user_id, team_id, is_active, rate_limit_rpm, expires_at)
SELECT k.id::uuid, encode(sha256(convert_to('sk-proxy-' || k.secret, 'UTF8')), 'hex'), 'sk-proxy-' || left(k.secret, 7) || '...',
       k.secret, k.owner::uuid, k.team::uuid, k.active, k.rpm, k.expires::timestamptz
FROM (VALUES
    ('40000000-0000-4000-8000-000000000001', 'laptop', '30000000-0000-4000-8000-000000000001', NULL, true, 60, NULL),
    ('40000000-0000-4000-8000-000000000002', 'second-ada', '30000000-0000-4000-8000-000000000002', NULL, true, NULL, '2099-01-01'),
    ('40000000-0000-4000-8000-000000000003', 'revoked', '30000000-0000-4000-8000-000000000001', NULL, false, NULL, NULL),
    ('40000000-0000-4000-8000-000000000004', 'expired', '30000000-0000-4000-8000-000000000001', NULL, true, NULL, '2026-02-02'),
    ('40000000-0000-4000-8000-000000000005', 'of-gone', '30000000-0000-4000-8000-000000000003', NULL, true, NULL, NULL),
    ('40000000-0000-4000-8000-000000000006', 'ci', NULL, '20000000-0000-4000-8000-000000000001', true, -1, NULL),
    ('40000000-0000-4000-8000-000000000007', 'nothing', NULL, NULL, true, 0, NULL),
    ('40000000-0000-4000-8000-000000000008', 'grace', '30000000-0000-4000-8000-000000000004', NULL, true, NULL, NULL)
) AS k (id, secret, owner, team, active, rpm, expires);
-- A key of a user who was deleted in spite of the constraint, and one that was never hashed.
ALTER TABLE virtual_keys DROP CONSTRAINT virtual_keys_user_id_fkey;
INSERT INTO virtual_keys (id, key_hash, key_prefix, name, user_id) VALUES
('40000000-0000-4000-8000-000000000009', encode(sha256('sk-proxy-orphan'), 'hex'), 'sk-proxy-orphan...', NULL, '30000000-0000-4000-8000-0000000000ff'),
('40000000-0000-4000-8000-00000000000a', 'not a digest', 'sk', NULL, NULL);
INSERT INTO endpoints (id, name, role_arn, region, routing_prefix, is_default, enabled, inference_profile_arn, external_id) VALUES
('50000000-0000-4000-8000-000000000001', 'Europe', 'arn:aws:iam::111122223333:role/ccag', 'eu-central-1', 'eu', false, true, NULL, 'x-1'),
('50000000-0000-4000-8000-000000000002', 'Default', NULL, 'us-east-1', 'us', true, true, NULL, NULL),
('50000000-0000-4000-8000-000000000003', 'Default', NULL, 'us-west-2', 'mars', false, false, 'arn:aws:bedrock:us-west-2:111122223333:application-inference-profile/old', NULL);
INSERT INTO team_endpoints VALUES
('20000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000002', 1),
('20000000-0000-4000-8000-000000000001', '50000000-0000-4000-8000-000000000001', 0);
INSERT INTO endpoint_aip_overrides (endpoint_id, model_id, aip_arn, set_by) VALUES
('50000000-0000-4000-8000-000000000001', 'claude-sonnet-4-6', 'arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/a1', 'ada'),
('50000000-0000-4000-8000-000000000001', 'claude-nobody-1', 'arn:aws:bedrock:eu-central-1:111122223333:application-inference-profile/a2', 'ada');
INSERT INTO beta_overrides (endpoint_id, profile_id, beta_name, supported, set_by) VALUES
('50000000-0000-4000-8000-000000000001', 'eu.anthropic.claude-sonnet-4-6', 'context-1m-2025-08-07', true, 'ada');
INSERT INTO scim_tokens (id, idp_id, token_hash, token_prefix, created_by, enabled) VALUES
('60000000-0000-4000-8000-000000000001', '10000000-0000-4000-8000-000000000001', encode(sha256('scim-ccag-good'), 'hex'), 'scim-ccag-good...', 'ada', true),
('60000000-0000-4000-8000-000000000002', '10000000-0000-4000-8000-000000000001', encode(sha256('scim-ccag-old'), 'hex'), 'scim-ccag-old...', 'ada', false);
INSERT INTO scim_groups (id, display_name, idp_id) VALUES
('70000000-0000-4000-8000-000000000001', 'Gateway admins', '10000000-0000-4000-8000-000000000001');
INSERT INTO scim_group_members VALUES
('70000000-0000-4000-8000-000000000001', '30000000-0000-4000-8000-000000000001'),
('70000000-0000-4000-8000-000000000001', '30000000-0000-4000-8000-000000000004');
INSERT INTO user_search_providers (user_id, provider_type, api_key, api_url, max_results) VALUES
('30000000-0000-4000-8000-000000000001', 'tavily', 'tvly-secret', NULL, 50),
('30000000-0000-4000-8000-000000000004', 'searxng', NULL, 'http://10.0.0.1:8888', 5);
INSERT INTO notification_config (slot, destination_type, destination_value) VALUES ('active', 'webhook', 'https://hooks.example.com/x');
INSERT INTO model_pricing VALUES ('claude-own', 1, 2, 3, 4, 'admin_manual');
INSERT INTO model_mappings VALUES ('claude-found', 'anthropic.claude-found-v1:0', NULL, 'discovered');
INSERT INTO proxy_settings VALUES
('websearch_mode', 'global'), ('websearch_global_provider', '{"provider_type": "tavily", "api_key": "tvly-global", "max_results": 7}'),
('session_signing_key', 'ab'), ('cli_session:1', 'pending'),
('default_budget_usd', '50'), ('default_budget_period', 'daily'), ('default_budget_policy', ''), ('default_budget_notify', 'admin');
-- 2026-11-20 lies in the month of the test's clock, 2026-09-01 before.
INSERT INTO spend_log (key_id, user_identity, request_id, model, streaming, duration_ms, input_tokens, output_tokens,
                       cache_read_tokens, cache_write_tokens, session_id, endpoint_id, recorded_at) VALUES
('40000000-0000-4000-8000-000000000001', 'Ada@example.com', 'req_aa', 'claude-sonnet-4-6', true, 900, 1000, 2000, 3000, 4000, 's1', '50000000-0000-4000-8000-000000000001', '2026-11-20 10:00:00.123Z'),
('40000000-0000-4000-8000-000000000002', 'ada@example.com', 'req_bb', 'claude-sonnet-4-6-20260101', false, NULL, 100, 0, 0, 0, NULL, '50000000-0000-4000-8000-0000000000ee', '2026-09-01 10:00:00Z'),
(NULL, 'Ada@example.com', NULL, 'claude-haiku-4-5', true, -5, 0, 1000, 0, 0, NULL, NULL, '2026-11-21 00:00:00Z'),
(NULL, 'nobody@example.com', 'not an id', 'claude-haiku-4-5', true, 1, 1000000, 0, 0, 0, NULL, NULL, '2026-11-21 00:00:00Z'),
('40000000-0000-4000-8000-000000000006', 'ci', 'req_cc', 'claude-unknown-9', true, 1, 10, 10, 0, 0, NULL, NULL, '2026-11-22 00:00:00Z'),
('40000000-0000-4000-8000-000000000008', 'grace@example.com', 'req_dd', 'claude-haiku-4-5', true, 1, 2147483647, 2147483647, 0, 0, NULL, NULL, '2026-11-23 00:00:00Z'),
('40000000-0000-4000-8000-000000000001', 'Ada@example.com', 'req_ee', 'claude-haiku-4-5', true, 1, -1, 0, 0, 0, NULL, NULL, '2026-11-23 00:00:00Z'),
('40000000-0000-4000-8000-000000000001', 'Ada@example.com', 'req_ff', 'claude-haiku-4-5', true, 1, 1, 0, 0, 0, NULL, NULL, '1999-01-01 00:00:00Z');
