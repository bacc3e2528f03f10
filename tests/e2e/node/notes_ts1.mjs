// The notes server on @modelcontextprotocol/sdk 1.x (stateful sessions).
// Usage: notes_ts1.mjs PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
import { randomUUID } from "node:crypto";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { registerTools, serve } from "./notes.mjs";

const sessions = new Map();

async function openSession() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => sessions.set(id, transport),
  });
  transport.onclose = () => sessions.delete(transport.sessionId);
  const server = new McpServer({ name: "notes-ts1", version: "1.0.0" });
  registerTools(server, {
    schema: (shape) => shape,
    template: (uri) => new ResourceTemplate(uri, { list: undefined }),
    headers: (context) => context.requestInfo.headers,
    progress: async (context, step, total) => {
      const progressToken = context._meta?.progressToken;
      if (progressToken === undefined) return;
      await context.sendNotification({
        method: "notifications/progress",
        params: { progressToken, progress: step, total, message: `step ${step}` },
      });
    },
    announce: () => server.server.sendToolListChanged(),
  });
  await server.connect(transport);
  return transport;
}

serve(async (request, response) => {
  const id = request.headers["mcp-session-id"];
  if (id !== undefined && !sessions.has(id)) {
    response.writeHead(404, { "content-type": "application/json" });
    response.end('{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}');
    return;
  }
  const transport = id === undefined ? await openSession() : sessions.get(id);
  await transport.handleRequest(request, response);
});
