"""`mcp-authz record` against real servers: everything they list, in a form that is a record."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from clients import SERVERS
from processes import Process, free_port, wait_for
from tools import AUTHZ, NODE_DIR, node, sdk_script

NOTES = [
    "announce",
    "create_note",
    "delete_note",
    "get_note",
    "list_notes",
    "size",
    "slow",
    "whoami",
]
# What server-everything shows to clients that can do more.
CONDITIONAL = {
    "elicitation": ["trigger-elicitation-request", "trigger-url-elicitation"],
    "roots": ["get-roots-list"],
    "sampling": ["trigger-sampling-request"],
    "elicitation,sampling,tasks": [
        "trigger-elicitation-request",
        "trigger-elicitation-request-async",
        "trigger-sampling-request",
        "trigger-sampling-request-async",
        "trigger-url-elicitation",
    ],
}


class Ran(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools of a record."""
        assert self.status == 0, self
        return json.loads(self.out)["tools"]

    @property
    def names(self) -> list[str]:
        """The names of the tools of a record."""
        return [tool["name"] for tool in self.tools]


def run(*arguments: str | Path) -> Ran:
    """Runs a command of mcp-authz."""
    argv = [str(argument) for argument in (AUTHZ, *arguments)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def everything(run_dir: Path, transport: str, path: str) -> tuple[Process, str]:
    """server-everything over a transport, and its URL."""
    port = free_port()
    script = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    env = {"PORT": str(port), "PATH": str(NODE_DIR / "bin")}
    process = Process(f"everything-{transport}", node(script, transport), run_dir, env=env)
    return process, f"http://127.0.0.1:{port}/{path}"


def begun(url: str) -> Ran:
    """The record of a server that may not listen yet."""

    def recorded() -> Ran:
        ran = run("record", url)
        assert ran.status == 0, ran
        return ran

    return wait_for(f"a record of {url}", recorded)


@pytest.mark.parametrize("server", SERVERS)
def test_the_record_has_every_tool_of_an_official_sdk(upstreams, own, server):
    upstream = next(one for one in upstreams if one.name == server)
    url = f"http://127.0.0.1:{upstream.port}{upstream.path}"
    first = run("record", url)
    assert first.names == NOTES
    assert first.err.endswith("8 tool(s), by revision 2025-11-25 of the protocol\n")
    by_name = {tool["name"]: tool for tool in first.tools}
    assert by_name["delete_note"]["annotations"]["destructiveHint"] is True
    assert by_name["create_note"]["inputSchema"]["required"] == ["id", "text"]

    # The same server is the same record, byte for byte, and one that is accepted.
    record = own / "tools.json"
    again = run("record", url, "--output", record)
    assert (again.status, again.out) == (0, "")
    assert record.read_text() == first.out
    same = run("classify", record, "--refresh", record)
    assert (same.status, same.out) == (0, f"nothing is otherwise than in `{record}`\n")


def test_a_server_of_fastmcp_is_recorded_in_a_session(own):
    with Process("notes-fm4", sdk_script("notes", "fm4", "/mcp"), own) as process:
        assert begun(f"http://127.0.0.1:{process.port()}/mcp").names == NOTES


def test_a_server_of_the_first_transport_is_recorded_over_its_stream(upstreams):
    old = next(one for one in upstreams if one.name == "old")
    ran = run("record", f"http://127.0.0.1:{old.port}{old.path}/sse")
    assert ran.names == NOTES
    assert "by revision" in ran.err


@pytest.mark.parametrize(("transport", "path"), [("streamableHttp", "mcp"), ("sse", "sse")])
def test_the_record_is_what_clients_with_these_capabilities_see(own, transport, path):
    process, url = everything(own, transport, path)
    with process:
        plain = begun(url).names
        assert "echo" in plain and "get-sum" in plain
        for capabilities, more in CONDITIONAL.items():
            seen = run("record", url, "--capability", capabilities).names
            assert sorted(set(seen) - set(plain)) == more, capabilities
            assert set(plain) <= set(seen)


def test_a_server_without_sessions_is_recorded_without_one(own):
    with Process("modern", node("notes_ts2.mjs", "/mcp", "modern"), own) as process:
        ran = begun(f"http://127.0.0.1:{process.port()}/mcp")
        assert ran.names == NOTES
        assert ran.err.endswith("by revision 2026-07-28 of the protocol\n")


def test_behind_the_gate_the_record_is_its_bearers(own, gate, mint):
    url = gate.url("ts1")
    refused = run("record", url)
    assert refused.status == 2
    assert "http status 401 (the server asks for credentials" in refused.err
    headers = own / "headers"
    token = mint("ts1")
    headers.write_text(f"Authorization: Bearer {token}\n")
    ran = run("record", url, "--headers-file", headers)
    assert ran.names == [name for name in NOTES if name != "delete_note"]
    headers.write_text(f"Authorization: Bearer {token}x\n")
    refused = run("record", url, "--headers-file", headers)
    assert refused.status == 2
    assert "the server says" in refused.err
    assert token not in refused.err
