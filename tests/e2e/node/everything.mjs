// The "everything server" that the conformance suite asks for, on @modelcontextprotocol/server 2.x:
// revisions up to 2025-11-25 in sessions, 2026-07-28 request by request.
// Usage: everything.mjs PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
import { randomUUID } from "node:crypto";
import {
  localhostHostValidation,
  localhostOriginValidation,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
  toWebRequest,
} from "@modelcontextprotocol/node";
import { createMcpHandler, isLegacyRequest } from "@modelcontextprotocol/server";
import { createEverything } from "./everything_features.mjs";
import { serveTask } from "./everything_tasks.mjs";
import { serve } from "./notes.mjs";

const RETRY_MILLISECONDS = 200;
const sessions = new Map();

// What a stream sent, so that a client that reconnects gets what it missed.
function eventStore() {
  const events = [];
  return {
    async storeEvent(stream, message) {
      events.push({ stream, message });
      return String(events.length - 1);
    },
    async replayEventsAfter(last, { send }) {
      const { stream } = events[Number(last)];
      for (let id = Number(last) + 1; id < events.length; id += 1) {
        // The event that primes a stream has no message.
        const { stream: of, message } = events[id];
        if (of === stream && "jsonrpc" in message) await send(String(id), message);
      }
      return stream;
    },
  };
}

async function openSession() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => sessions.set(id, transport),
    eventStore: eventStore(),
    retryInterval: RETRY_MILLISECONDS,
  });
  transport.onclose = () => sessions.delete(transport.sessionId);
  await createEverything(() => handler).connect(transport);
  return transport;
}

function refuse(response, status, code, message) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } }));
}

const handler = createMcpHandler(() => createEverything(() => handler), { legacy: "reject" });
const modern = toNodeHandler(handler);
const validHost = localhostHostValidation();
const validOrigin = localhostOriginValidation();

serve(async (request, response) => {
  if (!validHost(request, response) || !validOrigin(request, response)) return;
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let body;
  try {
    body = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    refuse(response, 400, -32700, "Parse error");
    return;
  }
  if (!(await isLegacyRequest(await toWebRequest(request, body ?? {}), body))) {
    if (!serveTask(request, response, body)) await modern(request, response, body);
    return;
  }
  const id = request.headers["mcp-session-id"];
  if (id !== undefined && !sessions.has(id)) {
    refuse(response, 404, -32001, "Session not found");
    return;
  }
  const transport = id === undefined ? await openSession() : sessions.get(id);
  await transport.handleRequest(request, response, body);
});
