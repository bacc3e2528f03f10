// The server under attack on @modelcontextprotocol/server 2.x (no sessions).
// Usage: attacked_ts2.mjs PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { z } from "zod";
import { register, subscribed } from "./attacked.mjs";
import { serve } from "./notes.mjs";

const handler = createMcpHandler(() => {
  const server = new McpServer(
    { name: "attacked-ts2", version: "1.0.0" },
    { capabilities: { resources: { subscribe: true } } },
  );
  register(server, {
    schema: (shape) => z.object(shape),
    template: (uri, complete) => new ResourceTemplate(uri, { list: undefined, complete }),
  });
  server.server.setRequestHandler("resources/subscribe", subscribed);
  server.server.setRequestHandler("resources/unsubscribe", subscribed);
  return server;
});

serve(toNodeHandler(handler));
