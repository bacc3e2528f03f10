// The notes server on @modelcontextprotocol/server 2.x (both protocol eras, no sessions).
// Usage: notes_ts2.mjs PATH [modern]. Prints one line, {"port": N}, when it listens on 127.0.0.1.
// With `modern` it refuses what is not of the stateless revision.
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import { z } from "zod";
import { registerTools, serve } from "./notes.mjs";

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "notes-ts2", version: "1.0.0" });
  registerTools(server, {
    schema: (shape) => z.object(shape),
    template: (uri) => new ResourceTemplate(uri, { list: undefined }),
    headers: (context) => Object.fromEntries(context.http.req.headers),
    progress: async (context, step, total) => {
      const progressToken = context.mcpReq._meta?.progressToken;
      if (progressToken === undefined) return;
      await context.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken, progress: step, total, message: `step ${step}` },
      });
    },
    announce: async () => handler.notify.toolsChanged(),
  });
  return server;
}, process.argv[3] === "modern" ? { legacy: "reject" } : {});

serve(toNodeHandler(handler));
