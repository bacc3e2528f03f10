// The line protocol of the TypeScript client drivers (the same as python/steps.py), and what both
// share: an OAuth client provider whose redirects are followed without a browser.
import { createInterface } from "node:readline";

export const REDIRECT_URI = "http://127.0.0.1:1/callback";
export const STEP_SECONDS = 30;
const HOPS_MAX = 12;

const reply = (fields) => console.log(JSON.stringify(fields));

function describe(error) {
  return {
    type: error.constructor?.name ?? typeof error,
    code: error.code ?? null,
    message: String(error.message ?? error),
    data: error.data ?? null,
  };
}

// `connect(settings)` gives {connected, do: {NAME: async (line) => result}, close}.
export async function run(connect) {
  let session;
  for await (const text of createInterface({ input: process.stdin })) {
    const line = JSON.parse(text);
    try {
      if (session === undefined) {
        session = await connect(line);
        reply({ ok: true, result: session.connected });
      } else {
        reply({ ok: true, result: await session.do[line.do](line) });
      }
    } catch (error) {
      reply({ ok: false, error: describe(error), ...(session === undefined && { dead: true }) });
    }
  }
  await session?.close();
  process.exit(0);
}

// Follows an authorization URL until it leads back to the client; gives that URL's parameters.
async function authorize(url) {
  const cookies = new Map();
  let next = new URL(url);
  for (let hop = 0; hop < HOPS_MAX; hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(next, { redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(";");
      const at = pair.indexOf("=");
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`${response.status} from ${next}: ${await response.text()}`);
    next = new URL(location, next);
    if (next.href.startsWith(REDIRECT_URI)) return next.searchParams;
  }
  throw new Error("too many redirects");
}

export class HeadlessOAuth {
  #client;
  #tokens;
  #verifier;
  answer;

  constructor(name) {
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [REDIRECT_URI],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }

  get redirectUrl() {
    return REDIRECT_URI;
  }

  clientInformation() {
    return this.#client;
  }

  saveClientInformation(client) {
    this.#client = client;
  }

  tokens() {
    return this.#tokens;
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  async redirectToAuthorization(url) {
    this.answer = await authorize(url);
  }
}

// Runs `act`; if the client had to send its user to the authorization server, finishes that on the
// transport `pending()` names and runs `act` once more.
export async function authorized(oauth, UnauthorizedError, pending, act) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || oauth?.answer === undefined) throw error;
    const { answer } = oauth;
    oauth.answer = undefined;
    await pending().finishAuth(answer.get("code"), answer.get("iss") ?? undefined);
    return await act();
  }
}
