// The tasks extension (SEP-2663), which the SDK does not have: answered here, before the SDK, when
// the client declares it. Without it, task tools answer at once.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { acceptedContent, inputRequired } from "@modelcontextprotocol/server";
import { z } from "zod";

const EXTENSION = "io.modelcontextprotocol/tasks";
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const TTL_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 100;
const FAIL_MILLISECONDS = 100;
const HEADER_MISMATCH = -32020;
const MISSING_CAPABILITY = -32021;
const INVALID_PARAMS = -32602;

const tasks = new Map();
const text = (value) => ({ content: [{ type: "text", text: value }] });
const form = (message, field, type) => ({
  method: "elicitation/create",
  params: {
    message,
    requestedSchema: { type: "object", properties: { [field]: { type } }, required: [field] },
  },
});
const confirmation = form("Delete it?", "confirm", "boolean");

// What a task of each tool does: `work` gives the tool's result, `needs` what to ask for before.
const TOOLS = {
  slow_compute: {
    work: async ({ seconds = 0, label = "" }, signal) => {
      await sleep(seconds * 1000, undefined, { signal });
      return text(`computed ${label}`);
    },
  },
  failing_job: {
    required: true,
    work: async () => {
      await sleep(FAIL_MILLISECONDS);
      return { ...text("the job failed"), isError: true };
    },
  },
  protocol_error_job: {
    work: async () => {
      throw new Error("the job broke");
    },
  },
  confirm_delete: { needs: () => ({ confirm: confirmation }), work: async () => text("deleted") },
  multi_input: {
    needs: () => ({ name: form("Your name?", "name", "string"), confirm: confirmation }),
    work: async () => text("both answered"),
  },
  test_tool_with_task: {
    // Asks as any tool does, and becomes a task with the answer.
    ready: (params) => acceptedContent(params.inputResponses, "user_name") !== undefined,
    work: async (_given, _signal, params) =>
      text(`Hello, ${acceptedContent(params.inputResponses, "user_name").name}!`),
  },
};

// The tools as they are without the extension.
export function registerTaskTools(server) {
  const tool = (name, shape, run) =>
    server.registerTool(name, { description: `Task: ${name}`, inputSchema: z.object(shape) }, run);
  tool("greet", { name: z.string() }, async ({ name }) => text(`Hello, ${name}!`));
  const { slow_compute, failing_job } = TOOLS;
  tool("slow_compute", { seconds: z.number(), label: z.string() }, (given) =>
    slow_compute.work(given),
  );
  tool("failing_job", {}, () => failing_job.work());
  tool("protocol_error_job", {}, TOOLS.protocol_error_job.work);
  tool("confirm_delete", { filename: z.string() }, TOOLS.confirm_delete.work);
  tool("multi_input", {}, TOOLS.multi_input.work);
  tool("test_tool_with_task", {}, async () =>
    inputRequired({ inputRequests: { user_name: form("What is your name?", "name", "string") } }),
  );
}

function settle(task, status, outcome = {}) {
  if (!["working", "input_required"].includes(task.status)) return;
  Object.assign(task, outcome, { status, lastUpdatedAt: new Date().toISOString() });
}

function work(task) {
  settle(task, "working");
  task.tool.work(task.given, task.abort.signal, task.params).then(
    (result) => settle(task, "completed", { result: { ...result, resultType: "complete" } }),
    (error) => settle(task, "failed", { error: { code: -32603, message: error.message } }),
  );
}

function create(tool, params) {
  const now = new Date().toISOString();
  const task = {
    taskId: randomUUID(),
    status: "working",
    createdAt: now,
    lastUpdatedAt: now,
    tool,
    params,
    given: params.arguments ?? {},
    abort: new AbortController(),
    inputRequests: tool.needs?.(),
  };
  tasks.set(task.taskId, task);
  if (task.inputRequests === undefined) work(task);
  else settle(task, "input_required");
  return { resultType: "task", ...seed(task) };
}

function seed({ taskId, status, createdAt, lastUpdatedAt }) {
  return {
    taskId,
    status,
    createdAt,
    lastUpdatedAt,
    ttlMs: TTL_MILLISECONDS,
    pollIntervalMs: POLL_MILLISECONDS,
  };
}

const METHODS = {
  "tasks/get": (task) => ({
    resultType: "complete",
    ...seed(task),
    ...(task.status === "input_required" && { inputRequests: task.inputRequests }),
    ...(task.status === "completed" && { result: task.result }),
    ...(task.status === "failed" && { error: task.error }),
  }),
  "tasks/cancel": (task) => {
    settle(task, "cancelled");
    task.abort.abort();
    return { resultType: "complete" };
  },
  "tasks/update": (task, { inputResponses = {} }) => {
    for (const key of Object.keys(inputResponses)) delete task.inputRequests?.[key];
    const waits = task.status === "input_required";
    if (waits && Object.keys(task.inputRequests).length === 0) work(task);
    return { resultType: "complete" };
  },
};

// Answers a request of the extension; false for every other one, which is the SDK's.
export function serveTask(request, response, body) {
  const { method, params = {} } = body ?? {};
  const answer = (status, outcome) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id: body.id, ...outcome }));
    return true;
  };
  const fail = (code, message, data) => answer(400, { error: { code, message, data } });
  const declared = params._meta?.[CAPABILITIES]?.extensions?.[EXTENSION] !== undefined;
  const undeclared = () =>
    fail(MISSING_CAPABILITY, "Missing required client capability", {
      requiredCapabilities: { extensions: { [EXTENSION]: {} } },
    });
  const named = (name) =>
    request.headers["mcp-method"] === method && request.headers["mcp-name"] === name;

  if (method === "tools/call" && Object.hasOwn(TOOLS, params.name)) {
    const tool = TOOLS[params.name];
    // The SDK refuses headers that disagree.
    if (!named(params.name) || !(tool.ready?.(params) ?? true)) return false;
    if (declared) return answer(200, { result: create(tool, params) });
    return tool.required ? undeclared() : false;
  }
  if (!Object.hasOwn(METHODS, method)) return false;
  if (!named(params.taskId)) return fail(HEADER_MISMATCH, "Header mismatch");
  if (!declared) return undeclared();
  const task = tasks.get(params.taskId);
  if (task === undefined) return fail(INVALID_PARAMS, "Unknown task");
  return answer(200, { result: METHODS[method](task, params) });
}
