// An OpenID provider that nobody here wrote: the npm package `oidc-provider`, with its own pages for signing in.
//
// Reads one JSON object from the command line: `clients` as the package takes them, `accounts` by their ids with their claims,
// and what to change of the configuration. Prints its issuer when it is ready.

import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.env.CCAG_TEST_NODE_DIR, 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const wanted = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((done) => server.listen(wanted.port ?? 0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: wanted.clients,
  async findAccount(ctx, id) {
    const claims = wanted.accounts[id];
    return claims && { accountId: id, claims: async () => ({ sub: id, ...claims }) };
  },
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    groups: ['groups'],
  },
  scopes: ['openid', 'email', 'profile', 'groups', 'offline_access'],
  conformIdTokenClaims: wanted.conform ?? false,
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  cookies: { keys: ['for tests alone'] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
  ...wanted.configuration,
});
server.on('request', provider.callback());
console.log(issuer);
