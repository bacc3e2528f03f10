"""Streams, big bodies and both HTTP versions pass; a body that is too big does not."""

import json
import threading
import time

import httpx
import pytest
from clients import CLIENTS, SERVERS
from keys import claims
from processes import wait_for
from wire import HEADERS, WITH_SESSIONS, answer, call_message, open_session, post

KIB = 1024
# Envoy's default for a whole response; a stream older than this shows that it is off.
ROUTE_TIMEOUT_SECONDS = 15


class StandingStream:
    """A session with its GET stream open, read by a thread."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.http = httpx.Client(timeout=None)
        self.session = open_session(self.http, url, token)
        self.events: list[dict] = []
        self.status: int | None = None
        self.ended: str | None = None
        self.since = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()
        wait_for("an open stream", lambda: self.status is not None)

    def _read(self) -> None:
        headers = {
            "accept": "text/event-stream",
            "authorization": f"Bearer {self.token}",
            "mcp-session-id": self.session,
            "mcp-protocol-version": HEADERS["mcp-protocol-version"],
        }
        try:
            with self.http.stream("GET", self.url, headers=headers) as response:
                self.status = response.status_code
                for line in response.iter_lines():
                    if line.startswith("data:") and line[5:].strip():
                        self.events.append(json.loads(line[5:]))
        except httpx.TransportError as error:
            self.ended = repr(error)
        else:
            self.ended = "by the server"

    def announce(self) -> None:
        """Has the server send a notification on the stream."""
        response = post(
            self.http, self.url, self.token, call_message("announce"), mcp_session_id=self.session
        )
        assert answer(response)["result"]["content"][0]["text"] == "announced"


@pytest.fixture(scope="module")
def streams(gate, key):
    """A standing stream to each server with sessions; opened together, they age together."""
    tokens = {server: key.sign(claims(gate.issuer, gate.url(server))) for server in WITH_SESSIONS}
    return {server: StandingStream(gate.url(server), tokens[server]) for server in WITH_SESSIONS}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("kind", CLIENTS)
def test_progress_arrives_while_the_call_runs(streams, connect, mint, kind, server):
    with connect(kind, server, token=mint(server)) as client:
        result = client.call("slow", steps=4)
        assert result.text == "4 steps"
        assert result["result"]["progress"] == [1, 2, 3, 4]


def test_events_are_not_held_back(gate, mint):
    message = call_message("slow", steps=3, delay=0.4)
    message["params"]["_meta"] = {"progressToken": "p"}
    headers = HEADERS | {"authorization": f"Bearer {mint('ts2')}"}
    times = []
    with httpx.stream("POST", gate.url("ts2"), json=message, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data:") and line[5:].strip():
                times.append(time.monotonic())
    assert len(times) == 4
    # Buffered to the end they would all come at once.
    assert times[-1] - times[0] > 0.8


@pytest.mark.parametrize("size", [900 * KIB, 1])
@pytest.mark.parametrize("server", SERVERS)
def test_a_big_body_passes(connect, mint, server, size):
    with connect("py2", server, token=mint(server)) as client:
        assert client.call("size", text="x" * size).text == str(size)


@pytest.mark.parametrize("kib", [1, 900])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_both_http_versions_pass(gate, mint, version, kib):
    http2 = version == "HTTP/2"
    with httpx.Client(http1=not http2, http2=http2) as http:
        message = call_message("size", text="x" * kib * KIB)
        response = post(http, gate.url("ts2"), mint("ts2"), message)
        assert response.http_version == version
        assert response.status_code == 200, response.text
        assert answer(response)["result"]["content"][0]["text"] == str(kib * KIB)
        denied = post(http, gate.url("ts2"), mint("ts2"), call_message("delete_note", id="first"))
        assert denied.status_code == 200
        assert denied.headers["content-type"] == "application/json"
        assert answer(denied)["result"]["isError"] is True
        refused = post(http, gate.url("ts2"), None, message)
        assert refused.status_code == 401


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_a_body_over_the_limit_is_413(gate, mint, version, chunked):
    body = json.dumps(call_message("size", text="x" * KIB * KIB)).encode()
    http2 = version == "HTTP/2"
    headers = HEADERS | {
        "authorization": f"Bearer {mint('ts2')}",
        "content-type": "application/json",
    }
    halves = iter([body[: KIB * KIB], body[KIB * KIB :]])
    with httpx.Client(http1=not http2, http2=http2) as http:
        response = http.post(gate.url("ts2"), content=halves if chunked else body, headers=headers)
    assert response.http_version == version
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/json"
    # No JSON-RPC: Envoy does not know the id of the request.
    assert response.json() == {"message": "request body is too large"}


@pytest.mark.parametrize("server", WITH_SESSIONS)
def test_a_get_stream_stays_open(streams, server):
    stream = streams[server]
    assert stream.status == 200
    wait_for(
        "an old stream",
        lambda: time.monotonic() > stream.since + ROUTE_TIMEOUT_SECONDS + 1,
        seconds=ROUTE_TIMEOUT_SECONDS + 5,
    )
    assert stream.ended is None
    stream.announce()
    expected = "notifications/tools/list_changed"
    wait_for("the event", lambda: [e for e in stream.events if e.get("method") == expected])
