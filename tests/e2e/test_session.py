"""A session of each official client with each official server: list, allow, deny, go on."""

import json
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest
from clients import CLIENTS, SERVERS, Client
from gate import Gate
from policies import POLICY
from processes import wait_for
from wire import (
    HEADERS,
    INITIALIZE,
    INITIALIZED,
    WITH_SESSIONS,
    answer,
    call_message,
    open_session,
    post,
)

# Those that know no other than sessions.
LEGACY_SERVERS = ["py1", "ts1"]
TOOLS = [
    "announce",
    "create_note",
    "get_note",
    "list_notes",
    "size",
    "slow",
    "whoami",
]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_a_denied_call_leaves_the_session_usable(connect, mint, kind, server):
    with connect(kind, server, token=mint(server)) as client:
        assert client.connected.ok, client.connected
        assert client.connected["result"]["server"] == f"notes-{server}"
        assert client.list("tools") == TOOLS
        assert client.call("get_note", id="first").text == "the first note"

        denied = client.call("delete_note", id="first")
        assert denied.denial["reason"] == "denied_by_rule"
        assert denied.denial["decision_id"]
        assert "denied_by_rule" in denied.text

        assert client.call("get_note", id="first").text == "the first note"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_call_that_no_rule_allows_is_denied_with_its_own_reason(connect, mint, kind):
    with connect(kind, "ts2", token=mint("ts2", subject="guest", groups=["guests"])) as client:
        assert client.connected.ok, client.connected
        assert client.call("get_note", id="first").denial["reason"] == "no_matching_rule"
        assert "first" in client.call("list_notes").text


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_denial_as_a_json_rpc_error_reaches_the_client_as_one(connect, mint, kind):
    server = "jsonrpc-error"
    with connect(kind, server, token=mint(server)) as client:
        assert client.connected.ok, client.connected
        denied = client.call("delete_note", id="first")
        assert not denied.ok
        assert denied["error"]["code"] == 403
        assert denied.denial["reason"] == "denied_by_rule"
        assert client.call("get_note", id="first").text == "the first note"


# What each client makes of a plain HTTP 403: its own error, or the body's, or its end.
@pytest.mark.parametrize(
    ("kind", "survives", "code"),
    [
        ("py1", False, None),
        ("py2", True, 403),
        ("ts1", True, 403),
        ("ts2", True, "CLIENT_HTTP_NOT_IMPLEMENTED"),
        ("ts2-modern", True, "CLIENT_HTTP_NOT_IMPLEMENTED"),
    ],
)
def test_a_denial_as_http_403_is_what_its_configuration_says(connect, mint, kind, survives, code):
    server = "http-403"
    with connect(kind, server, token=mint(server)) as client:
        assert client.connected.ok, client.connected
        denied = client.call("delete_note", id="first")
        assert not denied.ok
        assert denied["error"]["code"] == code
        assert denied.get("dead", False) is not survives
        if survives:
            assert "denied_by_rule" in str(denied["error"])
            assert client.call("get_note", id="first").text == "the first note"


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_subject_whom_no_rule_serves_cannot_connect(connect, mint, kind):
    with connect(kind, "ts2", token=mint("ts2", subject="stranger", groups=[])) as client:
        assert not client.connected.ok
        assert client.connected["dead"]


# What each client makes of a challenge when it has a token but no OAuth.
@pytest.mark.parametrize(
    ("kind", "survives", "told"),
    [
        ("py1", False, ""),
        ("py2", True, "insufficient_scope"),
        ("ts1", True, "insufficient_scope"),
        ("ts2", True, "notes:write"),
        ("ts2-modern", True, "notes:write"),
    ],
)
def test_a_missing_scope_is_a_challenge(connect, mint, kind, survives, told):
    with connect(kind, "ts2", token=mint("ts2")) as client:
        assert client.connected.ok, client.connected
        challenged = client.call("create_note", id="third", text="…")
        assert not challenged.ok
        assert told in str(challenged["error"])
        assert challenged.get("dead", False) is not survives
        if survives:
            assert client.call("get_note", id="first").text == "the first note"


