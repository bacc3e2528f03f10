// The client of @modelcontextprotocol/client 2.x, driven by lines of JSON (see steps.mjs).
import {
  Client,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from "@modelcontextprotocol/client";
import { drive } from "./steps.mjs";

const sdk = { Client, StreamableHTTPClientTransport, UnauthorizedError, beforeOptions: [] };
await drive("ts2", sdk, ({ mode = "legacy" }) => ({ versionNegotiation: { mode } }));
