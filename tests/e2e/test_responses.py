"""Whatever an upstream sends for a list, no tool gets past the filter, and nothing hangs.

The upstream is scripted: it lists `shown_*`, which members may use, and `secret_*`, which nobody
may. `SECRET` is in everything that nobody is to see.
"""

import gzip
import json
import threading
import time

import httpx
import pytest
from gate import Gate, Upstream, ext_procs
from processes import wait_for
from scripted import CHUNKED, EVENTS, answer, chunk, compact, event, head, result, scripted, tool
from wire import call_message, fetch, list_message, modern_message

MIB = 1024 * 1024
SECRET = b"SECRET"
SHOWN = tool("shown_a")
HIDDEN = tool("secret_b", "SECRET")
SERVERS = ["raw", "old"]
POLICY = {
    "tools": {server: {"read": ["shown_*"]} for server in SERVERS},
    "rules": [
        {
            "id": "members",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": SERVERS, "classes": ["read"]},
        },
        {
            "id": "readers",
            "effect": "allow",
            "who": {"groups": ["readers"]},
            "what": {"servers": SERVERS, "tools": ["shown_a"]},
        },
        {
            "id": "shown-prompts",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": SERVERS, "prompts": ["shown_*"]},
        },
        {
            "id": "shown-resources",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": SERVERS, "resources": ["note://shown/*"]},
        },
    ],
}


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gated(upstream):
    """Makes the upstreams of a gate."""
    return [
        Upstream("raw", upstream.port, "/raw/mcp", settings={"resume": "on"}),
        Upstream("old", upstream.port, "/old/mcp", settings={"responses_on_get": True}),
    ]


@pytest.fixture(scope="module")
def gate(run_dir, gated, key):
    with Gate(run_dir / "answers", gated, POLICY, key=key) as gate:
        yield gate


@pytest.fixture
def ask(gate):
    """Asks for a list, as a member unless told otherwise."""

    def ask(message=None, server="raw", token=None, **more):
        message = message or list_message()
        return fetch(gate.url(server), token or gate.token(server), message, **more)

    return ask


def broken_up(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


# --- What is hidden, and what is not touched.

PLAIN = result(tools=[SHOWN])
ODD = (
    b' {"x":[1.0e+2,-0,0.10,1E400,"\\u0041\\/"],\r\n"result":{"_meta":{"a":{}} ,\t"tools":[ '
    + compact(SHOWN)
    + b'\n],"nextCursor":"\xc3\xa9","later":null},"id":7 ,"jsonrpc":"2.0"}\n'
)
ERROR = b'{"jsonrpc": "2.0", "id": 7, "error": {"code": -32603, "message": "no", "data": [1.00]}}'
PASSING_EVENTS = (
    b": a comment\n:\n\nid: 1\nretry: 1500\ndata:\n\n"
    b"event: message\r\nid: 2\r\ndata: "
    b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1.0}}\r\n\r\n'
    b"event: other\ndata: any text\ndata: in two lines\n\nunknown: field\nnothing\n\n"
    b"data:" + PLAIN + b"\nid\n\n: the end\n\n"
)
UNTOUCHED = {
    "a plain list": answer(PLAIN),
    "an odd list": answer(ODD),
    "an error": answer(ERROR),
    "an error as an event": answer(event(ERROR), EVENTS),
    "events": answer(PASSING_EVENTS, EVENTS),
    "a status with JSON": answer(ERROR, status="400 Bad Request"),
    "a status with text": answer(b"no such thing", "text/plain", status="404 Not Found"),
    "a failure with text": answer(b"<h1>500</h1>", "text/html", status="500 Internal Server Error"),
    "nothing": answer(b"", None, status="202 Accepted"),
    "utf-8 said": answer(PLAIN, 'application/JSON ; charset="UTF-8"'),
}


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize("what", UNTOUCHED)
def test_what_nobody_has_to_hide_passes_byte_for_byte(upstream, ask, what, pieces):
    sent = UNTOUCHED[what]
    upstream.says(*([sent] if pieces == "whole" else broken_up(sent)))
    got = ask()
    assert got.broken is None
    first_line, _, rest = sent.partition(b"\r\n")
    assert got.status == int(first_line.split()[1])
    assert got.body == rest.partition(b"\r\n\r\n")[2]


