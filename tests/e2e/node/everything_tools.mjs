// The tools that the conformance suite calls, apart from those of several rounds and tasks.
import { setTimeout as sleep } from "node:timers/promises";
import { fromJsonSchema, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";
import { answer, ask, embedded, IMAGE, text, user, WAV } from "./everything_parts.mjs";

const STEP_MILLISECONDS = 50;

export function registerContentTools(server) {
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

export function registerStreamingTools(server) {
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
export function registerAskingTools(server) {
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
        return answer(
          text(`${prefix}: action=${action}, content=${JSON.stringify(content ?? {})}`),
        );
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

export function registerChangeTools(server, handler) {
  const tool = (name, change) =>
    server.registerTool(name, { description: "Announces a change" }, async () => {
      change(handler().notify);
      return answer(text("announced"));
    });
  tool("test_trigger_tool_change", (notify) => notify.toolsChanged());
  tool("test_trigger_prompt_change", (notify) => notify.promptsChanged());
}
