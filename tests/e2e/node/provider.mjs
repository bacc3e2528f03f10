// An OAuth 2.1 authorization server for tests: npm oidc-provider, with resource indicators
// (RFC 8707) that give JWT access tokens for the asked audience, PKCE, dynamic registration, and
// interactions that log `alice` in and consent by themselves, so that no browser is needed.
//
// Usage: provider.mjs CONFIG.json, where CONFIG is
//   {"issuer": URL, "port": N, "keys_file": FILE (private JWKs; the first one signs),
//    "token_seconds": N, "groups": {SUBJECT: [GROUP]}}
// Prints one line, {"port": N}, when it listens on 127.0.0.1. Beside the provider it serves
//   POST /_test/keys     reads keys_file again
//   GET  /_test/fetches  how often the key set was fetched, and with which key ids last
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const fetches = { count: 0, kids: [] };
let current = build();

function build() {
  const { keys } = JSON.parse(readFileSync(settings.keys_file, "utf8"));
  const provider = new Provider(settings.issuer, {
    jwks: { keys },
    clients: [
      {
        client_id: "service",
        client_secret: "service-secret",
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: [],
      },
    ],
    clientDefaults: { id_token_signed_response_alg: keys[0].alg },
    cookies: { keys: ["test only"] },
    scopes: ["openid", "offline_access", "notes:read", "notes:write"],
    // Clients register with the scope they need first; that must not bind them for ever.
    extraClientMetadata: {
      properties: ["unbound_scope"],
      validator: (_, key, value, metadata) => {
        delete metadata.scope;
      },
    },
    ttl: { AccessToken: settings.token_seconds, ClientCredentials: settings.token_seconds },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_, token) => ({
      groups: settings.groups[token.accountId ?? token.clientId] ?? [],
    }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true, initialAccessToken: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => [],
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: "notes:read notes:write",
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: settings.token_seconds,
          jwt: { sign: { alg: keys[0].alg } },
        }),
      },
    },
  });
  provider.proxy = true;
  provider.on("server_error", (_, error) => console.error(error));
  return { provider, callback: provider.callback(), kids: keys.map((key) => key.kid) };
}

async function interact({ provider }, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    await provider.interactionFinished(request, response, { login: { accountId: "alice" } });
    return;
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(" "));
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(" "));
  }
  await provider.interactionFinished(
    request,
    response,
    { consent: { grantId: await grant.save() } },
    { mergeWithLastSubmission: true },
  );
}

const listener = createServer((request, response) => {
  const { pathname } = new URL(request.url, settings.issuer);
  if (pathname === "/_test/keys") {
    current = build();
    response.end(JSON.stringify(current.kids));
  } else if (pathname === "/_test/fetches") {
    response.end(JSON.stringify(fetches));
  } else if (pathname.startsWith("/interaction/")) {
    interact(current, request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end(String(error));
    });
  } else {
    if (pathname === "/jwks") {
      fetches.count += 1;
      fetches.kids = current.kids;
    }
    current.callback(request, response);
  }
});
listener.listen(settings.port, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: listener.address().port }));
});
