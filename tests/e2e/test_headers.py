"""What reaches the server behind: trusted headers, and nothing the client could have made up."""

import json

import pytest
from clients import SERVERS

SPOOFED = {
    "x-mcp-authz-subject": "root",
    "x-mcp-authz-issuer": "https://evil.example",
    "x-mcp-authz-agent": "evil",
    "x-mcp-authz-tenant": "evil",
    "x-mcp-authz-server": "evil",
    "x-mcp-authz-method": "evil",
    "x-mcp-authz-name": "evil",
    "x-mcp-authz-decision-id": "evil",
    "x-mcp-authz-admin": "true",
    "X-MCP-Authz-Groups": "admins",
    "dpop": "evil",
}


@pytest.mark.parametrize("server", SERVERS)
def test_trusted_headers_replace_what_the_client_sent(connect, mint, gate, server):
    with connect("ts1", server, token=mint(server), headers=SPOOFED) as client:
        seen = json.loads(client.call("whoami").text)
    decision_id = seen.pop("x-mcp-authz-decision-id")
    assert decision_id and decision_id != "evil"
    assert {name: value for name, value in seen.items() if name.startswith("x-mcp-authz-")} == {
        "x-mcp-authz-subject": "alice",
        "x-mcp-authz-issuer": gate.issuer,
        "x-mcp-authz-agent": "e2e",
        "x-mcp-authz-server": server,
        "x-mcp-authz-method": "tools/call",
        "x-mcp-authz-name": "whoami",
    }
    assert "authorization" not in seen
    assert "dpop" not in seen
    assert "evil" not in str(seen)
