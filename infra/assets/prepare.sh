# Runs before a plane, as another container of the same task, and ends: the images of the planes hold no shell.
#
# It puts the certificates of the way between the planes into files, makes the volumes the planes' own, and, where a database is
# named, sees to it that the database has what control planes need. All of it may be done again at any time.
set -eu

umask 077
if [ -n "${TLS_CA:-}" ]; then printf '%s\n' "$TLS_CA" > "$PLANES_DIR/ca.crt"; fi
if [ -n "${TLS_CERT:-}" ]; then printf '%s\n' "$TLS_CERT" > "$PLANES_DIR/tls.crt"; fi
if [ -n "${TLS_KEY:-}" ]; then printf '%s\n' "$TLS_KEY" > "$PLANES_DIR/tls.key"; fi
if [ -n "${VOLUMES:-}" ]; then
    # shellcheck disable=SC2086 # a list
    chown -R 65532:65532 $VOLUMES
fi

[ -n "${PGHOST:-}" ] || exit 0
# `owner` owns everything. Control planes connect as one of two users, `owner` and its twin, which take turns when the password is
# replaced; both act as `owner`. The twin is made by whoever replaces the password.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set owner="$APP_OWNER" --set database="$PGDATABASE" \
    --output /dev/null --file - <<'SQL'
\getenv user APP_USER
\getenv password APP_PASSWORD
-- One task at a time.
SELECT pg_advisory_lock(8027531);
-- Only who is not there yet gets a password: afterwards it is set by whoever replaces it.
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'user', :'password')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
SELECT format('CREATE ROLE %I LOGIN', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \gexec
-- Or the database could not be given away.
SELECT format('GRANT %I TO CURRENT_USER', :'owner') \gexec
SELECT format('GRANT %I TO %I', :'owner', :'user')
 WHERE :'owner' <> :'user' \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', :'database', :'owner')
 WHERE (SELECT datdba FROM pg_database WHERE datname = :'database') <> (SELECT oid FROM pg_roles WHERE rolname = :'owner') \gexec
SQL
