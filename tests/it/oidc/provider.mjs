// A real OpenID Provider (https://www.npmjs.com/package/oidc-provider) with its own login pages, for the tests.
//
//   node provider.mjs FOLDER    with FOLDER/settings.json: {port, redirect, secret, keys, userinfo_only}
//
// Everybody may log in, with any password, and is in the group `sre`; whoever stands in FOLDER/gone is unknown from then on, and whoever
// stands in FOLDER/factor has shown a second factor at each login.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Provider from 'oidc-provider';

const folder = process.argv[2];
const settings = JSON.parse(readFileSync(join(folder, 'settings.json')));
const within = (file, name) => existsSync(join(folder, file)) && readFileSync(join(folder, file), 'utf8').split('\n').includes(name);
const gone = (name) => within('gone', name);

const provider = new Provider(`http://127.0.0.1:${settings.port}`, {
  clients: [{
    client_id: 'ztctl',
    client_secret: settings.secret,
    redirect_uris: [settings.redirect],
    grant_types: ['authorization_code', 'refresh_token'],
  }],
  jwks: { keys: settings.keys },
  scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
  claims: { openid: ['sub', 'amr'], profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  conformIdTokenClaims: settings.userinfo_only,
  findAccount: (_, id) => gone(id) ? undefined : {
    accountId: id,
    claims: async () => ({
      sub: id, preferred_username: id, email: `${id}@example.com`, email_verified: true, groups: ['sre', 'not a name', '/web'],
    }),
  },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  cookies: { keys: ['for tests only'] },
  features: { devInteractions: { enabled: true } },
  ttl: { Session: 600, Grant: 600, Interaction: 600, AccessToken: 600, IdToken: 600, RefreshToken: 600 },
});
// Its development pages know passwords only.
const { loginAccount } = provider.Session.prototype;
provider.Session.prototype.loginAccount = function (details) {
  const amr = within('factor', details.accountId) ? ['pwd', 'mfa'] : ['pwd'];
  return loginAccount.call(this, { ...details, amr });
};
provider.listen(settings.port, '127.0.0.1', () => console.log('ready'));
