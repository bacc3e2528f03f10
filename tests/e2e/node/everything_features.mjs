// What the conformance suite's server scenarios call: each name, text and schema is asked for in the
// description of the scenario that uses it.
import { setTimeout as sleep } from "node:timers/promises";
import {
  acceptedContent,
  completable,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  McpServer,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { memorySkillFiles, SkillsExtension } from "@modelcontextprotocol/server/ext/skills";
import { z } from "zod";
import { registerTaskTools } from "./everything_tasks.mjs";

const STEP_MILLISECONDS = 50;
// One red pixel, and a wave file of one sample.
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA==";
const IMAGE = { type: "image", data: PNG, mimeType: "image/png" };
const stateCodec = createRequestStateCodec({ key: "a key of these tests, 32 bytes at least" });

const text = (value) => ({ type: "text", text: value });
const answer = (...content) => ({ content });
const user = (content) => ({ role: "user", content });
const embedded = (uri, mimeType, value) => ({
  type: "resource",
  resource: { uri, mimeType, text: value },
});
// A form with one required field.
const ask = (message, field, type = "string") =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: { type } }, required: [field] },
  });
const askModel = (question, maxTokens) =>
  inputRequired.createMessage({ messages: [user(text(question))], maxTokens });

function registerContentTools(server) {
  const fixed = (name, description, ...content) =>
    server.registerTool(name, { description }, async () => answer(...content));
  fixed("test_simple_text", "Text", text("This is a simple text response for testing."));
  fixed("test_image_content", "An image", IMAGE);
  fixed("test_audio_content", "A sound", { type: "audio", data: WAV, mimeType: "audio/wav" });
  fixed(
    "test_embedded_resource",
    "A resource",
    embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
  );
  fixed(
    "test_multiple_content_types",
    "Text, an image and a resource",
    text("Multiple content types test:"),
    IMAGE,
    embedded(
      "test://mixed-content-resource",
      "application/json",
      JSON.stringify({ test: "data", value: 123 }),
    ),
  );
  server.registerTool("test_error_handling", { description: "Always fails" }, async () => {
    throw new Error("This tool intentionally returns an error for testing");
  });
  server.registerTool(
    "json_schema_2020_12_tool",
    {
      description: "Has an input schema of many keywords",
      inputSchema: fromJsonSchema({
        $schema: "https://json-schema.org/draft/2020-12/schema",
        type: "object",
        $defs: {
          address: {
            $anchor: "addressDef",
            type: "object",
            properties: { street: { type: "string" }, city: { type: "string" } },
          },
        },
        properties: {
          name: { type: "string" },
          address: { $ref: "#/$defs/address" },
          contactMethod: { type: "string", enum: ["phone", "email"] },
          phone: { type: "string" },
          email: { type: "string" },
        },
        allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
        if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
        then: { required: ["phone"] },
        else: { required: ["email"] },
        additionalProperties: false,
      }),
    },
    async (given) => answer(text(JSON.stringify(given))),
  );
  server.registerTool(
    "test_custom_header",
    {
      description: "Has a parameter that is sent as a header too",
      inputSchema: fromJsonSchema({
        type: "object",
        properties: { region: { type: "string", "x-mcp-header": "Region" } },
        required: ["region"],
      }),
    },
    async ({ region }) => answer(text(region)),
  );
}

function registerStreamingTools(server) {
  server.registerTool(
    "test_tool_with_logging",
    { description: "Logs three times" },
    async (context) => {
      await context.mcpReq.log("info", "Tool execution started");
      await sleep(STEP_MILLISECONDS);
      await context.mcpReq.log("info", "Tool processing data");
      await sleep(STEP_MILLISECONDS);
      await context.mcpReq.log("info", "Tool execution completed");
      return answer(text("logged three times"));
    },
  );
  server.registerTool("test_logging_tool", { description: "Logs once" }, async (context) => {
    await context.mcpReq.log("info", "logged");
    return answer(text("logged if it was asked for"));
  });
  server.registerTool(
    "test_tool_with_progress",
    { description: "Reports progress" },
    async (context) => {
      const progressToken = context.mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progress > 0) await sleep(STEP_MILLISECONDS);
        if (progressToken === undefined) continue;
        await context.mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100 },
        });
      }
      return answer(text("done"));
    },
  );
  server.registerTool(
    "test_reconnection",
    { description: "Closes its stream before it answers" },
    async (context) => {
      context.http?.closeSSE?.();
      await sleep(2 * STEP_MILLISECONDS);
      return answer(text("answered after the stream was closed"));
    },
  );
  server.registerTool(
    "test_streaming_elicitation",
    { description: "Needs input, and says so in a stream" },
    async () => inputRequired({ inputRequests: { confirm: ask("Go on?", "ok", "boolean") } }),
  );
}

