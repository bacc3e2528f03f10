// The server under attack on @modelcontextprotocol/sdk 1.x, with one session for all.
// Usage: attacked_ts1.mjs PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { SubscribeRequestSchema, UnsubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { register, subscribed } from "./attacked.mjs";
import { serve } from "./notes.mjs";

const server = new McpServer(
  { name: "attacked-ts1", version: "1.0.0" },
  { capabilities: { resources: { subscribe: true } } },
);
register(server, {
  schema: (shape) => shape,
  template: (uri, complete) => new ResourceTemplate(uri, { list: undefined, complete }),
});
server.server.setRequestHandler(SubscribeRequestSchema, subscribed);
server.server.setRequestHandler(UnsubscribeRequestSchema, subscribed);
const transport = new StreamableHTTPServerTransport({
  sessionIdGenerator: () => "the-only-session",
  enableJsonResponse: true,
});
await server.connect(transport);
serve((request, response) => transport.handleRequest(request, response));
