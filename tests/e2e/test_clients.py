"""Clients that people run, through the gate: list, call, and what the user is told of a refusal."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from gate import Gate
from keys import Key, claims
from policies import DESK
from processes import wait_for
from products import PRODUCTS, Product, Seen

SHOWN = ["announce", "create_note", "get_note", "list_notes", "size", "slow", "whoami"]
Make = Callable[..., Product]


@pytest.fixture(scope="module")
def make(desk: Gate, run_dir: Path, key: Key) -> Make:
    """Makes a client with a token of its own, or with OAuth; use it as a context."""
    numbers = itertools.count()

    def make(kind: str, subject: str = "alice", oauth: bool = False, **more: object) -> Product:
        url = desk.url(DESK)
        token = None if oauth else key.sign(claims(desk.issuer, url, subject, **more))
        return PRODUCTS[kind](url, run_dir / "clients" / f"{kind}-{next(numbers)}", token)

    return make


@pytest.fixture(scope="module", params=PRODUCTS)
def client(request: pytest.FixtureRequest, make: Make) -> Iterator[Product]:
    """Each of them, with a token."""
    with make(request.param, subject=request.param) as client:
        client.kind = request.param
        yield client


def test_it_lists_and_calls(client: Product):
    assert client.tools() == SHOWN
    called = client.call("get_note", id="first")
    assert called.ok and "the first note" in called.text, called


# By the status of the program, or by its error, a script can tell; mcporter prints a result that is
# an error as any other and ends with 0.
@pytest.mark.parametrize(
    ("tool", "arguments", "times", "told"),
    [
        ("get_note", {"id": "second"}, 1, "Denied: the policy denies the request (denied_by_rule)"),
        ("size", {"text": "abc"}, 2, "Denied: too many calls; try again later (rate_limited)"),
    ],
)
def test_its_user_reads_why_a_call_is_denied(client: Product, tool, arguments, times, told):
    denied = [client.call(tool, **arguments) for _ in range(times)][-1]
    assert told in denied.text, denied
    assert denied.ok is (client.kind == "mcporter"), denied
    if client.kind == "inspector":
        assert denied.status == 5
    assert client.call("get_note", id="first").ok


# A tool that is not in the list: who looks there first knows of no such tool, and the others are
# told that it is denied.
UNKNOWN = {"inspector": "Tool 'delete_note' not found on server.", "langchain": "'delete_note'"}


def test_a_hidden_tool_is_not_to_be_had(client: Product):
    hidden = client.call("delete_note", id="first")
    told = "Denied: the policy denies the request (denied_by_rule)"
    assert UNKNOWN.get(client.kind, told) in hidden.text, hidden
    assert hidden.ok is (client.kind == "mcporter"), hidden


# A challenge to a client whose token is given to it, and which cannot ask for another.
CHALLENGED = {
    # It begins to sign in all the same, and says its own `Authorization` to the provider, which
    # refuses it.
    "mcp-remote": "invalid authorization header",
    # With the scope that the token has already, so that a new token keeps it.
    "inspector": 'Insufficient scope: required \\"notes:write notes:read\\"',
    "mcporter": "the access token lacks a required scope",
    "fastmcp": "the access token lacks a required scope",
    # It names the status and hides what it means.
    "langchain": "403 Forbidden",
    # Likewise, of the kind of error.
    "rmcp": "Insufficient scope",
}


def test_a_missing_scope_ends_the_call_alone(client: Product):
    challenged = client.call("create_note", id="third", text="…")
    assert not challenged.ok
    assert CHALLENGED[client.kind] in challenged.text, challenged
    if challenged.status is not None:
        assert challenged.status == 1
    assert client.call("get_note", id="first").ok


# A token that has expired.
EXPIRED = {
    "mcp-remote": "invalid authorization header",
    "fastmcp": "the access token has expired",
    "langchain": "401 Unauthorized",
    "rmcp": "Auth required",
}


@pytest.mark.parametrize("kind", EXPIRED)
def test_an_expired_token_is_told_of(make: Make, kind: str):
    with pytest.raises(AssertionError) as raised:
        with make(kind, exp=1) as client:
            client.tools()
    assert EXPIRED[kind] in str(raised.value)


# These sign in where a token of their configuration is refused.
@pytest.mark.parametrize("kind", ["inspector", "mcporter"])
def test_an_expired_token_leads_to_signing_in(make: Make, kind: str):
    with make(kind, exp=1) as client:
        called = client.call("get_note", id="first")
        assert called.ok and "the first note" in called.text, called


# What a client makes of a challenge for a scope that its user could get, once it has signed in.
STEPPED = {
    "mcp-remote": None,
    "fastmcp": None,
    # These two have a refresh token, try that instead, and give up.
    "inspector": "auth() returned AUTHORIZED without authorization code",
    "mcporter": "Run 'mcporter auth notes'. (Unauthorized)",
}


@pytest.mark.parametrize("kind", STEPPED)
def test_it_signs_in_and_steps_up(make: Make, kind: str):
    with make(kind, oauth=True) as client:
        assert client.tools() == SHOWN
        assert client.call("get_note", id="first").ok
        written = client.call("create_note", id=f"by-{kind}", text="written")
        if STEPPED[kind] is not None:
            assert not written.ok and STEPPED[kind] in written.text, written
            return
        assert written.ok, written
        assert client.call("get_note", id=f"by-{kind}").text == "written"


AWAY = {
    "mcp-remote": "authorization is unavailable",
    "inspector": "authorization is unavailable",
    # It tries the older transport next, and tells of that.
    "mcporter": "HTTP 503",
    # Each of these has words of its own.
    "fastmcp": "Server returned an error response",
    "langchain": "503 Service Unavailable",
    "rmcp": "HTTP 503",
}
# The session is not known any more. All others begin another one by themselves.
UNKNOWN_SESSION = {"fastmcp": "the session is not known; initialize a new one"}


def test_an_outage_is_told_of_and_the_session_is_begun_anew(make: Make, desk: Gate):
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        clients = {kind: make(kind, subject=f"{kind}-2") for kind in PRODUCTS}
        entered = pool.map(lambda client: client.__enter__(), clients.values())
        for client in entered:
            stack.callback(client.__exit__)
        list(pool.map(lambda client: client.tools(), clients.values()))

        def called() -> dict[str, Seen]:
            read = pool.map(lambda client: client.call("get_note", id="first"), clients.values())
            return dict(zip(clients, read, strict=True))

        assert all(seen.ok for seen in called().values())
        assert desk.authz.stop() == 0
        away = called()
        desk.start_authz()
        desk.wait_ready()
        wait_for("an open gate", lambda: clients["inspector"].call("get_note", id="first").ok)
        for kind, seen in away.items():
            assert not seen.ok and AWAY[kind] in seen.text, (kind, seen)
        for kind, seen in called().items():
            unknown = UNKNOWN_SESSION.get(kind)
            assert seen.ok is (unknown is None), (kind, seen)
            assert (unknown or "the first note") in seen.text, (kind, seen)
        with make("fastmcp", subject="fastmcp-2") as anew:
            assert anew.call("get_note", id="first").ok