// They ask in the stream of the call itself. `requestSampling` and `elicitInput` of the SDK ask in
// the standing stream, and what they ask is lost if the client has not opened it yet.
function registerAskingTools(server) {
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const result = await context.mcpReq.send({
        method: "sampling/createMessage",
        params: { messages: [user(text(prompt))], maxTokens: 100 },
      });
      return answer(text(`LLM response: ${result.content.text}`));
    },
  );
  const asking = (name, description, requestedSchema, prefix) =>
    server.registerTool(
      name,
      { description, inputSchema: z.object({ message: z.string().default("Please fill in") }) },
      async ({ message }, context) => {
        const { action, content } = await context.mcpReq.send({
          method: "elicitation/create",
          params: { message, requestedSchema },
        });
        return answer(text(`${prefix}: action=${action}, content=${JSON.stringify(content ?? {})}`));
      },
    );
  const string = (description) => ({ type: "string", description });
  asking(
    "test_elicitation",
    "Asks the user",
    {
      type: "object",
      properties: { username: string("User's response"), email: string("User's email address") },
      required: ["username", "email"],
    },
    "User response",
  );
  asking(
    "test_elicitation_sep1034_defaults",
    "Asks the user, with defaults",
    {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      },
    },
    "Elicitation completed",
  );
  const options = ["option1", "option2", "option3"];
  const titled = (what) =>
    ["First", "Second", "Third"].map((nth, index) => ({
      const: `value${index + 1}`,
      title: `${nth} ${what}`,
    }));
  asking(
    "test_elicitation_sep1330_enums",
    "Asks the user to choose",
    {
      type: "object",
      properties: {
        untitledSingle: { type: "string", enum: options },
        titledSingle: { type: "string", oneOf: titled("Option") },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { type: "array", items: { type: "string", enum: options } },
        titledMulti: { type: "array", items: { anyOf: titled("Choice") } },
      },
    },
    "Elicitation completed",
  );
}

