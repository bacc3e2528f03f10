// What both TypeScript servers under attack share: tools and resources that tell what ran.
// Each answers with JSON text: what ran, and the values that its handler received. A tool takes one
// argument in one of the ways in which servers declare it, so some convert what they are sent.
import Ajv from "ajv";
import { z } from "zod";

export const LEAVES = "leaf://{dir}/{name}";
const EXACT = {
  secret: "note://secret/x",
  pub: "note://pub/x",
  intra: "https://intra.corp/x",
  open: "https://pub.corp/x",
  local: "http://127.0.0.1/admin",
  passwd: "file:///etc/passwd",
  readme: "file:///pub/readme",
  blank: "doc://top/a%20b",
  cafe: "doc://top/caf%C3%A9",
};
const TEMPLATES = {
  leaf: LEAVES,
  item: "item://{id}",
  web: "https://{host}/{name}",
  tree: "tree://root/{+path}",
  logs: "logs://api{?level}",
};

const asJson = (value) => {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
};
const lower = (value) => (typeof value === "string" ? value.trim().toLowerCase() : value);
const options = z.object({ force: z.boolean().optional(), owner: z.string().optional(), n: z.number().optional() });
const coerced = z.object({
  force: z.coerce.boolean().optional(),
  owner: z.coerce.string().optional(),
  n: z.coerce.number().optional(),
});

const ajv = new Ajv({ coerceTypes: "array" });

// What a handler gets that has its arguments checked, and converted, by a JSON Schema.
const bySchema = (schema) => {
  const check = ajv.compile({ type: "object", properties: { value: schema }, required: ["value"] });
  return z.any().transform((value, context) => {
    const converted = { value };
    if (check(converted)) return converted.value;
    context.addIssue({ code: "custom", message: "refused by the schema" });
    return z.NEVER;
  });
};

// One shape for each way to declare an argument.
const TOOLS = {
  flag: { force: z.boolean() },
  flag_coerce: { force: z.coerce.boolean() },
  flag_words: { force: z.stringbool() },
  flag_lower: { force: z.preprocess((value) => lower(value) === "true" || value === true, z.boolean()) },
  flag_json: { force: z.preprocess(asJson, z.boolean()) },
  flag_schema: { force: bySchema({ type: "boolean" }) },
  flag_any: { force: z.any() },
  level: { n: z.number() },
  level_coerce: { n: z.coerce.number() },
  level_schema: { n: bySchema({ type: "integer" }) },
  level_parsed: {
    n: z.preprocess((value) => (Array.isArray(value) ? value : Number.parseInt(value, 10)), z.number()),
  },
  owner: { owner: z.string() },
  owner_coerce: { owner: z.coerce.string() },
  owner_lower: { owner: z.string().trim().toLowerCase() },
  owner_composed: { owner: z.string().transform((text) => text.normalize("NFKC")) },
  owner_schema: { owner: bySchema({ type: "string" }) },
  owner_enum: { owner: z.enum(["root", "guest"]) },
  tags: { tags: z.array(z.string()) },
  tags_json: { tags: z.preprocess(asJson, z.array(z.string())) },
  tags_wrapped: { tags: z.preprocess((value) => (Array.isArray(value) ? value : [value]), z.array(z.string())) },
  tags_schema: { tags: bySchema({ type: "array", items: { type: "string" } }) },
  tags_split: {
    tags: z.preprocess(
      (value) => (typeof value === "string" ? value.split(",").map((part) => part.trim()) : value),
      z.array(z.string()),
    ),
  },
  ids: { ids: z.array(z.number()) },
  ids_schema: { ids: bySchema({ type: "array", items: { type: "number" } }) },
  ids_coerce: { ids: z.array(z.coerce.number()) },
  day: { day: z.coerce.date().transform((moment) => moment.toISOString().slice(0, 10)) },
  options: { opts: options },
  options_coerce: { opts: coerced },
  options_json: { opts: z.preprocess(asJson, options) },
  rows: { rows: z.array(options) },
  rows_coerce: { rows: z.array(coerced) },
};
for (let step = 0; step < 20; step += 1) TOOLS[`step_${step}`] = {};

const tell = (ran, got = {}) => JSON.stringify({ ran, got });

// `schema` makes of a shape what this SDK wants; `template` makes a template with its completion.
export function register(server, { schema, template }) {
  for (const [name, shape] of Object.entries(TOOLS)) {
    server.registerTool(name, { description: name, inputSchema: schema(shape) }, async (got) => ({
      content: [{ type: "text", text: tell(name, got) }],
    }));
  }
  const ask = (name, shape) =>
    server.registerPrompt(name, { argsSchema: schema(shape) }, (got) => ({
      messages: [{ role: "user", content: { type: "text", text: tell(name, got) } }],
    }));
  ask("ask_owner", { owner: z.string() });
  ask("ask_owner_lower", { owner: z.string().trim().toLowerCase() });
  const contents = (href, text) => ({ contents: [{ uri: href, text }] });
  for (const [name, uri] of Object.entries(EXACT)) {
    server.registerResource(name, uri, {}, async ({ href }) => contents(href, tell(name)));
  }
  for (const [name, uri] of Object.entries(TEMPLATES)) {
    const complete = (argument) => (value, context) => [tell("complete", { argument, value, known: context?.arguments ?? {} })];
    const completions = name === "leaf" ? { dir: complete("dir"), name: complete("name") } : undefined;
    server.registerResource(name, template(uri, completions), {}, async ({ href }, got) => contents(href, tell(name, got)));
  }
}

// What a handler of subscriptions answers: the resource as a URL parser has it.
export function subscribed({ params }) {
  return { _meta: { told: tell("subscribe", { uri: new URL(params.uri).href }) } };
}