def both(id: int = 7, **members) -> bytes:
    return result(id, tools=[HIDDEN, SHOWN, HIDDEN], **members)


def spelled(key: bytes, list_: bytes | None = None) -> bytes:
    tools = list_ if list_ is not None else compact([HIDDEN, SHOWN])
    return b'{"jsonrpc":"2.0","id":7,"result":{%s:%s}}' % (key, tools)


ONE = compact(SHOWN)
TWO = compact(HIDDEN)
HALF = len(both()) // 2
FILTERED = {
    "JSON": (answer(both()), PLAIN),
    "chunked": (head("application/json", CHUNKED) + chunk(both()) + chunk(b""), PLAIN),
    "trailers": (
        head("application/json", CHUNKED, "trailer: x")
        + chunk(both())
        + b"0\r\nx: y\r\n\r\n",
        PLAIN,
    ),
    "no length": (head() + both(), PLAIN),
    "identity": (answer(both(), "application/json", "content-encoding: identity"), PLAIN),
    "201": (answer(both(), status="201 Created"), PLAIN),
    "an error status": (answer(both(), status="400 Bad Request"), PLAIN),
    "escaped key": (answer(spelled(rb'"too\u006cs"')), spelled(rb'"too\u006cs"', b"[" + ONE + b"]")),
    "folded key": (answer(spelled(b'"Tools"')), spelled(b'"Tools"', b"[" + ONE + b"]")),
    "Kelvin-like key": (
        answer(spelled(b'"tool\xc5\xbf"')),
        spelled(b'"tool\xc5\xbf"', b"[" + ONE + b"]"),
    ),
    "not an array": (answer(spelled(b'"tools"', b'{"a":' + TWO + b"}")), spelled(b'"tools"', b"[]")),
    "a string": (answer(spelled(b'"tools"', b'"SECRET"')), spelled(b'"tools"', b"[]")),
    "an array of arrays": (
        answer(spelled(b'"tools"', b"[[" + TWO + b"]," + ONE + b"]")),
        spelled(b'"tools"', b"[" + ONE + b"]"),
    ),
    "a tool with two names": (
        answer(spelled(b'"tools"', b'[{"name":"shown_a","name":"SECRET"}]')),
        spelled(b'"tools"', b"[]"),
    ),
    "a tool with two spellings": (
        answer(spelled(b'"tools"', b'[{"name":"shown_a","Name":"SECRET"}]')),
        spelled(b'"tools"', b"[]"),
    ),
    "two lists": (
        answer(b'{"id":7,"result":{"tools":[%s],"tools":[%s]},"jsonrpc":"2.0"}' % (ONE, TWO)),
        b'{"id":7,"result":{"tools":[%s],"tools":[]},"jsonrpc":"2.0"}' % ONE,
    ),
    "two results": (
        answer(b'{"result":{"tools":[%s]},"result":{"tools":[%s]}}' % (TWO, ONE)),
        b'{"result":{"tools":[]},"result":{"tools":[%s]}}' % ONE,
    ),
    "a batch": (answer(b"[%s,%s]" % (both(), both(8))), b"[%s,%s]" % (PLAIN, result(8, tools=[SHOWN]))),
    "events": (answer(event(both()), EVENTS), event(PLAIN)),
    "a second event": (answer(event(ERROR) + event(both()), EVENTS), event(ERROR) + event(PLAIN)),
    "an event with a name": (
        answer(b"event: other\n" + b"data: " + both() + b"\n\n", EVENTS),
        b"event: other\n" + b"data: " + PLAIN + b"\n\n",
    ),
    "no space": (answer(b"data:" + both() + b"\n\n", EVENTS), b"data:" + PLAIN + b"\n\n"),
    "CRLF": (answer(b"data: " + both() + b"\r\n\r\n", EVENTS), b"data: " + PLAIN + b"\r\n\r\n"),
    "a mark": (
        answer(b"\xef\xbb\xbfdata: " + both() + b"\n\n", EVENTS),
        b"\xef\xbb\xbfdata: " + PLAIN + b"\n\n",
    ),
    "lines": (
        answer(b'data: {"result":{"tools":[%s,\ndata\ndata:%s]}}\n\n' % (ONE, TWO), EVENTS),
        b'data: {"result":{"tools":[%s\ndata\ndata:]}}\n\n' % ONE,
    ),
}


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize("what", FILTERED)
def test_what_is_hidden_is_gone_and_the_rest_is_as_it_was(upstream, ask, what, pieces):
    sent, expected = FILTERED[what]
    upstream.says(*([sent] if pieces == "whole" else broken_up(sent)))
    got = ask()
    assert got.broken is None
    assert got.body == expected


