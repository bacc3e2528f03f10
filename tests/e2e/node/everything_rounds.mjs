// Tools that need several rounds (SEP-2322): each answers once it has what it asked for.
import { acceptedContent, inputRequired } from "@modelcontextprotocol/server";
import { answer, ask, askModel, stateCodec, text } from "./everything_parts.mjs";

export function registerRoundTools(server) {
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