// Tools that need several rounds (SEP-2322): each answers once it has what it asked for.
function registerRoundTools(server) {
  const tool = (name, description, run) =>
    server.registerTool(name, { description }, (context) => run(context.mcpReq));
  const askName = () => ({ user_name: ask("What is your name?", "name") });

  tool("test_input_required_result_elicitation", "Asks for a name", async (request) => {
    const name = acceptedContent(request.inputResponses, "user_name")?.name;
    if (name === undefined) return inputRequired({ inputRequests: askName() });
    return answer(text(`Hello, ${name}!`));
  });
  tool("test_input_required_result_sampling", "Asks the model", async (request) => {
    const reply = request.inputResponses?.capital_question;
    if (reply !== undefined) return answer(text(JSON.stringify(reply)));
    const capital_question = askModel("What is the capital of France?", 100);
    return inputRequired({ inputRequests: { capital_question } });
  });
  tool("test_input_required_result_list_roots", "Asks for the roots", async (request) => {
    const reply = request.inputResponses?.client_roots;
    if (reply !== undefined) return answer(text(JSON.stringify(reply)));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  for (const name of ["request_state", "tampered_state"]) {
    tool(`test_input_required_result_${name}`, "Keeps its state", async (request) => {
      const confirmed = acceptedContent(request.inputResponses, "confirm");
      if (confirmed !== undefined && request.requestState() === name) {
        return answer(text("state-ok"));
      }
      return inputRequired({
        inputRequests: { confirm: ask("Please confirm", "ok", "boolean") },
        requestState: await stateCodec.mint(name),
      });
    });
  }
  tool("test_input_required_result_multiple_inputs", "Asks everybody", async (request) => {
    const inputRequests = {
      ...askName(),
      greeting: askModel("Generate a greeting", 50),
      client_roots: inputRequired.listRoots(),
    };
    if (Object.keys(inputRequests).every((key) => request.inputResponses?.[key] !== undefined)) {
      return answer(text("all answered"));
    }
    return inputRequired({ inputRequests, requestState: await stateCodec.mint("asked") });
  });
  tool("test_input_required_result_multi_round", "Asks twice", async (request) => {
    const state = request.requestState();
    const name = acceptedContent(request.inputResponses, "step1")?.name;
    const color = acceptedContent(request.inputResponses, "step2")?.color;
    if (state?.name !== undefined && color !== undefined) {
      return answer(text(`${state.name} likes ${color}`));
    }
    if (name !== undefined) {
      return inputRequired({
        inputRequests: { step2: ask("Step 2: What is your favorite color?", "color") },
        requestState: await stateCodec.mint({ name }),
      });
    }
    return inputRequired({
      inputRequests: { step1: ask("Step 1: What is your name?", "name") },
      requestState: await stateCodec.mint({}),
    });
  });
  tool("test_input_required_result_capabilities", "Asks whom it may", async (request) => {
    const can = request.envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? {};
    const inputRequests = {
      ...(can.elicitation && askName()),
      ...(can.sampling && { question: askModel("What is the capital of France?", 100) }),
      ...(can.roots && { client_roots: inputRequired.listRoots() }),
    };
    if (Object.keys(inputRequests).length === 0) return answer(text("nobody to ask"));
    return inputRequired({ inputRequests });
  });
  // The SDK refuses to ask a client that does not declare that it has a model.
  tool("test_missing_capability", "Asks the model whether it may or not", async () =>
    inputRequired({ inputRequests: { question: askModel("Are you there?", 10) } }),
  );
}

function registerChangeTools(server, handler) {
  const tool = (name, change) =>
    server.registerTool(name, { description: "Announces a change" }, async () => {
      change(handler().notify);
      return answer(text("announced"));
    });
  tool("test_trigger_tool_change", (notify) => notify.toolsChanged());
  tool("test_trigger_prompt_change", (notify) => notify.promptsChanged());
}

function registerResources(server) {
  const fixed = (name, mimeType, content) => {
    const uri = `test://${name}`;
    server.registerResource(name, uri, { description: name, mimeType }, async () => ({
      contents: [{ uri, mimeType, ...content }],
    }));
  };
  fixed("static-text", "text/plain", { text: "This is the content of the static text resource." });
  fixed("static-binary", "image/png", { blob: PNG });
  fixed("watched-resource", "text/plain", { text: "watched" });
  const mimeType = "application/json";
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { description: "data of an id", mimeType },
    async (uri, { id }) => {
      const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
      return { contents: [{ uri: uri.href, mimeType, text: data }] };
    },
  );
  const subscribed = new Set();
  server.server.setRequestHandler("resources/subscribe", async ({ params }) => {
    subscribed.add(params.uri);
    return {};
  });
  server.server.setRequestHandler("resources/unsubscribe", async ({ params }) => {
    subscribed.delete(params.uri);
    return {};
  });
}

function registerPrompts(server) {
  const prompt = (name, argsSchema, messages) =>
    server.registerPrompt(name, { description: name, argsSchema }, async (given) => ({
      messages: messages(given).map(user),
    }));
  prompt("test_simple_prompt", undefined, () => [text("This is a simple prompt for testing.")]);
  const completed = completable(z.string(), (value) =>
    ["paris", "park", "party"].filter((one) => one.startsWith(value)),
  );
  prompt("test_prompt_with_arguments", z.object({ arg1: completed, arg2: z.string() }), (given) => [
    text(`Prompt with arguments: arg1='${given.arg1}', arg2='${given.arg2}'`),
  ]);
  prompt("test_prompt_with_embedded_resource", z.object({ resourceUri: z.string() }), (given) => [
    embedded(given.resourceUri, "text/plain", "Embedded resource content for testing."),
    text("Please process the embedded resource above."),
  ]);
  prompt("test_prompt_with_image", undefined, () => [IMAGE, text("Please analyze the image above.")]);
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "Asks for its context" },
    async (context) => {
      const given = acceptedContent(context.mcpReq.inputResponses, "user_context");
      if (given !== undefined) return { messages: [user(text(`Context: ${given.context}`))] };
      const user_context = ask("What context should the prompt use?", "context");
      return inputRequired({ inputRequests: { user_context } });
    },
  );
}

const skills = await SkillsExtension.load(
  memorySkillFiles({
    "greeting/SKILL.md": "---\nname: greeting\ndescription: Greets people.\n---\nSay hello.\n",
    "greeting/references/WORDS.md": "Hello, good day.\n",
  }),
);

// A server with everything; `handler` gives the handler whose subscriptions hear of changes.
export function createEverything(handler) {
  const server = new McpServer(
    { name: "everything", version: "1.0.0" },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        completions: {},
        extensions: { "io.modelcontextprotocol/tasks": {} },
      },
      requestState: { verify: stateCodec.verify },
    },
  );
  registerContentTools(server);
  registerStreamingTools(server);
  registerAskingTools(server);
  registerRoundTools(server);
  registerChangeTools(server, handler);
  registerTaskTools(server);
  registerResources(server);
  registerPrompts(server);
  skills.attach(server);
  return server;
}
