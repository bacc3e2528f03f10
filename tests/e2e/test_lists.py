"""Lists show what their reader may use, and nothing more is said of the rest."""

import json

import httpx
import pytest
from clients import CLIENTS, SERVERS, Client
from wire import (
    WITH_SESSIONS,
    answer,
    call_message,
    list_message,
    modern_message,
    open_session,
    post,
)

MEMBERS = {
    "tools": [
        "announce",
        "create_note",
        "get_note",
        "list_notes",
        "size",
        "slow",
        "whoami",
    ],
    "prompts": ["summarize"],
    "resources": ["note://first"],
    "templates": ["note://by-id/{id}"],
}
GUESTS = {"tools": ["list_notes"], "prompts": [], "resources": [], "templates": []}
LISTS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_two_subjects_are_shown_different_lists(connect, mint, kind, server):
    guest = mint(server, subject="guest", groups=["guests"])
    with connect(kind, server, token=mint(server)) as alice, connect(kind, server, token=guest) as bob:
        assert {what: alice.list(what) for what in MEMBERS} == MEMBERS
        assert {what: bob.list(what) for what in GUESTS} == GUESTS
        # What is shown can be used, and what is not cannot.
        assert alice.get_prompt("summarize", id="first").ok
        assert alice.read_resource("note://first").ok
        assert alice.read_resource("note://by-id/second").ok
        assert not alice.get_prompt("purge").ok
        assert not alice.read_resource("journal://today").ok
        assert not bob.read_resource("note://first").ok
        assert bob.call("list_notes").ok


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_but_the_list_is_changed(gate, upstreams, mint, server):
    upstream = next(one for one in upstreams if one.name == server)
    ways = [(f"http://127.0.0.1:{upstream.port}{upstream.path}", None), (gate.url(server), mint(server))]

    def ask(http, method, url, token):
        session = {}
        if server in WITH_SESSIONS:
            session["mcp_session_id"] = open_session(http, url, token)
        return answer(post(http, url, token, list_message(method), **session))

    with httpx.Client() as http:
        for (method, (member, name)), shown in zip(LISTS.items(), MEMBERS.values(), strict=True):
            straight, through = (ask(http, method, *way) for way in ways)
            items = straight["result"][member]
            straight["result"][member] = [item for item in items if item[name] in shown]
            assert through == straight
            assert len(straight["result"][member]) == len(shown) < len(items)


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("server", ["py2", "ts2"])
def test_a_modern_list_is_private(gate, mint, server, method):
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method}
    with httpx.Client() as http:
        found = post(http, gate.url(server), mint(server), modern_message(method), **headers)
    assert found.status_code == 200, found.text
    assert answer(found)["result"]["cacheScope"] == "private"


def test_lists_of_the_transport_of_2024_11_05_are_filtered(gate, mint, run_dir):
    url = f"{gate.url('old')}/sse"
    refused = gate.metric("responses_refused_total", server="old")
    guest = mint("old", subject="guest", groups=["guests"])
    with (
        Client("py1", url, run_dir, token=mint("old")) as alice,
        Client("py1", url, run_dir, token=guest) as bob,
    ):
        assert {what: alice.list(what) for what in MEMBERS} == MEMBERS
        assert alice.call("get_note", id="first").text == "the first note"
        assert {what: bob.list(what) for what in GUESTS} == GUESTS
    assert gate.metric("responses_refused_total", server="old") == refused


HIDDEN = "delete_note"
NOWHERE = "no_such_tool"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_hidden_tool_is_refused_like_one_that_is_not_there(connect, mint, kind):
    with connect(kind, "quiet", token=mint("quiet")) as client:
        assert HIDDEN not in client.list("tools")
        hidden = client.call(HIDDEN, id="first")
        assert not hidden.ok
        assert hidden == client.call(NOWHERE, id="first")
        assert hidden["error"]["code"] == -32602
        assert client.get_prompt("purge") == client.get_prompt("no_such_prompt")
        assert client.read_resource("journal://today") == client.read_resource("journal://never")
        assert client.call("get_note", id="first").text == "the first note"


@pytest.mark.parametrize("modern", [False, True])
def test_a_hidden_tool_is_refused_byte_for_byte_like_one_that_is_not_there(gate, mint, modern):
    token = mint("quiet")

    def call(name):
        message = call_message(name, id="first")
        headers = {}
        if modern:
            message = modern_message("tools/call", name=name, arguments={"id": "first"})
            headers = {
                "mcp_protocol_version": "2026-07-28",
                "mcp_method": "tools/call",
                "mcp_name": name,
            }
        with httpx.Client() as http:
            got = post(http, gate.url("quiet"), token, message, **headers)
        varying = ("date", "x-envoy-upstream-service-time")
        return got.status_code, [h for h in got.headers.raw if h[0].decode() not in varying], got.content

    hidden = call(HIDDEN)
    assert hidden == call(NOWHERE)
    assert hidden[0] == 200
    assert json.loads(hidden[2]) == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {"code": -32602, "message": "Unknown tool"},
    }
