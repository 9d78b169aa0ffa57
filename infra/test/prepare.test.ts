// What is run before the planes, run: against openssl, and against PostgreSQL if there is one.

import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { read, ROOT } from '../lib/source';

const dir = mkdtempSync(join(tmpdir(), 'ccag-prepare-'));
after(() => rmSync(dir, { recursive: true }));

function run(program: string, args: string[], env: Record<string, string> = {}, input?: string): SpawnSyncReturns<string> {
  return spawnSync(program, args, { encoding: 'utf8', env: { PATH: process.env.PATH!, ...env }, ...(input && { input }) });
}

function succeeds(program: string, args: string[], env: Record<string, string> = {}, input?: string): string {
  const done = run(program, args, env, input);
  assert.equal(done.status, 0, `${program}: ${done.error?.message ?? ''}${done.stderr}`);
  return done.stdout;
}

describe('the certificate of the planes', () => {
  const files = join(dir, 'tls');
  succeeds('sh', [join(ROOT, 'infra/bin/plane-certificate.sh'), 'gate', files]);

  it('is good for the name that data planes use, and for nothing else', () => {
    const verify = (name: string) =>
      run('openssl', ['verify', '-CAfile', `${files}/ca.crt`, '-purpose', 'sslserver', '-verify_hostname', name, `${files}/tls.crt`]);
    assert.equal(verify('control.gate.internal').status, 0);
    assert.notEqual(verify('control.other.internal').status, 0);
  });

  it('goes into the secret as the tasks read it, and the key of its authority is gone', () => {
    const secret = JSON.parse(readFileSync(`${files}/secret.json`, 'utf8')) as Record<string, string>;
    for (const name of ['ca.crt', 'tls.crt', 'tls.key']) assert.equal(secret[name], readFileSync(`${files}/${name}`, 'utf8'));
    assert.ok(!existsSync(`${files}/ca.key`));
  });

  it('is put where the plane looks for it, for its owner alone', () => {
    const planes = mkdtempSync(join(dir, 'planes-'));
    const env = { PLANES_DIR: planes, TLS_CA: 'a\nb', TLS_CERT: 'c', TLS_KEY: 'd' };
    succeeds('sh', ['-c', read('infra/assets/prepare.sh')], env);
    assert.equal(readFileSync(`${planes}/ca.crt`, 'utf8'), 'a\nb\n');
    assert.equal(readFileSync(`${planes}/tls.key`, 'utf8'), 'd\n');
    assert.equal(statSync(`${planes}/tls.key`).mode & 0o077, 0);
  });
});

// The test command starts a PostgreSQL and says where it is.
const server = process.env.CCAG_TEST_POSTGRES_URL;

describe('the database', { skip: server === undefined && 'there is no PostgreSQL' }, () => {
  const url = new URL(server ?? 'postgres://nobody@localhost/postgres');
  const id = `${process.pid}_${Date.now().toString(36)}`;
  const [admin, owner, twin, database] = ['admin', 'owner', 'owner_clone', 'db'].map((part) => `infra_${part}_${id}`) as [
    string,
    string,
    string,
    string,
  ];
  const at = { PGHOST: url.searchParams.get('host') ?? url.hostname, ...(url.port && { PGPORT: url.port }) };
  const superuser = { ...at, PGUSER: url.username, PGDATABASE: 'postgres' };
  const sql = (env: Record<string, string>, text: string) =>
    succeeds('psql', ['--no-psqlrc', '-tAq', '--set', 'ON_ERROR_STOP=1'], env, text).trim();
  const as = (user: string) => ({ ...at, PGUSER: user, PGPASSWORD: 'x', PGDATABASE: database, PGOPTIONS: `-c role=${owner}` });
  const prepare = (user: string, password: string) =>
    succeeds('sh', ['-c', read('infra/assets/prepare.sh')], {
      ...at,
      PGUSER: admin,
      PGDATABASE: database,
      PLANES_DIR: dir,
      APP_OWNER: owner,
      APP_USER: user,
      APP_PASSWORD: password,
    });
  const hash = (user: string) => sql(superuser, `SELECT rolpassword FROM pg_authid WHERE rolname = '${user}';`);

  after(() => {
    if (server === undefined) return;
    sql(superuser, `DROP DATABASE IF EXISTS ${database};`);
    for (const role of [twin, owner, admin]) sql(superuser, `DROP ROLE IF EXISTS ${role};`);
  });

  it('gets its users, whatever characters the password has, and keeps what it has the next time', () => {
    // As RDS makes it: an administrator who is no superuser, and a database that belongs to them.
    sql(superuser, `CREATE ROLE ${admin} LOGIN CREATEDB CREATEROLE;`);
    sql(superuser, `CREATE DATABASE ${database} OWNER ${admin};`);
    prepare(owner, `it's "one" \\ :'two' $3`);
    const first = hash(owner);
    assert.match(first, /^SCRAM-SHA-256|^md5/);
    prepare(owner, 'another');
    assert.equal(hash(owner), first);
    const found = sql(superuser, `SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '${database}';`);
    assert.equal(found, owner);
  });

  it('belongs to one role, whichever of the two users makes something in it', () => {
    // As the function of AWS that replaces the password does.
    sql({ ...superuser, PGUSER: admin }, `CREATE ROLE ${twin} LOGIN PASSWORD 'x'; GRANT ${owner} TO ${twin};`);
    prepare(twin, 'x');
    sql(as(owner), 'CREATE TABLE one (n int);');
    sql(as(twin), 'ALTER TABLE one ADD COLUMN m int; INSERT INTO one VALUES (1, 2); CREATE TABLE two (n int);');
    sql(as(owner), 'ALTER TABLE two ADD COLUMN m int; INSERT INTO two VALUES (1, 2); DROP TABLE two;');
    assert.equal(sql(as(twin), "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public';"), owner);
  });

  it('without that role the twin would own what it makes, and the other could not go on', () => {
    const plain = { ...as(twin), PGOPTIONS: '' };
    sql(plain, 'CREATE TABLE three (n int);');
    const other = run('psql', ['--no-psqlrc', '-tAqc', 'INSERT INTO three VALUES (1);'], as(owner));
    assert.match(other.stderr, /permission denied/);
  });
});
