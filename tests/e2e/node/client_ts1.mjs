// The client of @modelcontextprotocol/sdk 1.x, driven by lines of JSON (see steps.mjs).
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { drive } from "./steps.mjs";

// callTool takes a result schema before the options.
const beforeOptions = [undefined];
await drive("ts1", { Client, StreamableHTTPClientTransport, UnauthorizedError, beforeOptions });
