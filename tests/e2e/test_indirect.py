"""Tools behind tools: FastMCP's tool search, gateways made with the official SDKs, and the calls of
what was found."""

import json

import pytest
from clients import Client
from gate import Gate, Upstream
from processes import Process, wait_for
from tools import sdk_script
from wire import call_message, fetch

INDIRECT = [
    {"tool": "call_tool", "name": "name", "arguments": "arguments"},
    {"tool": "search_tools", "results": "result"},
]
POLICY = {
    "tools": {"gateway": {"read": ["get_*", "search_tools"], "write": ["put_*"]}},
    "rules": [
        {
            "id": "way-in",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": ["gateway"], "tools": ["call_tool"]},
        },
        {
            "id": "read",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": ["gateway"], "classes": ["read"]},
        },
        {
            "id": "write",
            "effect": "allow",
            "who": {"groups": ["writers"]},
            "what": {"servers": ["gateway"], "classes": ["write"]},
        },
        {
            "id": "not-that-one",
            "effect": "deny",
            "what": {"tools": ["get_note"], "arguments": {"id": "locked"}},
        },
    ],
}


@pytest.fixture(scope="module")
def gate(run_dir, key):
    directory = run_dir / "indirect"
    directory.mkdir()
    with Process("gateway", sdk_script("gateway", "fm4", "/mcp"), directory) as server:
        upstream = Upstream("gateway", server.port(), "/mcp", settings={"indirect": INDIRECT})
        with Gate(directory, [upstream], POLICY, key=key) as gate:
            yield gate


@pytest.fixture(params=["py2", "ts2"])
def client(request, gate, run_dir):
    """A client of Alice's, who may read."""
    token = gate.token("gateway", subject="alice", groups=[])
    with Client(request.param, gate.url("gateway"), run_dir, token=token) as client:
        yield client


def found(reply) -> list[list[str]]:
    """The names of the tools in each form of a search's result."""
    result = reply["result"]
    texts = [json.loads(item["text"]) for item in result["content"]]
    structured = result.get("structuredContent") or result.get("structured_content")
    return [[tool["name"] for tool in tools] for tools in [*texts, structured["result"]]]


def test_a_call_inside_a_call_is_decided_by_both(gate, client):
    assert sorted(client.list("tools")) == ["call_tool", "search_tools"]
    got = client.call("call_tool", name="get_note", arguments={"id": "a"})
    assert got.ok and json.loads(got.text) == {"ran": "get_note", "id": "a"}
    for name, arguments, reason in [
        ("get_note", {"id": "locked"}, "denied_by_rule"),
        ("put_note", {"id": "a"}, "no_matching_rule"),
        ("wipe_notes", {}, "no_matching_rule"),
        ("call_tool", {"name": "wipe_notes"}, "inner_call_invalid"),
        ("search_tools", {"pattern": "."}, "inner_call_invalid"),
    ]:
        denied = client.call("call_tool", name=name, arguments=arguments)
        assert denied.denial["reason"] == reason, name
    nothing = client.call("call_tool", arguments={"id": "a"})
    assert nothing.denial["misfit"] == {"at": "/name", "kind": "missing"}
    denied = client.call("wipe_notes")
    assert denied.denial["reason"] == "no_matching_rule"


def test_what_is_found_is_what_may_be_called(gate, client):
    reply = client.call("search_tools", pattern=".*")
    assert reply.ok and found(reply) == [["get_note"], ["get_note"]]
    reply = client.call("search_tools", pattern="wipe")
    assert reply.ok and found(reply) == [[], []]
    wait_for("the audit", lambda: gate.audit(event="list_filtered", subject="alice"))


def test_a_writer_finds_more(gate, run_dir):
    token = gate.token("gateway", subject="bob", groups=["writers"])
    with Client("py2", gate.url("gateway"), run_dir, token=token) as client:
        reply = client.call("search_tools", pattern="note")
        assert [sorted(names) for names in found(reply)] == [["get_note", "put_note"]] * 2
        got = client.call("call_tool", name="put_note", arguments={"id": "a", "text": "t"})
        assert json.loads(got.text)["ran"] == "put_note"
    lines = gate.audit(subject="bob", decision="allow", name="call_tool")
    inner = lines[-1]["inner"]
    assert (inner["name"], inner["class"]) == ("put_note", "write")
    assert inner["arguments"]["names"] == ["id", "text"]


def test_nothing_of_a_hidden_tool_is_let_out(gate):
    token = gate.token("gateway", subject="carol", groups=[])
    got = fetch(gate.url("gateway"), token, call_message("search_tools", pattern="."))
    assert b"get_note" in got.body
    assert b"wipe" not in got.body and b"put_note" not in got.body


@pytest.fixture(scope="module", params=["py1", "py2"])
def several(request, run_dir, key):
    """A client of a gateway to two servers, which an argument tells apart."""
    directory = run_dir / f"several-{request.param}"
    directory.mkdir()
    indirect = [
        {"tool": "find", "results": "result", "server": "server"},
        {"tool": "find_as_text", "results": "tools", "server": "server"},
        {"tool": "invoke", "server": "server", "name": "tool", "arguments": "args"},
    ]
    what = {"servers": ["gateway"], "tools": ["find*", "invoke", "files/get_*"]}
    rule = {"id": "files", "effect": "allow", "who": {"anyone": True}, "what": what}
    script = sdk_script("gateway", request.param, "/mcp")
    with Process("gateway", script, directory) as server:
        upstream = Upstream("gateway", server.port(), "/mcp", settings={"indirect": indirect})
        with Gate(directory, [upstream], {"rules": [rule]}, key=key) as gate:
            token = gate.token("gateway", subject="alice")
            with Client("py2", gate.url("gateway"), run_dir, token=token) as client:
                yield client


def test_a_list_with_a_text_for_each_item_is_filtered(several):
    result = several.call("find")["result"]
    structured = result.get("structuredContent") or result.get("structured_content")
    texts = [json.loads(item["text"]) for item in result["content"]]
    assert texts == structured["result"]
    assert [(tool["server"], tool["name"]) for tool in texts] == [("files", "get_note")]
    result = several.call("find", text="wipe")["result"]
    assert result["content"] == []


def test_a_list_in_a_text_is_filtered(several):
    result = several.call("find_as_text")["result"]
    structured = result.get("structuredContent") or result.get("structured_content")
    texts = [result["content"][0]["text"], structured["result"]]
    for text in texts:
        [tool] = json.loads(text)["tools"]
        assert (tool["server"], tool["name"]) == ("files", "get_note")


def test_a_tool_is_called_of_the_server_that_a_rule_names(several):
    got = several.call("invoke", server="files", tool="get_note", args={"id": "a"})
    assert got.ok and json.loads(got.text) == {"ran": "files/get_note", "args": {"id": "a"}}
    for server, tool, reason in [
        ("vault", "get_note", "no_matching_rule"),
        ("files", "wipe", "no_matching_rule"),
        ("vault", "files/get_note", "no_matching_rule"),
        ("files/x", "get_note", "inner_call_invalid"),
    ]:
        denied = several.call("invoke", server=server, tool=tool)
        assert denied.denial["reason"] == reason, (server, tool)