@pytest.mark.parametrize("kind", CLIENTS)
def test_with_the_scope_the_same_call_passes(connect, mint, kind):
    token = mint("ts2", scope="notes:read notes:write")
    with connect(kind, "ts2", token=token) as client:
        created = client.call("create_note", id=f"by-{kind}", text="written")
        assert created.ok, created
        assert client.call("get_note", id=f"by-{kind}").text == "written"


@pytest.mark.parametrize("server", LEGACY_SERVERS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_a_session_is_its_subjects_alone(connect, gate, mint, kind, server):
    url, bob = gate.url(server), mint(server, subject="bob")
    with connect(kind, server, token=mint(server)) as alice, httpx.Client() as http:
        session = json.loads(alice.call("whoami").text)["mcp-session-id"]

        denied = post(http, url, bob, call_message("list_notes"), mcp_session_id=session)
        assert denied.status_code == 404
        assert denied.json()["error"]["data"]["reason"] == "session_mismatch"
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        assert post(http, url, bob, cancelled, mcp_session_id=session).status_code == 404
        used = {"authorization": f"Bearer {bob}", "mcp-session-id": session}
        for method in ("GET", "DELETE"):
            refused = http.request(method, url, headers=HEADERS | used)
            assert refused.status_code == 404
            assert refused.json()["error"]["data"]["reason"] == "session_mismatch"
        # The revision without sessions: whatever the server makes of it, it sees no session.
        modern = used | {"mcp-protocol-version": "2026-07-28"}
        assert http.delete(url, headers=HEADERS | modern).status_code >= 400
        with connect(kind, server, token=bob, headers={"mcp-session-id": session}) as thief:
            # ts2 does not let its caller say this header, and so has a session of its own.
            assert thief.connected.ok is kind.startswith("ts2"), thief.connected
            if thief.connected.ok:
                assert json.loads(thief.call("whoami").text)["mcp-session-id"] != session

        assert alice.call("get_note", id="first").text == "the first note"
        # Another token of the same subject goes on with it.
        message = call_message("get_note", id="first")
        refreshed = post(http, url, mint(server, jti="next"), message, mcp_session_id=session)
        assert answer(refreshed)["result"]["content"][0]["text"] == "the first note"


@pytest.mark.parametrize("server", WITH_SESSIONS)
def test_a_session_is_its_subjects_before_anybody_uses_it(gate, mint, server):
    url, alice, bob = gate.url(server), mint(server), mint(server, subject="bob")
    call = call_message("get_note", id="first")
    with httpx.Client() as http:
        issued = gate.metric("bindings_total", server=server, kind="session", how="issued")
        opened = post(http, url, alice, INITIALIZE)
        session = opened.headers["mcp-session-id"]
        assert gate.metric("bindings_total", server=server, kind="session", how="issued") == issued + 1

        denied = post(http, url, bob, call, mcp_session_id=session)
        assert denied.status_code == 404
        assert denied.json()["error"]["data"]["reason"] == "session_mismatch"
        assert post(http, url, alice, INITIALIZED, mcp_session_id=session).status_code == 202
        found = answer(post(http, url, alice, call, mcp_session_id=session))
        assert found["result"]["content"][0]["text"] == "the first note"


@pytest.mark.parametrize("server", WITH_SESSIONS)
def test_a_session_that_ended_stays_its_subjects(gate, mint, server):
    url, alice, bob = gate.url(server), mint(server), mint(server, subject="bob")
    call = call_message("get_note", id="first")
    with httpx.Client() as http:
        session = open_session(http, url, alice)
        used = HEADERS | {"authorization": f"Bearer {alice}", "mcp-session-id": session}
        assert http.delete(url, headers=used).status_code in (200, 202, 204)
        # The server's own word.
        assert post(http, url, alice, call, mcp_session_id=session).status_code == 404
        denied = post(http, url, bob, call, mcp_session_id=session)
        assert denied.status_code == 404
        assert denied.json()["error"]["data"]["reason"] == "session_mismatch"


# What each client makes of a 404 within its session: an error, and it can be used on.
TOLD = {
    "py1": (32600, "Session terminated"),
    "py2": (-32600, "session is not known"),
    "ts1": (404, "session is not known"),
    "ts2": ("CLIENT_HTTP_NOT_IMPLEMENTED", "session is not known"),
}


# What each client makes of a session that has become another subject's.
TAKEN = {
    "py1": (32600, "Session terminated"),
    "py2": (-32600, "belongs to another subject"),
    "ts1": (404, "belongs to another subject"),
    "ts2": ("CLIENT_HTTP_NOT_IMPLEMENTED", "belongs to another subject"),
}


def test_a_client_begins_anew_after_its_session_is_anothers(own, upstreams, key):
    with Gate(own, upstreams, POLICY, key=key) as gate, ExitStack() as stack, httpx.Client() as http:
        clients = []
        for kind in TAKEN:
            server = "py1" if kind.startswith("ts") else "ts1"
            client = Client(kind, gate.url(server), own, token=gate.token(server))
            client = stack.enter_context(client)
            assert client.connected.ok, client.connected
            session = json.loads(client.call("whoami").text)["mcp-session-id"]
            clients.append((kind, server, client, session))
        # What was bound is forgotten, and somebody else is the first to use the sessions.
        assert gate.authz.stop() == 0
        gate.start_authz()
        gate.wait_ready()
        url, token = gate.url("ts1"), gate.token("ts1")
        wait_for("an open gate", lambda: post(http, url, token, INITIALIZE).status_code == 200)
        call = call_message("get_note", id="first")
        for _, server, _, session in clients:
            bob = gate.token(server, subject="bob")
            taken = post(http, gate.url(server), bob, call, mcp_session_id=session)
            assert taken.status_code == 200
        for kind, server, client, _ in clients:
            lost = client.call("get_note", id="first")
            assert not lost.ok
            code, text = TAKEN[kind]
            assert lost["error"]["code"] == code, lost
            assert text in lost["error"]["message"], lost
            with Client(kind, gate.url(server), own, token=gate.token(server)) as anew:
                assert anew.connected.ok, anew.connected
                assert anew.call("get_note", id="first").text == "the first note"


def test_strict_sessions_begin_anew_after_a_restart(own, upstreams, key):
    strict = [replace(one, settings={"session_binding": "strict"}) for one in upstreams]
    with Gate(own, strict, POLICY, key=key) as gate, ExitStack() as stack, httpx.Client() as http:
        clients = []
        for kind in TOLD:
            server = "py1" if kind.startswith("ts") else "ts1"
            token = gate.token(server)
            client = Client(kind, gate.url(server), own, token=token)
            clients.append((kind, server, stack.enter_context(client)))
        for _, _, client in clients:
            assert client.connected.ok, client.connected
            assert client.call("get_note", id="first").text == "the first note"
        url, token = gate.url("ts1"), gate.token("ts1")
        call = call_message("get_note", id="first")
        made_up = post(http, url, token, call, mcp_session_id="made-up")
        assert made_up.status_code == 404
        assert made_up.json()["error"]["data"]["reason"] == "session_unknown"
        live = open_session(http, url, token)
        assert answer(post(http, url, token, call, mcp_session_id=live))["result"]

        assert gate.authz.stop() == 0
        gate.start_authz()
        gate.wait_ready()
        wait_for("an open gate", lambda: post(http, url, token, INITIALIZE).status_code == 200)
        gone = post(http, url, token, call, mcp_session_id=live)
        assert gone.status_code == 404
        assert gone.json()["error"]["data"]["reason"] == "session_unknown"
        told = {}
        for kind, _, client in clients:
            lost = client.call("get_note", id="first")
            assert not lost.ok
            told[kind] = (lost["error"]["code"], lost["error"]["message"])
        for kind, (code, text) in TOLD.items():
            assert told[kind][0] == code, told
            assert text in told[kind][1], told
        for kind, server, _ in clients:
            with Client(kind, gate.url(server), own, token=gate.token(server)) as anew:
                assert anew.call("get_note", id="first").text == "the first note"
