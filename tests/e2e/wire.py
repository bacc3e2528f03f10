"""MCP by hand, for what the official clients would not send."""

import json
from typing import Any

import httpx

HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}


def call_message(tool: str, /, **arguments: Any) -> dict[str, Any]:
    """A `tools/call` request."""
    return {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


def post(
    http: httpx.Client, url: str, token: str | None, message: dict[str, Any], **headers: str
) -> httpx.Response:
    """One POST. Of the guarded servers ts2 takes any request without a session."""
    named = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        named["authorization"] = f"Bearer {token}"
    return http.post(url, json=message, headers=named)


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC answer in a response, be it JSON or a stream of events."""
    if response.headers["content-type"].startswith("text/event-stream"):
        data = [line[5:] for line in response.text.splitlines() if line.startswith("data:")]
        return json.loads(data[-1])
    return response.json()
