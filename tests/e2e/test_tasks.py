"""What an answer opens, a session or a task, is bound to its reader before anybody can use it."""

import json

import httpx
import pytest
from gate import Gate, Upstream
from processes import Process
from scripted import EVENTS, answer, event, head, result, scripted
from tools import node
from wire import (
    INITIALIZE,
    call_message,
    fetch,
    list_message,
    modern_message,
    open_session,
)

SERVERS = ["raw", "strict", "everything"]
POLICY = {
    "rules": [
        {
            "id": "everybody",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": SERVERS},
        },
    ]
}
TASKS = "io.modelcontextprotocol/tasks"


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gate(run_dir, upstream, key):
    directory = run_dir / "tasks"
    directory.mkdir()
    with Process("everything", node("everything.mjs", "/everything/mcp"), directory) as everything:
        upstreams = [
            Upstream("raw", upstream.port, "/raw/mcp"),
            Upstream("strict", upstream.port, "/strict/mcp", settings={"session_binding": "strict"}),
            Upstream("everything", everything.port(), "/everything/mcp"),
        ]
        with Gate(directory, upstreams, POLICY, key=key) as gate:
            yield gate


@pytest.fixture
def ask(gate):
    """Sends a message to a server as a subject."""

    def ask(subject, server, message, **headers):
        token = gate.token(server, subject=subject)
        return fetch(gate.url(server), token, message, **headers)

    return ask


def reason(got) -> str | None:
    return json.loads(got.body).get("error", {}).get("data", {}).get("reason")


def creating() -> dict:
    message = call_message("slow")
    message["params"]["task"] = {"ttl": 60000}
    return message


def task(method, id):
    return list_message(f"tasks/{method}", taskId=id)


def created(id: str) -> bytes:
    return result(task={"taskId": id, "status": "working"})


@pytest.mark.parametrize("shape", ["JSON", "events", "bytes"])
@pytest.mark.parametrize("server", ["raw", "strict"])
def test_a_task_is_its_creators_before_its_first_use(upstream, gate, ask, server, shape):
    id = f"{server}-{shape}"
    sent = {
        "JSON": [answer(created(id))],
        "events": [answer(b": ping\n\n" + event(created(id)), EVENTS)],
        "bytes": [bytes([byte]) for byte in answer(created(id))],
    }[shape]
    upstream.says(*sent)
    got = ask("alice", server, creating())
    assert created(id) in got.body
    upstream.says(answer(result(taskId=id)))
    for method in ("get", "result", "cancel"):
        assert reason(ask("bob", server, task(method, id))) == "task_mismatch"
    assert upstream.requests == []
    assert ask("alice", server, task("get", id)).body == result(taskId=id)


def test_a_list_of_tasks_has_only_the_readers(upstream, ask):
    ids = {"alice": "of-alice", "bob": "of-bob"}
    for subject, id in ids.items():
        upstream.says(answer(created(id)))
        ask(subject, "strict", creating())
    every = [{"taskId": id} for id in (*ids.values(), "of-nobody")]
    upstream.says(answer(result(tasks=every, nextCursor="2")))
    for subject, id in ids.items():
        got = ask(subject, "strict", list_message("tasks/list"))
        assert got.body == result(tasks=[{"taskId": id}], nextCursor="2")
    got = ask("carol", "strict", list_message("tasks/list"))
    assert got.body == result(tasks=[], nextCursor="2")


def test_a_task_that_nobody_created_is_unknown_where_that_is_strict(upstream, ask):
    upstream.says(answer(result(taskId="x")))
    assert reason(ask("alice", "strict", task("get", "never-created"))) == "task_unknown"
    # Else it is of whoever uses it first.
    assert ask("alice", "raw", task("get", "found")).body == result(taskId="x")
    assert reason(ask("bob", "raw", task("get", "found"))) == "task_mismatch"


def test_a_modern_task_of_the_official_extension_is_its_creators(gate, ask):
    def send(subject, method, name, /, **params):
        message = modern_message(method, **params)
        meta = message["params"]["_meta"]
        meta["io.modelcontextprotocol/clientCapabilities"] = {"extensions": {TASKS: {}}}
        headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method, "mcp_name": name}
        return json.loads(ask(subject, "everything", message, **headers).body)

    made = send(
        "alice",
        "tools/call",
        "slow_compute",
        name="slow_compute",
        arguments={"seconds": 0, "label": "x"},
    )
    id = made["result"]["taskId"]
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        denied = send("bob", method, id, taskId=id)
        assert denied["error"]["data"]["reason"] == "task_mismatch"
    assert send("alice", "tasks/get", id, taskId=id)["result"]["taskId"] == id


# --- Sessions, as no official server would issue them.


def opened(*headers: str) -> bytes:
    body = result(1, protocolVersion="2025-11-25", capabilities={}, serverInfo={"name": "x", "version": "1"})
    return head("application/json", *headers, length=len(body)) + body


