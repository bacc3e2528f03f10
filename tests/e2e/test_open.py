"""How many requests are open at once, whatever ends them, and which ids are in use meanwhile."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from clients import Client
from gate import Gate, Upstream
from processes import wait_for
from scripted import CHUNKED, EVENTS, answer, chunk, compact, event, head, result, scripted, tool
from wire import call_message, fetch, list_message

MOST = 20
POLICY = {
    "rules": [
        {
            "id": "members",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": ["raw", "other"], "tools": ["shown_*"]},
        },
        {
            "id": "streams",
            "effect": "limit",
            "what": {"servers": ["raw"], "methods": ["GET", "subscriptions/listen"]},
            "limit": {"open": MOST, "by": ["subject"]},
        },
        {
            "id": "one-list",
            "effect": "limit",
            "what": {"servers": ["other"], "methods": ["tools/list"]},
            "limit": {"open": 1, "by": ["subject"]},
        },
    ],
}
BOTH = [tool("shown_a"), tool("secret_b", "SECRET")]


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gate(run_dir, upstream, key):
    gated = [Upstream(name, upstream.port, f"/{name}/mcp") for name in ("raw", "other")]
    with Gate(run_dir / "open", gated, POLICY, key=key) as gate:
        yield gate


class Streams:
    """What an upstream does that keeps GET streams open until it is told to end them."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.breaks = False
        self.open = 0
        self.lock = threading.Lock()

    def __call__(self, connection) -> None:
        if connection.request.method != "GET":
            connection.send(answer(result(content=[])))
            return
        with self.lock:
            self.open += 1
        try:
            connection.send(head(EVENTS, CHUNKED), chunk(b": open\n\n"))
            self._wait(connection)
        finally:
            with self.lock:
                self.open -= 1

    def _wait(self, connection) -> None:
        connection.socket.settimeout(0.05)
        while not self.ended.is_set():
            try:
                if connection.socket.recv(1) == b"":
                    return
            except TimeoutError:
                continue
        if self.breaks:
            connection.reset()
        else:
            connection.send(chunk(b""))


@pytest.fixture
def streams(upstream, gate):
    streams = Streams()
    upstream.does(streams)
    yield streams
    streams.ended.set()
    wait_for("no open stream", lambda: streams.open == 0)


def opened(gate: Gate, token: str, server: str = "raw") -> tuple[int, socket.socket]:
    """Opens a stream with a plain socket, and gives the status of its answer."""
    url = urlsplit(gate.url(server))
    connected = socket.create_connection((url.hostname, url.port), timeout=30)
    connected.sendall(
        f"GET {url.path} HTTP/1.1\r\nhost: {url.netloc}\r\naccept: text/event-stream\r\n"
        f"authorization: Bearer {token}\r\n\r\n".encode()
    )
    got = b""
    while b"\r\n\r\n" not in got:
        part = connected.recv(4096)
        assert part, got
        got += part
    return int(got.split()[1]), connected


def test_one_caller_does_not_take_all_connections(gate, streams):
    alice, bob = gate.token("raw", subject="alice"), gate.token("raw", subject="bob")
    tried = [opened(gate, alice) for _ in range(MOST)]
    assert [status for status, _ in tried] == [200] * MOST
    with ThreadPoolExecutor(8) as pool:
        tried += pool.map(lambda _: opened(gate, alice), range(1100 - MOST))
    # A slow machine may leave some checks without an answer.
    assert {status for status, _ in tried[MOST:]} <= {429, 503}
    assert [status for status, _ in tried].count(429) > 1000
    assert streams.open == MOST
    called = fetch(gate.url("raw"), bob, call_message("shown_a"), timeout=2)
    assert called.status == 200, called.body
    assert opened(gate, bob)[0] == 200
    # Nor is the caller kept from what is no stream.
    assert fetch(gate.url("raw"), alice, call_message("shown_a"), timeout=2).status == 200
    refused = fetch(gate.url("raw"), alice, None, "GET")
    assert refused.status == 429
    assert refused.reason == "rate_limited"
    assert refused.headers["retry-after"] == "5"
    for _, connected in tried:
        connected.close()