@pytest.mark.parametrize("sent", [answer(both()), head(EVENTS, CHUNKED) + chunk(event(both())) + chunk(b"")])
def test_http_2_is_filtered_too(upstream, gate, sent):
    upstream.says(sent)
    headers = {"authorization": f"Bearer {gate.token('raw')}"}
    with httpx.Client(http1=False, http2=True) as http:
        got = http.post(gate.url("raw"), json=list_message(), headers=headers)
    assert got.http_version == "HTTP/2"
    assert got.content in (PLAIN, event(PLAIN))


def test_another_length_is_not_claimed(upstream, ask):
    upstream.says(answer(both(), "application/json", "etag: x", "digest: y"))
    got = ask()
    assert got.body == PLAIN
    assert not {"content-length", "etag", "digest"} & set(got.headers)


def test_each_list_has_its_own_names(upstream, ask):
    prompts = [{"name": "shown_p"}, {"name": "secret_p"}]
    resources = [{"uri": "note://shown/1", "name": "a"}, {"uri": "note://secret/1", "name": "b"}]
    templates = [{"uriTemplate": f"note://{part}/{{id}}", "name": part} for part in ("shown", "secret")]
    lists = {
        "prompts/list": ("prompts", prompts),
        "resources/list": ("resources", resources),
        "resources/templates/list": ("resourceTemplates", templates),
    }
    for method, (member, items) in lists.items():
        upstream.says(answer(result(**{member: items})))
        assert ask(list_message(method)).body == result(**{member: items[:1]})


def test_pages_and_cursors_stay_as_they_are(upstream, ask):
    upstream.says(answer(result(tools=[HIDDEN], nextCursor="2")))
    assert ask(list_message(cursor="1")).body == result(tools=[], nextCursor="2")
    assert json.loads(upstream.requests[0].body)["params"] == {"cursor": "1"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, {"cacheScope": "private"}),
        ({"cacheScope": "public"}, {"cacheScope": "private"}),
        ({"cacheScope": "private"}, {"cacheScope": "private"}),
        ({"cacheScope": ["public"]}, {"cacheScope": "private"}),
    ],
)
def test_a_modern_list_is_private(upstream, ask, said, told):
    upstream.says(answer(result(resultType="complete", tools=[HIDDEN, SHOWN], ttlMs=5, **said)))
    message = modern_message("tools/list")
    got = ask(message, mcp_protocol_version="2026-07-28", mcp_method="tools/list")
    assert json.loads(got.body)["result"] == {
        "resultType": "complete",
        "tools": [SHOWN],
        "ttlMs": 5,
    } | told
    assert got.body.count(b"cacheScope") == 1


def test_a_subject_without_rules_for_it_is_shown_nothing(upstream, gate, ask):
    upstream.says(answer(result(prompts=[{"name": "shown_p"}], later=1)))
    # This one may use a tool, so it may ask for prompts.
    token = gate.token("raw", subject="reader", groups=["readers"])
    assert ask(list_message("prompts/list"), token=token).body == result(prompts=[], later=1)


# --- What is refused.

