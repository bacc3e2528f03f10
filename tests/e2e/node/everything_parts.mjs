// What the parts of the everything server are made of.
import { createRequestStateCodec, inputRequired } from "@modelcontextprotocol/server";

// One red pixel, and a wave file of one sample.
export const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";
export const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA==";
export const IMAGE = { type: "image", data: PNG, mimeType: "image/png" };
export const stateCodec = createRequestStateCodec({
  key: "a key of these tests, 32 bytes at least",
});

export const text = (value) => ({ type: "text", text: value });
export const answer = (...content) => ({ content });
export const user = (content) => ({ role: "user", content });
export const embedded = (uri, mimeType, value) => ({
  type: "resource",
  resource: { uri, mimeType, text: value },
});
// A form with one required field.
export const ask = (message, field, type = "string") =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: { type } }, required: [field] },
  });
export const askModel = (question, maxTokens) =>
  inputRequired.createMessage({ messages: [user(text(question))], maxTokens });