@pytest.mark.parametrize("end", ["client", "server", "broken"])
def test_whatever_ends_a_stream_gives_its_place_back(gate, streams, end):
    token = gate.token("raw", subject=f"ends-by-{end}")
    tried = [opened(gate, token) for _ in range(MOST)]
    assert [status for status, _ in tried] == [200] * MOST
    assert opened(gate, token)[0] == 429
    if end == "client":
        for _, connected in tried:
            connected.close()
    else:
        streams.breaks = end == "broken"
        streams.ended.set()
    wait_for("no open stream", lambda: streams.open == 0)
    if end != "client":
        streams.ended.clear()
    again = wait_for("a free place", lambda: free(gate, token), seconds=5)
    more = [opened(gate, token) for _ in range(MOST - 1)]
    assert [status for status, _ in more] == [200] * (MOST - 1)
    assert opened(gate, token)[0] == 429
    for connected in [again, *(connected for _, connected in more)]:
        connected.close()


def free(gate: Gate, token: str) -> socket.socket | None:
    """A stream, if there is a place for it."""
    status, connected = opened(gate, token)
    if status == 200:
        return connected
    connected.close()
    return None


def test_many_at_once_do_not_get_more_than_there_are(gate, streams):
    token = gate.token("raw", subject="many")
    with ThreadPoolExecutor(100) as pool:
        tried = list(pool.map(lambda _: opened(gate, token), range(200)))
    statuses = [status for status, _ in tried]
    # A check that Envoy has given up may have taken a place.
    assert 0 < statuses.count(200) <= MOST
    assert streams.open <= MOST
    for _, connected in tried:
        connected.close()


def test_what_the_server_refuses_keeps_no_place(gate, upstream):
    upstream.says(answer(b"", None, status="405 Method Not Allowed"))
    token = gate.token("raw", subject="refused")
    for _ in range(MOST + 5):
        status, connected = wait_for("a place", lambda: unlimited(gate, token))
        connected.close()
        assert status == 405


def unlimited(gate: Gate, token: str):
    """An answer of the server, if the limit has let one come."""
    status, connected = opened(gate, token)
    return None if status == 429 else (status, connected)


def test_places_are_free_once_envoy_is_gone(run_dir, upstream, key):
    streams = Streams()
    upstream.does(streams)
    gated = [Upstream("raw", upstream.port, "/raw/mcp")]
    policy = {"rules": [rule for rule in POLICY["rules"] if "other" not in str(rule)]}
    policy["rules"].append(POLICY["rules"][0] | {"what": {"servers": ["raw"]}})
    with Gate(run_dir / "gone", gated, policy, key=key) as gate:
        token = gate.token("raw")
        tried = [opened(gate, token) for _ in range(MOST)]
        assert [status for status, _ in tried] == [200] * MOST
        assert opened(gate, token)[0] == 429
        gate.envoy.child.kill()
        gate.envoy.stop()
        gate.start_envoy()
        gate.wait_ready()
        assert wait_for("a free place", lambda: free(gate, token), seconds=5)
    streams.ended.set()


def test_a_list_that_counts_is_filtered_all_the_same(gate, upstream):
    token = gate.token("other", subject="lists")
    goes_on = threading.Event()

    def script(connection):
        connection.send(head(EVENTS, CHUNKED), chunk(event(result(tools=BOTH))))
        goes_on.wait(10)
        connection.send(chunk(b""))

    upstream.does(script)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(fetch, gate.url("other"), token, list_message())
        wait_for("the list", lambda: len(upstream.requests) == 1)
        second = fetch(gate.url("other"), token, list_message())
        assert b"rate_limited" in second.body
        goes_on.set()
        got = first.result()
    assert b"shown_a" in got.body
    assert b"SECRET" not in got.body
    again = wait_for(
        "a free place",
        lambda: (it := fetch(gate.url("other"), token, list_message())) and b"shown_a" in it.body,
    )
    assert again