UTF16 = both().decode().encode("utf-16")
TEXT = both().decode()
REFUSED = {
    "gzip": (answer(gzip.compress(both()), "application/json", "content-encoding: gzip"), "response_encoded"),
    "gzip in events": (
        answer(gzip.compress(event(both())), EVENTS, "content-encoding: gzip"),
        "response_encoded",
    ),
    "gzip said twice": (
        answer(both(), "application/json", "content-encoding: identity", "content-encoding: br"),
        "response_encoded",
    ),
    "gzip unsaid": (answer(gzip.compress(both())), "response_unreadable"),
    "gzip said to be identity": (
        answer(gzip.compress(both()), "application/json", "content-encoding: identity"),
        "response_unreadable",
    ),
    "HTML": (answer(both(), "text/html"), "response_content_type"),
    "text": (answer(both(), "text/plain"), "response_content_type"),
    "no type": (answer(both(), None), "response_content_type"),
    "two types": (
        answer(both(), "application/json", "content-type: text/event-stream"),
        "response_content_type",
    ),
    "types in one": (answer(both(), "application/json, text/event-stream"), "response_content_type"),
    "another charset": (answer(UTF16, "application/json; charset=utf-16"), "response_content_type"),
    "a charset for events": (
        answer(b"data: " + TEXT.encode("utf-7") + b"\n\n", "text/event-stream; charset=utf-7"),
        "response_content_type",
    ),
    "a type in a parameter": (
        answer(both(), "text/event-stream; x=application/json"),
        "response_content_type",
    ),
    "a charset of an error": (
        answer(UTF16, "application/json; charset=utf-16", status="400 Bad Request"),
        "response_content_type",
    ),
    "two types of an error": (
        answer(both(), EVENTS, "content-type: text/plain", status="404 Not Found"),
        "response_content_type",
    ),
    "a part": (
        answer(both(), "application/json", "content-range: bytes 0-1/2", status="206 Partial Content"),
        "response_partial",
    ),
    "a part unsaid": (answer(both(), status="206 Partial Content"), "response_partial"),
    "UTF-16": (answer(UTF16), "response_unreadable"),
    "UTF-16 without a mark": (answer(TEXT.encode("utf-16-le")), "response_unreadable"),
    "a mark": (answer(b"\xef\xbb\xbf" + both()), "response_unreadable"),
    "not UTF-8": (answer(b'{"a":"\xff","result":' + both() + b"}"), "response_unreadable"),
    "not JSON": (answer(b"{'result':" + both()), "response_unreadable"),
    "two texts": (answer(PLAIN + both()), "response_unreadable"),
    "a comment": (answer(b"/**/" + both()), "response_unreadable"),
    "deep": (answer(b"[" * 1000 + both()), "response_unreadable"),
    "half": (answer(both()[:HALF]), "response_incomplete"),
    "empty": (answer(b" "), "response_incomplete"),
    "an event as JSON": (answer(event(both())), "response_unreadable"),
}


# What the server itself calls an error stays one.
ERRORS = {"a charset of an error": 400, "two types of an error": 404}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_reason(upstream, ask, gate, what):
    sent, reason = REFUSED[what]
    before = gate.metric("responses_refused_total", server="raw", reason=reason)
    upstream.says(sent)
    got = ask()
    assert got.broken is None
    assert got.status == ERRORS.get(what, 200)
    assert got.headers["content-type"] == "application/json"
    assert "content-encoding" not in got.headers
    told = json.loads(got.body)
    assert told["id"] == 7
    assert told["error"]["code"] == 502
    assert told["error"]["data"]["reason"] == reason
    assert gate.metric("responses_refused_total", server="raw", reason=reason) == before + 1
    decision_id = told["error"]["data"]["decision_id"]
    wait_for("the audit line", lambda: gate.audit(event="response_refused", decision_id=decision_id))


# Of what clients read in a way of their own: the events they would find, if they read so.
REFUSED_EVENTS = {
    "not JSON": b"data: {" + both() + b"\n\n",
    "half": b"data: " + both()[:HALF] + b"\n\n",
    "two in one": b"data: " + both() + b"\ndata: " + both() + b"\n\n",
    "a mark in an event": b"data: \xef\xbb\xbf" + both() + b"\n\n",
    "space of other kinds": b"data: \xc2\xa0" + both() + b"\n\n",
    "a vertical tab": b"data:\x0b" + both() + b"\n\n",
    "a space before": b" data: " + both() + b"\n\n",
    "a space behind": b"data : " + both() + b"\n\n",
    "a line separator in a comment": b": x\xe2\x80\xa8data: " + both() + b"\xe2\x80\xa8\xe2\x80\xa8\n\n",
    "a next line in a field": b"id: x\xc2\x85data: " + both() + b"\xc2\x85\xc2\x85\n\n",
    "a form feed": b": x\x0cdata: " + both() + b"\x0c\x0c\n\n",
    "a line separator in text": b"data: x\xe2\x80\xa8\xe2\x80\xa8data: " + both() + b"\n\n",
}


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize("what", REFUSED_EVENTS)
def test_a_stream_that_cannot_be_read_ends_with_an_error(upstream, ask, what, pieces):
    sent = head(EVENTS) + event(ERROR) + REFUSED_EVENTS[what] + event(both())
    upstream.says(*([sent] if pieces == "whole" else broken_up(sent)))
    got = ask()
    assert got.status == 200
    assert SECRET not in got.body
    assert got.body.startswith(event(ERROR))
    last = json.loads(got.body.rstrip(b"\n").rpartition(b"\ndata: ")[2])
    assert last["id"] == 7
    assert last["error"]["data"]["reason"] in ("response_unreadable", "response_incomplete")


