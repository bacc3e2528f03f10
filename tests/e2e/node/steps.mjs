// What both TypeScript client drivers share: the line protocol (that of python/steps.py), the steps,
// and an OAuth client whose redirects are followed without a browser.
import { createInterface } from "node:readline";

const REDIRECT_URI = "http://127.0.0.1:1/callback";
const STEP_SECONDS = 30;
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
async function run(connect) {
  let session;
  let dead;
  for await (const text of createInterface({ input: process.stdin })) {
    const line = JSON.parse(text);
    if (dead !== undefined) {
      // Nothing but the first line connects.
      reply(dead);
      continue;
    }
    try {
      if (session === undefined) {
        session = await connect(line);
        reply({ ok: true, result: session.connected });
      } else {
        reply({ ok: true, result: await session.do[line.do](line) });
      }
    } catch (error) {
      const failed = { ok: false, error: describe(error) };
      if (session === undefined) dead = { ...failed, dead: true };
      reply(dead ?? failed);
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

class HeadlessOAuth {
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

// Drives the client of one SDK; `sdk` holds its classes, and `options` gives a client's options.
export async function drive(name, sdk, options = () => undefined) {
  await run(async (settings) => {
    const oauth = settings.oauth ? new HeadlessOAuth(name) : undefined;
    const client = new sdk.Client({ name, version: "1.0.0" }, options(settings));
    client.onerror = (error) => console.error(error);
    let transport;

    // Runs `act`; if the client had to send its user to the authorization server, lets it finish
    // that and runs `act` once more.
    const authorized = async (act) => {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof sdk.UnauthorizedError) || oauth?.answer === undefined) throw error;
        const { answer } = oauth;
        oauth.answer = undefined;
        await transport.finishAuth(answer.get("code"), answer.get("iss") ?? undefined);
        return await act();
      }
    };

    await authorized(async () => {
      const headers = { ...settings.headers };
      if (settings.token !== undefined) headers.authorization = `Bearer ${settings.token}`;
      transport = new sdk.StreamableHTTPClientTransport(new URL(settings.url), {
        requestInit: { headers },
        authProvider: oauth,
      });
      await client.connect(transport);
    });
    return {
      connected: { server: client.getServerVersion().name },
      close: () => client.close(),
      do: {
        list_tools: () =>
          authorized(async () => (await client.listTools()).tools.map((tool) => tool.name).sort()),
        list_prompts: async () =>
          (await client.listPrompts()).prompts.map((prompt) => prompt.name).sort(),
        list_resources: async () =>
          (await client.listResources()).resources.map((resource) => resource.uri).sort(),
        list_templates: async () =>
          (await client.listResourceTemplates()).resourceTemplates
            .map((template) => template.uriTemplate)
            .sort(),
        get_prompt: ({ name: prompt, arguments: given }) =>
          client.getPrompt({ name: prompt, arguments: given }),
        read_resource: ({ uri }) => client.readResource({ uri }),
        call_tool: ({ name: tool, arguments: given }) =>
          authorized(() => callTool(client, sdk, tool, given)),
        tokens: async () => oauth?.tokens(),
      },
    };
  });
}

async function callTool(client, sdk, name, given) {
  const progress = [];
  const options = {
    timeout: STEP_SECONDS * 1000,
    onprogress: (event) => progress.push(event.progress),
  };
  const result = await client.callTool({ name, arguments: given }, ...sdk.beforeOptions, options);
  return { ...result, progress };
}
