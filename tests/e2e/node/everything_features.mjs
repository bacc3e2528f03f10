// What the conformance suite's server scenarios use: each name, text and schema is asked for in the
// description of the scenario that uses it.
import {
  acceptedContent,
  completable,
  inputRequired,
  McpServer,
  ResourceTemplate,
} from "@modelcontextprotocol/server";
import { memorySkillFiles, SkillsExtension } from "@modelcontextprotocol/server/ext/skills";
import { z } from "zod";
import { ask, embedded, IMAGE, PNG, stateCodec, text, user } from "./everything_parts.mjs";
import { registerRoundTools } from "./everything_rounds.mjs";
import { registerTaskTools } from "./everything_tasks.mjs";
import {
  registerAskingTools,
  registerChangeTools,
  registerContentTools,
  registerStreamingTools,
} from "./everything_tools.mjs";

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
  prompt("test_prompt_with_image", undefined, () => [
    IMAGE,
    text("Please analyze the image above."),
  ]);
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