def test_a_bare_carriage_return_ends_a_line_for_every_client(upstream, ask):
    # Some clients end lines by line feeds alone, and would read on where the filter stopped.
    hiding = b'data: {"result":{"tools":\r[%s]}}\n\n' % TWO
    upstream.says(answer(hiding, EVENTS))
    got = ask()
    lines = got.body.split(b"\n")
    assert not any(line.startswith(b"data") and SECRET in line for line in lines)


def test_a_bare_carriage_return_is_read(upstream, ask):
    upstream.says(answer(b"data: " + both() + b"\r\r: x\r", EVENTS))
    got = ask()
    assert got.body.replace(b"\n", b"") == b"data: " + PLAIN + b"\r\r: x\r"


def test_the_upstream_is_asked_for_nothing_encoded_or_partial(upstream, ask):
    upstream.says(answer(PLAIN))
    assert ask(accept_encoding="gzip, br", range="bytes=0-1").status == 200
    assert upstream.requests[0].header("accept-encoding") is None
    assert upstream.requests[0].header("range") is None


@pytest.mark.parametrize(
    "how",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"",
    ],
)
def test_no_http_is_no_answer(upstream, ask, how):
    upstream.says(how + both())
    got = ask()
    assert got.status is None or got.status >= 500
    assert SECRET not in got.body


