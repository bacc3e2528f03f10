"""Flow rules count what was done before, also what was done outside of every session."""

import json
import os
from typing import Any

import httpx
import pytest
from gate import Gate, Upstream
from processes import wait_for
from scripted import Connection, answer, compact, result, scripted
from wire import call_message, modern_message, open_session, post

POLICY = {
    "rules": [
        {
            "id": "members",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": ["mail"]},
        },
        {
            "id": "flow",
            "effect": "deny",
            "what": {"servers": ["mail"], "tools": ["send_mail"]},
            "why": {
                "calls": {
                    "of": {"tools": ["read_page"]},
                    "more_than": 0,
                    "per": "1h",
                    "by": ["session"],
                }
            },
            "message": "You have read the web.",
        },
    ],
}
INITIALIZED = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "both", "version": "1"},
}


def speaks_both(connection: Connection) -> None:
    """A server that answers with and without a session."""
    message = json.loads(connection.request.body)
    if "id" not in message:
        connection.send(answer(b"", None, status="202 Accepted"))
    elif message["method"] == "initialize":
        opened = compact({"jsonrpc": "2.0", "id": message["id"], "result": INITIALIZED})
        session = f"mcp-session-id: {os.urandom(8).hex()}"
        connection.send(answer(opened, "application/json", session))
    else:
        text = [{"type": "text", "text": "ran"}]
        connection.send(answer(result(message["id"], content=text)))


@pytest.fixture(scope="module")
def gate(run_dir, key):
    with scripted() as upstream:
        upstream.does(speaks_both)
        mail = Upstream("mail", upstream.port, "/mcp")
        with Gate(run_dir / "flow", [mail], POLICY, key=key) as gate:
            yield gate


READ = call_message("read_page")
SEND = call_message("send_mail")
MODERN = modern_message("tools/call", name="read_page", arguments={})
MODERN_HEADERS = {
    "mcp_protocol_version": "2026-07-28",
    "mcp_method": "tools/call",
    "mcp_name": "read_page",
}


def text(response: httpx.Response) -> str:
    """What the client is told of a call."""
    told: dict[str, Any] = response.json()["result"]
    return told["content"][0]["text"]


@pytest.mark.parametrize("how", ["without a session", "modern", "modern with the header"])
def test_a_read_outside_of_every_session_counts_in_each(gate, how):
    subject = how.replace(" ", "-")
    token = gate.token("mail", subject=subject)
    url = gate.url("mail")
    with httpx.Client() as http:
        session = open_session(http, url, token)
        assert text(post(http, url, token, SEND, mcp_session_id=session)) == "ran"
        if how == "without a session":
            read = post(http, url, token, READ)
        else:
            carried = {"mcp_session_id": session} if how == "modern with the header" else {}
            read = post(http, url, token, MODERN, **MODERN_HEADERS, **carried)
        assert text(read) == "ran", read.text
        for used in (session, open_session(http, url, token)):
            denied = text(post(http, url, token, SEND, mcp_session_id=used))
            assert "(indeterminate)" in denied
            assert "You have read" not in denied
        other = gate.token("mail", subject=f"not-{subject}")
        session = open_session(http, url, other)
        assert text(post(http, url, other, SEND, mcp_session_id=session)) == "ran"

    def told() -> list[str | None]:
        records = gate.audit(subject=subject, reason="indeterminate")
        return [record.get("detail") for record in records]

    expected = ["flow: whether some of the calls count is not known"] * 2
    wait_for("the records", lambda: told() == expected)
