// The @modelcontextprotocol/sdk 1.x client, driven by lines of JSON (see steps.mjs).
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { authorized, HeadlessOAuth, run, STEP_SECONDS } from "./steps.mjs";

await run(async (settings) => {
  const oauth = settings.oauth ? new HeadlessOAuth("ts1") : undefined;
  const client = new Client({ name: "ts1", version: "1.0.0" });
  client.onerror = (error) => console.error(error);
  let transport;
  const attempt = (act) => authorized(oauth, UnauthorizedError, () => transport, act);
  await attempt(async () => {
    const headers = { ...settings.headers };
    if (settings.token !== undefined) headers.authorization = `Bearer ${settings.token}`;
    transport = new StreamableHTTPClientTransport(new URL(settings.url), {
      requestInit: { headers },
      authProvider: oauth,
    });
    await client.connect(transport);
  });
  return {
    connected: { server: client.getServerVersion().name, protocol: transport.protocolVersion },
    close: () => client.close(),
    do: {
      list_tools: () =>
        attempt(async () => (await client.listTools()).tools.map((tool) => tool.name).sort()),
      call_tool: (line) =>
        attempt(async () => {
          const progress = [];
          const result = await client.callTool(
            { name: line.name, arguments: line.arguments },
            undefined, { timeout: STEP_SECONDS * 1000, onprogress: (event) => progress.push(event.progress) },
          );
          return { ...result, progress };
        }),
      tokens: async () => oauth?.tokens(),
    },
  };
});