# --- Ids in flight.


class Bridge:
    """Routes answers by id alone, as bridges do: to the latest request of the session with it."""

    def __init__(self) -> None:
        self.waiting: dict[str, object] = {}
        self.asked: list[dict] = []
        self.list_is_ready = threading.Event()

    def __call__(self, connection) -> None:
        message = json.loads(connection.request.body)
        self.asked.append(message)
        name = str(message["id"])
        self.waiting[name] = connection
        connection.send(head(EVENTS, CHUNKED), chunk(b": hello\n\n"))
        if message["method"] == "tools/list":
            self.list_is_ready.wait(10)
            listed = compact(
                {"jsonrpc": "2.0", "id": message["id"], "result": {"tools": BOTH}}
            )
            self.waiting[name].send(chunk(event(listed)), chunk(b""))
        else:
            connection.wait_closed()


@pytest.fixture
def bridge(upstream):
    bridge = Bridge()
    upstream.does(bridge)
    yield bridge
    bridge.list_is_ready.set()


@pytest.mark.parametrize("other", [7, "7", "07", "7.0"])
def test_a_list_does_not_come_as_the_answer_to_another_request(gate, bridge, other):
    session = {"mcp_session_id": f"bridged-{other}"}
    token = gate.token("raw", subject="bridged")
    url = gate.url("raw")
    with ThreadPoolExecutor(1) as pool:
        listed = pool.submit(fetch, url, token, list_message(), **session)
        wait_for("the list", lambda: len(bridge.asked) == 1)
        called = fetch(url, token, call_message("shown_a") | {"id": other}, **session)
        assert (called.status, called.reason) == (400, "id_in_use")
        assert json.loads(called.body)["id"] == other
        assert len(bridge.asked) == 1
        bridge.list_is_ready.set()
        got = listed.result()
    assert b"shown_a" in got.body
    assert b"SECRET" not in got.body
    # The list has come, and its id is free.
    again = fetch(url, token, list_message(), **session)
    assert b"shown_a" in again.body


@pytest.mark.parametrize("other", [7, "7", "07"])
def test_a_list_does_not_overtake_a_call_with_its_id(gate, bridge, other):
    session = {"mcp_session_id": f"overtaken-{other}"}
    token = gate.token("raw", subject="overtaker")
    url = gate.url("raw")
    called = call_message("shown_a") | {"id": other}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch, url, token, called, **session)
        wait_for("the call", lambda: len(bridge.asked) == 1)
        listed = fetch(url, token, list_message() | {"id": 7}, **session)
        assert (listed.status, listed.reason) == (400, "id_in_use")
        bridge.list_is_ready.set()
        # Another id is nothing to it.
        other_list = list_message() | {"id": 8}
        assert b"shown_a" in fetch(url, token, other_list, **session).body
        bridge.waiting[str(other)].send(chunk(event(result(id=other, content=[]))), chunk(b""))
        assert b"SECRET" not in waiting.result().body
    assert [message["method"] for message in bridge.asked] == ["tools/call", "tools/list"]


def test_a_list_may_be_checked_twice(gate, bridge):
    session = {"mcp_session_id": "twice"}
    token = gate.token("raw", subject="twice")
    url = gate.url("raw")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, url, token, list_message(), timeout=3, **session)
        wait_for("the list", lambda: len(bridge.asked) == 1)
        second = pool.submit(fetch, url, token, list_message(), **session)
        wait_for("the list once more", lambda: len(bridge.asked) == 2)
        called = fetch(url, token, call_message("shown_a"), **session)
        assert called.reason == "id_in_use"
        bridge.list_is_ready.set()
        got = second.result()
        first.exception()
    assert b"shown_a" in got.body
    assert b"SECRET" not in got.body