@pytest.mark.parametrize(
    "headers",
    [
        ("mcp-session-id: one", "mcp-session-id: two"),
        ("mcp-session-id: one, two",),
        ("mcp-session-id: with space",),
        ("mcp-session-id: \xe9",),
        ("mcp-session-id:",),
    ],
)
def test_a_session_id_that_is_none_is_not_handed_on(upstream, ask, headers):
    upstream.says(opened(*headers))
    got = ask("alice", "raw", INITIALIZE)
    assert got.reason == "response_session_id"
    assert "mcp-session-id" not in got.headers


def test_an_initialize_without_a_session_passes(upstream, ask):
    upstream.says(opened())
    assert json.loads(ask("alice", "raw", INITIALIZE).body)["result"]["serverInfo"]


def test_the_servers_word_on_a_session_passes(upstream, ask):
    upstream.says(opened("mcp-session-id: restarts"))
    assert ask("alice", "raw", INITIALIZE).headers["mcp-session-id"] == "restarts"
    gone = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}'
    upstream.says(answer(gone, status="404 Not Found"))
    for message in (call_message("x"), list_message() | {"id": 8}):
        got = ask("alice", "raw", message, mcp_session_id="restarts")
        assert (got.status, got.body) == (404, gone)
    # Issued again, it belongs to whom it was issued last.
    upstream.says(opened("mcp-session-id: restarts"))
    ask("bob", "raw", INITIALIZE)
    upstream.says(answer(result(content=[])))
    assert ask("bob", "raw", call_message("x"), mcp_session_id="restarts").body == result(content=[])
    denied = json.loads(ask("alice", "raw", call_message("x"), mcp_session_id="restarts").body)
    assert denied["error"]["data"]["reason"] == "session_mismatch"


# --- A resumed stream of an official server.


def test_a_resumed_stream_of_an_official_server_is_filtered(run_dir, key):
    policy = {"rules": [POLICY["rules"][0] | {"what": {"servers": ["everything"]}}]}
    hide = {
        "id": "hide-one",
        "effect": "deny",
        "what": {"servers": ["everything"], "tools": ["greet"]},
    }
    policy["rules"].append(hide)
    with Process("everything-2", node("everything.mjs", "/everything/mcp"), run_dir) as everything:
        resumes = {"resume": "on"}
        guarded = Upstream("everything", everything.port(), "/everything/mcp", settings=resumes)
        with Gate(run_dir / "resumed", [guarded], policy, key=key) as gate, httpx.Client() as http:
            url, token = gate.url("everything"), gate.token("everything")
            session = open_session(http, url, token)
            named = {"mcp_session_id": session}
            first = fetch(url, token, list_message(), **named)
            assert first.headers["content-type"].startswith("text/event-stream")
            assert b'"slow_compute"' in first.body
            assert b'"greet"' not in first.body
            primed = first.body.split(b"id: ", 1)[1].split(b"\n", 1)[0].decode()
            again = b""
            headers = {
                "authorization": f"Bearer {token}",
                "accept": "text/event-stream",
                "mcp-session-id": session,
                "mcp-protocol-version": "2025-11-25",
                "last-event-id": primed,
            }
            with http.stream("GET", url, headers=headers) as got:
                assert got.status_code == 200
                for part in got.iter_raw():
                    again += part
                    if b'"result"' in again and again.endswith(b"\n\n"):
                        break
            assert b'"slow_compute"' in again
            assert b'"greet"' not in again


def test_the_stream_of_another_is_not_repeated(run_dir, key):
    policy = {"rules": [POLICY["rules"][0] | {"what": {"servers": ["everything"]}}]}
    with Process("everything-3", node("everything.mjs", "/everything/mcp"), run_dir) as everything:
        guarded = Upstream("everything", everything.port(), "/everything/mcp")
        with Gate(run_dir / "not-resumed", [guarded], policy, key=key) as gate, httpx.Client() as http:
            url = gate.url("everything")
            alice = gate.token("everything", subject="alice")
            session = open_session(http, url, alice)
            first = fetch(url, alice, list_message(), mcp_session_id=session)
            primed = first.body.split(b"id: ", 1)[1].split(b"\n", 1)[0].decode()
            mallory = gate.token("everything", subject="mallory")
            headers = {
                "authorization": f"Bearer {mallory}",
                "accept": "text/event-stream",
                "mcp-session-id": open_session(http, url, mallory),
                "mcp-protocol-version": "2025-11-25",
                "last-event-id": primed,
            }
            got = b""
            with http.stream("GET", url, headers=headers, timeout=2) as opened:
                assert opened.status_code == 200
                try:
                    for part in opened.iter_raw():
                        got += part
                except httpx.ReadTimeout:
                    pass
            assert b"slow_compute" not in got
