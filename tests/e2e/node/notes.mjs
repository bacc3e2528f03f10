// What both TypeScript notes servers share: the notes, the tools, and listening on a port the
// kernel chooses. The two SDKs register tools in the same form; where they differ (headers,
// progress, announcements, templates) the server passes functions of the call's context.
import { createServer } from "node:http";
import { z } from "zod";

const notes = new Map([
  ["first", "the first note"],
  ["second", "the second note"],
]);

const text = (value) => ({ content: [{ type: "text", text: value }] });
const reads = { readOnlyHint: true };

export function registerTools(server, { headers, progress, announce, schema, template }) {
  registerPromptsAndResources(server, schema, template);
  const tool = (name, description, shape, annotations, handle) =>
    server.registerTool(name, { description, inputSchema: schema(shape), annotations }, handle);
  tool("list_notes", "Names of all notes.", {}, reads, async () =>
    text(JSON.stringify([...notes.keys()].sort())),
  );
  tool("get_note", "One note's text.", { id: z.string() }, reads, async ({ id }) => {
    if (!notes.has(id)) throw new Error(`no note ${id}`);
    return text(notes.get(id));
  });
  tool(
    "create_note",
    "Stores a note.",
    { id: z.string(), text: z.string() },
    { destructiveHint: false },
    async ({ id, text: body }) => {
      notes.set(id, body);
      return text(id);
    },
  );
  tool("delete_note", "Removes a note.", { id: z.string() }, { destructiveHint: true }, async ({ id }) => {
    notes.delete(id);
    return text(id);
  });
  tool(
    "slow",
    "Reports progress `steps` times, `delay` seconds apart, then answers.",
    { steps: z.number(), delay: z.number().default(0.05) },
    reads,
    async ({ steps, delay }, context) => {
      for (let step = 1; step <= steps; step += 1) {
        await progress(context, step, steps);
        await new Promise((resolve) => setTimeout(resolve, delay * 1000));
      }
      return text(`${steps} steps`);
    },
  );
  tool("size", "The length of `text`.", { text: z.string() }, reads, async ({ text: body }) =>
    text(String(body.length)),
  );
  tool("whoami", "The request headers that reached this server.", {}, reads, async (_, context) =>
    text(JSON.stringify(headers(context))),
  );
  tool("announce", "Sends a notification on the session's standing GET stream.", {}, reads, async (_, context) => {
    await announce(context);
    return text("announced");
  });
}

function registerPromptsAndResources(server, schema, template) {
  const prompt = (name, description, shape, say) =>
    server.registerPrompt(name, { description, argsSchema: schema(shape) }, async (given) => ({
      messages: [{ role: "user", content: { type: "text", text: say(given) } }],
    }));
  prompt("summarize", "Sums a note up.", { id: z.string() }, ({ id }) => `Sum up: ${notes.get(id)}`);
  prompt("purge", "Has everything deleted.", {}, () => "Delete every note.");
  const resource = (name, uri, description, read) =>
    server.registerResource(name, uri, { description }, async ({ href }) => ({
      contents: [{ uri: href, text: read(href) }],
    }));
  resource("first", "note://first", "The first note.", () => notes.get("first"));
  resource("journal", "journal://today", "Who read what.", () => "nobody");
  resource("by_id", template("note://by-id/{id}"), "Any note.", (href) =>
    notes.get(href.split("/").at(-1)),
  );
  resource("journal_of", template("journal://{day}"), "Who read what on a day.", () => "nobody");
}

// Serves `handle` for the path given on the command line, and prints the port.
export function serve(handle) {
  const path = process.argv[2];
  const listener = createServer((request, response) => {
    if (new URL(request.url, "http://localhost").pathname !== path) {
      response.writeHead(404).end();
      return;
    }
    handle(request, response).catch((error) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  listener.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ port: listener.address().port }));
  });
}