def test_streams_are_no_answers_to_be_looked_at(gate, streams):
    token = gate.token("raw", subject="counted-streams")
    before = looked_at(gate)
    assert len(before) == 2
    for _ in range(3):
        status, connected = opened(gate, token)
        assert status == 200
        connected.close()
    assert looked_at(gate) == before


def looked_at(gate: Gate) -> list[str]:
    """How many answers were expected to be shown, and how many were."""
    names = ("mcp_authz_responses_expected_total ", "mcp_authz_responses_begun_total ")
    return [line for line in gate.metrics().splitlines() if line.startswith(names)]


def test_a_client_that_leaves_a_list_does_not_get_it_elsewhere(gate, bridge):
    session = "left"
    token = gate.token("raw", subject="leaver")
    url = urlsplit(gate.url("raw"))
    body = compact(list_message())
    with socket.create_connection((url.hostname, url.port), timeout=10) as connected:
        connected.sendall(
            f"POST {url.path} HTTP/1.1\r\nhost: {url.netloc}\r\nmcp-session-id: {session}\r\n"
            f"accept: application/json, text/event-stream\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        wait_for("the list", lambda: len(bridge.asked) == 1)
        assert b"hello" in read_until(connected, b"hello")
    called = fetch(gate.url("raw"), token, call_message("shown_a"), mcp_session_id=session)
    assert called.reason == "id_in_use"
    assert len(bridge.asked) == 1
    # Other ids, and other sessions, are nothing to it.
    upstream_answers = list_message() | {"id": 8}
    bridge.list_is_ready.set()
    assert b"shown_a" in fetch(gate.url("raw"), token, upstream_answers, mcp_session_id=session).body
    assert b"shown_a" in fetch(gate.url("raw"), token, list_message(), mcp_session_id="new").body


def read_until(connected: socket.socket, text: bytes) -> bytes:
    """What comes, up to this text."""
    got = b""
    while text not in got:
        part = connected.recv(4096)
        if not part:
            return got
        got += part
    return got


# --- Streams that clients would resume.


class Dropping:
    """A server that ends each of its streams after an event with an id."""

    def __init__(self) -> None:
        self.streams: list[str | None] = []
        self.called = 0

    def __call__(self, connection) -> None:
        request = connection.request
        if request.method == "GET":
            self.streams.append(request.header("last-event-id"))
            noted = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
            connection.send(
                head(EVENTS, CHUNKED),
                chunk(b"retry: 50\nid: event-%d\n" % len(self.streams) + event(compact(noted))),
                chunk(b""),
            )
            return
        if request.method == "DELETE":
            connection.send(answer(b"", None))
            return
        message = json.loads(request.body)
        session = "mcp-session-id: dropping"
        if "id" not in message:
            connection.send(answer(b"", None, session, status="202 Accepted"))
            return
        said = {
            "initialize": {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {"listChanged": True}},
                "serverInfo": {"name": "dropping", "version": "1"},
            },
            "tools/list": {"tools": [tool("shown_a")]},
            "tools/call": {"content": [{"type": "text", "text": "called"}]},
        }.get(message["method"])
        said = (
            {"result": said}
            if said is not None
            else {"error": {"code": -32601, "message": "no such method"}}
        )
        body = compact({"jsonrpc": "2.0", "id": message["id"]} | said)
        connection.send(answer(body, "application/json", session))


@pytest.mark.parametrize("kind", ["py1", "py2", "ts1", "ts2"])
def test_clients_whose_streams_are_not_resumed_go_on(gate, upstream, run_dir, kind):
    server = Dropping()
    upstream.does(server)
    token = gate.token("other", subject=f"resumes-{kind}")
    with Client(kind, gate.url("other"), run_dir, token=token) as client:
        wait_for("a stream opened again", lambda: len(server.streams) >= 3)
        assert client.call("shown_a").text == "called"
    assert server.streams[:3] == [None, None, None]
    assert gate.metric("resumptions_ignored_total", server="other") >= 2
