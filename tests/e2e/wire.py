"""MCP by hand, for what the official clients would not send."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
# The servers that open a session on `initialize`, and want it from then on.
WITH_SESSIONS = ["py1", "py2", "ts1"]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


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


def open_session(http: httpx.Client, url: str, token: str | None) -> str:
    """Opens a session, as a client does, and gives its id."""
    opened = post(http, url, token, INITIALIZE)
    assert opened.status_code == 200, opened.text
    session = opened.headers["mcp-session-id"]
    accepted = post(http, url, token, INITIALIZED, mcp_session_id=session)
    assert accepted.status_code == 202, accepted.text
    return session


def answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC answer in a response, be it JSON or a stream of events."""
    if response.headers["content-type"].startswith("text/event-stream"):
        data = [line[5:] for line in response.text.splitlines() if line.startswith("data:")]
        return json.loads(data[-1])
    return response.json()


def list_message(method: str = "tools/list", **params: Any) -> dict[str, Any]:
    """A request for a list."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


def modern_message(method: str, **params: Any) -> dict[str, Any]:
    """A request of revision 2026-07-28."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": meta} | params}


@dataclass
class Fetched:
    """An answer as it came."""

    status: int | None
    """None if there was no answer."""
    headers: httpx.Headers
    body: bytes
    broken: str | None
    """How it broke off, if it did."""

    @property
    def reason(self) -> str:
        """The reason in an error of mcp-authz."""
        return json.loads(self.body)["error"]["data"]["reason"]


def fetch(
    url: str,
    token: str | None,
    message: dict[str, Any] | None,
    method: str = "POST",
    timeout: float = 10,
    **headers: str,
) -> Fetched:
    """Sends one message and reads what comes, encoded as it comes, to its end."""
    named = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        named["authorization"] = f"Bearer {token}"
    fetched = Fetched(None, httpx.Headers(), b"", None)
    parts = []
    try:
        with httpx.stream(method, url, json=message, headers=named, timeout=timeout) as response:
            fetched.status, fetched.headers = response.status_code, response.headers
            for part in response.iter_raw():
                parts.append(part)
    except httpx.TimeoutException:
        raise
    except httpx.TransportError as error:
        fetched.broken = repr(error)
    fetched.body = b"".join(parts)
    return fetched