def test_what_comes_before_the_answer_is_none(upstream, ask):
    upstream.says(b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n" + answer(both()))
    got = ask()
    assert got.status == 200
    assert got.body == PLAIN


# --- Who asks.


def test_a_client_cannot_say_who_it_is(upstream, gate):
    upstream.says(answer(both()))
    message = list_message(
        _meta={
            "subject": "root",
            "response_filter": "",
            "envoy.filters.http.ext_authz": {"decision": "allow"},
        }
    )
    token = gate.token("raw", subject="mallory")
    spoofed = {
        "x-mcp-authz-subject": "root",
        "x-mcp-authz-server": "other",
        "x-mcp-authz-method": "tools/call",
        "x-mcp-authz-decision-id": "1",
        "response-filter": "none",
        "x-envoy-auth-partial-body": "true",
    }
    got = fetch(gate.url("raw"), token, message, **spoofed)
    assert got.body == PLAIN
    assert upstream.requests[-1].header("x-mcp-authz-subject") == "mallory"
    assert upstream.requests[-1].header("x-mcp-authz-server") == "raw"


def test_only_lists_open_streams(upstream, gate, ask):
    upstream.says(answer(result(content=[])))
    before = gate.streams_started()
    assert ask(call_message("shown_a")).status == 200
    assert ask({"jsonrpc": "2.0", "id": 7, "method": "ping"}).status == 200
    assert ask({"jsonrpc": "2.0", "method": "notifications/cancelled"}).status == 200
    assert gate.streams_started() == before
    upstream.says(answer(PLAIN))
    assert ask().status == 200
    assert gate.streams_started() == before + 1


# --- Streams that are resumed, and those of 2024-11-05.


def test_a_resumed_stream_is_filtered(upstream, gate):
    upstream.says(answer(b"id: 2\n" + event(both()), EVENTS))
    got = fetch(gate.url("raw"), gate.token("raw"), None, "GET", last_event_id="1")
    assert got.body == b"id: 2\n" + event(PLAIN)
    assert upstream.requests[0].header("last-event-id") == "1"


def test_answers_on_the_stream_of_2024_11_05_are_filtered(upstream, gate):
    endpoint = b"event: endpoint\ndata: /messages?session_id=1\n\n"
    upstream.says(answer(endpoint + event(both()), EVENTS))
    got = fetch(gate.url("old"), gate.token("old"), None, "GET")
    assert got.body == endpoint + event(PLAIN)


# --- Big ones.


def peak_kib(process) -> int:
    """The most memory that a process has had."""
    with open(f"/proc/{process.child.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1])


def many(count: int) -> list[bytes]:
    """Items of about a KiB, every other one hidden."""
    shown = compact(tool("shown_x", "x" * 900))
    hidden = compact(tool("secret_x", "SECRET" + "x" * 900))
    return [hidden if at % 2 else shown for at in range(count)]


@pytest.mark.parametrize(("kind", "mib"), [("JSON", 64), ("events", 20)])
def test_a_big_list_is_filtered_in_bounded_memory(upstream, gate, ask, kind, mib):
    items = many(mib * 1024)
    begin, end = b'{"jsonrpc":"2.0","id":7,"result":{"tools":[', b"]}}"
    type_ = EVENTS if kind == "events" else "application/json"
    frame = (b"data: ", b"\n\n") if kind == "events" else (b"", b"")

    def script(connection):
        connection.send(head(type_) + frame[0] + begin)
        for at in range(0, len(items), 256):
            connection.send(b"," if at else b"", b",".join(items[at : at + 256]))
        connection.send(end + frame[1])

    upstream.does(script)
    before = peak_kib(gate.authz)
    got = ask(timeout=60)
    assert got.broken is None
    assert len(got.body) > mib * MIB * 0.4
    assert SECRET not in got.body
    assert got.body == frame[0] + begin + b",".join(items[::2]) + end + frame[1]
    assert peak_kib(gate.authz) - before < 16 * 1024


@pytest.mark.parametrize("type_", ["application/json", EVENTS])
def test_a_swarm_of_bad_items_floods_neither_log_nor_service(upstream, gate, ask, type_):
    body = b'{"result":{"tools":[%s]}}' % b",".join([b"1"] * 100_000)
    before = gate.metric("list_items_total", server="raw", result="unjudged")
    logged = gate.authz.log.stat().st_size
    upstream.says(answer(body if type_ == "application/json" else event(body), type_))
    got = ask(timeout=30)
    assert got.broken is None
    assert b'{"result":{"tools":[]}}' in got.body
    assert gate.metric("list_items_total", server="raw", result="unjudged") == before + 100_000
    assert gate.authz.log.stat().st_size - logged < 2000


def test_a_big_item_is_hidden(upstream, ask):
    big = tool("shown_big", "SECRET" + "x" * 2 * MIB)
    upstream.says(answer(result(tools=[SHOWN, big])))
    assert ask().body == PLAIN


def test_a_client_that_does_not_read_makes_nothing_pile_up(upstream, gate):
    sent = 0
    items = b",".join(many(1024))
    done = threading.Event()

    def script(connection):
        nonlocal sent
        connection.socket.settimeout(3)
        connection.send(head() + b'{"result":{"tools":[' + items)
        try:
            while sent < 256:
                connection.send(b"," + items)
                sent += 1
        except TimeoutError:
            pass  # nobody takes it any more
        finally:
            done.set()

    upstream.does(script)
    before = [peak_kib(gate.authz), peak_kib(gate.envoy)]
    headers = {"authorization": f"Bearer {gate.token('raw')}", "accept": "application/json"}
    with httpx.stream("POST", gate.url("raw"), json=list_message(), headers=headers, timeout=30) as got:
        assert got.status_code == 200
        assert done.wait(60)
        assert sent < 128
        after = [peak_kib(gate.authz), peak_kib(gate.envoy)]
        assert after[0] - before[0] < 16 * 1024
        assert after[1] - before[1] < 32 * 1024
    wait_for("no streams", lambda: active(gate) == 0)


# --- Ends.


def active(gate) -> int:
    """How many requests Envoy has open with upstreams and with mcp-authz."""
    stats = gate.envoy_stats(r"cluster\.(raw|old|mcp_authz)\.upstream_rq_active$")
    return sum(stats.values())


DEATHS = {
    "before the head": b"",
    "in the head": head()[:20],
    "after the head": head(length=len(both())),
    "in an item": head(length=len(both())) + both()[:HALF],
    "in an item, chunked": head("application/json", CHUNKED) + chunk(both()[:HALF]),
    "far in": head("application/json", CHUNKED)
    + chunk(b'{"result":{"tools":[' + b",".join(many(200)) + b"," + TWO[:30]),
    "after the head of events": head(EVENTS, CHUNKED),
    "in an event": head(EVENTS, CHUNKED) + chunk(event(ERROR) + event(both())[:HALF]),
    "between events": head(EVENTS, CHUNKED) + chunk(event(ERROR)),
}


@pytest.mark.parametrize("what", DEATHS)
def test_an_upstream_that_dies_leaves_nobody_waiting(upstream, gate, ask, what):
    def script(connection):
        connection.send(DEATHS[what])
        connection.reset()

    upstream.does(script)
    got = ask()
    assert SECRET not in got.body
    assert got.broken or got.status >= 500 or b'"error"' in got.body
    wait_for("no streams", lambda: active(gate) == 0)


def test_a_list_that_ends_too_early_without_a_word_is_refused(upstream, ask):
    upstream.says(head() + both()[:HALF])
    assert ask().reason == "response_incomplete"


def test_a_client_that_leaves_takes_everything_with_it(upstream, gate):
    gone = threading.Event()

    def script(connection):
        connection.send(head(EVENTS), event(ERROR), event(both())[:HALF])
        if connection.wait_closed():
            gone.set()

    upstream.does(script)
    headers = {"authorization": f"Bearer {gate.token('raw')}"}
    with httpx.stream("POST", gate.url("raw"), json=list_message(), headers=headers) as got:
        parts = got.iter_raw()
        assert next(parts).startswith(event(ERROR))
        assert active(gate) == 2
    assert gone.wait(10)
    wait_for("no streams", lambda: active(gate) == 0)


def test_what_comes_before_a_list_is_not_held_back(upstream, gate):
    go = threading.Event()
    progress = event(b'{"jsonrpc":"2.0","method":"notifications/progress","params":{}}')

    def script(connection):
        connection.send(head(EVENTS))
        for part in (b": ping\n\n", progress, progress[:10], progress[10:], b"data: " + both()[:HALF]):
            assert go.wait(10)
            go.clear()
            connection.send(part)
        assert go.wait(10)
        connection.send(both()[HALF:] + b"\n\n")

    upstream.does(script)
    headers = {"authorization": f"Bearer {gate.token('raw')}"}
    with httpx.stream("POST", gate.url("raw"), json=list_message(), headers=headers) as got:
        parts = got.iter_raw()

        def read(length):
            go.set()
            read = b""
            while len(read) < length:
                read += next(parts)
            return read

        assert read(8) == b": ping\n\n"
        assert read(len(progress)) == progress
        assert read(10) == progress[:10]
        assert read(len(progress) - 10) == progress[10:]
        assert read(6).startswith(b'data: {"jsonrpc"')
        go.set()
        assert b"".join(parts).endswith(compact(SHOWN) + b"]}}\n\n")


def test_a_slow_answer_is_waited_for(upstream, ask):
    # Longer than Envoy waits for mcp-authz elsewhere, with the head held back.
    def script(connection):
        connection.send(head(), both()[:HALF])
        time.sleep(1.2)
        connection.send(both()[HALF:])

    upstream.does(script)
    assert ask().body == PLAIN


# --- Without what it needs.


def without_forwarding(config):
    for one in ext_procs(config):
        del one["metadata_options"]


def test_without_the_hand_off_lists_are_empty_rather_than_whole(own, upstream, gated, key):
    with Gate(own, gated, POLICY, key=key, adjust=without_forwarding) as gate:
        token = gate.token("raw")
        upstream.says(answer(both(nextCursor="2", x=[1.0])))
        got = fetch(gate.url("raw"), token, list_message())
        assert got.body == result(tools=[], nextCursor="2", x=[1.0])
        upstream.says(answer(event(ERROR) + event(both()), EVENTS))
        got = fetch(gate.url("raw"), token, list_message())
        assert got.body == event(ERROR) + event(result(tools=[]))
        upstream.says(answer(both(), "text/html"))
        got = fetch(gate.url("raw"), token, list_message())
        assert (got.status, got.reason) == (502, "response_content_type")


@pytest.mark.parametrize("mode", ["STREAMED", "BUFFERED", "BUFFERED_PARTIAL", "NONE"])
def test_a_wrong_mode_is_refused(own, upstream, gated, key, mode):
    def adjust(config):
        for one in ext_procs(config):
            if "response_body_mode" in one["processing_mode"]:
                one["processing_mode"]["response_body_mode"] = mode

    with Gate(own, gated, POLICY, key=key, adjust=adjust) as gate:
        for sent in (answer(both()), answer(event(both()), EVENTS), head(EVENTS) + event(both())):
            upstream.says(sent)
            got = fetch(gate.url("raw"), gate.token("raw"), list_message())
            assert SECRET not in got.body
            assert (got.status, got.reason) == (200, "response_not_streamed")


def test_with_the_service_gone_no_answer_passes(own, upstream, gated, key):
    with Gate(own, gated, POLICY, key=key) as gate:
        token = gate.token("raw")
        headers = {"authorization": f"Bearer {token}"}

        def back():
            gate.start_authz()
            gate.wait_ready()
            upstream.says(answer(both()))
            # Envoy may only now notice that it was away.
            ask = lambda: fetch(gate.url("raw"), token, list_message())
            assert wait_for("answers", lambda: [got for got in [ask()] if got.status == 200])[0].body == PLAIN

        # In the middle of a stream.
        go = threading.Event()

        def script(connection):
            connection.send(head(EVENTS), event(ERROR))
            if go.wait(10):
                connection.send(event(both()))

        upstream.does(script)
        with httpx.stream("POST", gate.url("raw"), json=list_message(), headers=headers) as got:
            parts = got.iter_raw()
            assert next(parts) == event(ERROR)
            gate.authz.child.kill()
            gate.authz.child.wait()
            go.set()
            rest = b""
            with pytest.raises(httpx.TransportError):
                for part in parts:
                    rest += part
            assert SECRET not in rest

        # Between the check and the answer.
        back()

        def kills(connection):
            gate.authz.child.kill()
            gate.authz.child.wait()
            connection.send(answer(both()))

        upstream.does(kills)
        got = fetch(gate.url("raw"), token, list_message())
        assert got.status == 503
        assert json.loads(got.body) == {"message": "authorization is unavailable"}
        gate.authz.child.wait()

        back()


# --- The server's own challenge, which would lead clients to a login that mcp-authz does not accept.

INSIDE = 'Bearer resource_metadata="http://10.0.0.7:8080/.well-known/oauth-protected-resource"'
CHALLENGES = [
    f"www-authenticate: {INSIDE}",
    'WWW-Authenticate: Basic realm="10.0.0.7"',
    "proxy-authenticate: Basic",
]


@pytest.mark.parametrize("message", [list_message(), call_message("shown_a")])
@pytest.mark.parametrize(
    ("status", "content_type"),
    [
        ("401 Unauthorized", "application/json"),
        ("403 Forbidden", "text/plain"),
        ("407 Proxy Authentication Required", None),
        ("200 OK", "application/json"),
    ],
)
def test_the_challenge_of_a_server_does_not_reach_the_client(
    ask, upstream, status, content_type, message
):
    upstream.says(answer(b'{"error":"unauthorized"}', content_type, *CHALLENGES, status=status))
    fetched = ask(message)
    assert upstream.requests
    assert fetched.status == int(status.split()[0])
    assert "www-authenticate" not in fetched.headers
    assert "proxy-authenticate" not in fetched.headers
    assert "10.0.0.7" not in str(fetched.headers)


def test_the_challenge_of_mcp_authz_reaches_the_client(gate):
    fetched = fetch(gate.url("raw"), None, list_message())
    assert fetched.status == 401
    assert "resource_metadata=" in fetched.headers["www-authenticate"]


# --- Hosts and origins, which official SDK servers compare with the address they listen on.


def test_the_server_sees_its_own_host_and_no_origin(ask, upstream):
    upstream.says(answer(result(tools=[])))
    ask(origin="https://app.example.com")
    request = upstream.requests[0]
    assert request.header("host") == "127.0.0.1:8080"
    assert request.header("origin") is None
