"""A session of each official client with each official server: list, allow, deny, go on."""

import pytest
from clients import CLIENTS, SERVERS

TOOLS = [
    "announce",
    "create_note",
    "delete_note",
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
        assert client.list_tools() == TOOLS
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


# What each client makes of a challenge when it has a token but no OAuth (mcp.md §6).
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
