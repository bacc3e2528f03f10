"""What was decided once runs once, as it was judged, or not at all."""

import json

import http2
import httpx
import pytest
import yaml
from clients import Client
from gate import Gate, Upstream, pass_on
from policies import POLICY as MEMBERS
from processes import free_port, wait_for
from scripted import answer, result, scripted
from tools import ROOT
from wire import HEADERS, INITIALIZE, call_message, fetch, modern_message

POLICY = {
    "rules": [
        {
            "id": "members",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": ["raw"], "tools": ["*"]},
        },
        {
            "id": "readers",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"servers": ["raw"], "resources": ["note://**"]},
        },
        {
            "id": "some",
            "effect": "limit",
            "what": {"servers": ["raw"], "tools": ["counted"]},
            "limit": {"calls": 3, "per": "1h", "by": ["subject"]},
        },
    ]
}
DONE = result(content=[{"type": "text", "text": "done"}])
LOCK = "envoy.filters.http.header_mutation"
STEERING = {
    "x-envoy-retry-on": "5xx,gateway-error,reset,retriable-status-codes,retriable-headers",
    "x-envoy-retry-grpc-on": "internal,unavailable",
    "x-envoy-max-retries": "5",
    "x-envoy-retriable-status-codes": "503,404",
    "x-envoy-retriable-header-names": "content-type",
    "x-envoy-hedge-on-per-try-timeout": "true",
    "x-envoy-upstream-rq-timeout-ms": "60000",
    "x-envoy-upstream-rq-per-try-timeout-ms": "20000",
    "x-envoy-upstream-rq-timeout-alt-response": "1",
    "x-envoy-upstream-alt-stat-name": "mine",
    "x-envoy-expected-rq-timeout-ms": "60000",
    "x-envoy-decorator-operation": "mine",
}


def manager_of(envoy: dict) -> dict:
    """The connection manager of the guarded listener."""
    listener = envoy["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def shipped_lock() -> dict:
    """The header_mutation filter, which gates leave out."""
    shipped = yaml.safe_load((ROOT / "envoy/envoy.yaml").read_text())
    filters = manager_of(shipped)["http_filters"]
    return next(one for one in filters if one["name"] == LOCK)


INTERNAL = {"cidr_ranges": [{"address_prefix": "127.0.0.0", "prefix_len": 8}]}


@pytest.mark.parametrize("locked", [False, True], ids=["by mcp-authz", "by both locks"])
def test_a_client_that_envoy_takes_for_internal_does_not_multiply_a_call(own, key, locked):
    open_port = free_port()

    def adjust(envoy: dict) -> None:
        manager = manager_of(envoy)
        manager["internal_address_config"] = INTERNAL
        # So that a header spelled with `_` comes to mcp-authz at all.
        manager["common_http_protocol_options"]["headers_with_underscores_action"] = "ALLOW"
        if locked:
            manager["http_filters"].insert(0, shipped_lock())
        # The same server with nobody in between, to see what the headers would do.
        unguarded = pass_on("unguarded", open_port, "raw")
        config = unguarded["filter_chains"][0]["filters"][0]["typed_config"]
        config |= {"use_remote_address": True, "internal_address_config": INTERNAL}
        envoy["static_resources"]["listeners"].append(unguarded)

    with scripted() as upstream:
        gated = [Upstream("raw", upstream.port, "/raw/mcp")]
        with Gate(own, gated, POLICY, key=key, adjust=adjust) as gate:
            message = call_message("once")
            busy = answer(b"busy", "text/plain", status="503 Busy")
            upstream.says(busy)
            open_url = f"http://127.0.0.1:{open_port}/raw/mcp"
            with httpx.Client() as http:
                assert http.post(open_url, json=message, headers=STEERING).status_code == 503
            assert len(upstream.requests) == 6

            underscored = {name.replace("-", "_"): value for name, value in STEERING.items()}
            for headers in (STEERING, underscored):
                upstream.says(busy)
                named = HEADERS | headers | {"authorization": f"Bearer {gate.token('raw')}"}
                with httpx.Client(timeout=30) as http:
                    refused = http.post(gate.url("raw"), json=message, headers=named)
                assert refused.status_code == 503
                assert refused.content == b"busy"
                assert len(upstream.requests) == 1
                names = [name.replace("_", "-") for name, _ in upstream.requests[0].headers]
                # The router says these itself.
                told = {"x-envoy-expected-rq-timeout-ms", "x-envoy-attempt-count"}
                assert not set(names) & (set(STEERING) - told)
            wait_for("two records", lambda: len(gate.audit(decision="allow")) == 2, seconds=5)


@pytest.fixture(scope="module")
def counted(run_dir, key):
    """A gate in front of a scripted upstream, with the policy that sets headers of its own."""
    policy = {"rules": [dict(rule) for rule in POLICY["rules"]]}
    policy["rules"][0]["set"] = {"headers": {"x-team": "a", "x-cost": "b", "x-tier": "c"}}
    with scripted() as upstream:
        gated = [Upstream("raw", upstream.port, "/raw/mcp")]
        with Gate(run_dir / "counted", gated, policy, key=key) as gate:
            yield gate, upstream


def with_headers(gate: Gate, count: int, tool: str):
    """A call with so many headers more than it needs."""
    more = {f"x-more-{number}": "1" for number in range(count)}
    return fetch(gate.url("raw"), gate.token("raw"), call_message(tool), **more)


def test_however_many_headers_a_call_runs_or_is_refused_with_a_reason(counted):
    gate, upstream = counted
    ran = refused = unread = 0
    for count in range(60, 102):
        upstream.says(answer(DONE))
        got = with_headers(gate, count, "any")
        if upstream.requests:
            assert got.status == 200, count
            told = dict(upstream.requests[0].headers)
            assert (told["x-team"], told["x-mcp-authz-subject"]) == ("a", "alice")
            ran += 1
        elif got.status == 431 and got.body.startswith(b"{"):
            assert got.reason == "too_many_headers"
            refused += 1
        else:
            # More than Envoy reads: it asks nobody.
            assert got.status == 431, count
            unread += 1
    assert min(ran, refused, unread) > 0, (ran, refused, unread)
    def recorded() -> bool:
        counts = [len(gate.audit(decision=decision)) for decision in ("allow", "reject")]
        return counts == [ran, refused]

    wait_for("the records of all", recorded, seconds=5)


def test_however_long_headers_are_a_read_runs_or_is_refused_with_a_reason(counted):
    gate, upstream = counted
    ran = refused = unread = 0
    params = {"uri": "note://" + "a" * 8000}
    message = {"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": params}
    for kib in range(30, 62):
        upstream.says(answer(DONE))
        got = fetch(gate.url("raw"), gate.token("raw"), message, x_long="a" * kib * 1024)
        if upstream.requests:
            assert (got.status, len(upstream.requests)) == (200, 1), kib
            ran += 1
        elif got.status == 431 and got.body.startswith(b"{"):
            assert got.reason == "too_many_headers"
            refused += 1
        else:
            assert got.status == 431, kib
            unread += 1
    assert min(ran, refused, unread) > 0, (ran, refused, unread)


def test_a_call_with_too_many_headers_takes_nothing_from_a_limit(counted):
    gate, upstream = counted
    upstream.says(answer(DONE))
    for count in range(80, 95):
        assert with_headers(gate, count, "counted").status in (200, 431)
        if upstream.requests:
            upstream.requests.clear()
            pytest.fail(f"{count} headers are not too many")
    for _ in range(3):
        assert b"done" in with_headers(gate, 0, "counted").body
    assert b"rate_limited" in with_headers(gate, 0, "counted").body


@pytest.mark.parametrize("form", ["two lines", "one line"])
def test_a_header_that_comes_twice_reaches_the_server_once(counted, form):
    gate, upstream = counted
    twice = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "any",
        "content-type": "application/json",
    }
    headers = [("accept", HEADERS["accept"]), ("authorization", f"Bearer {gate.token('raw')}")]
    for name, value in twice.items():
        one_line = [(name, f"{value}, {value}")]
        headers += [(name, value)] * 2 if form == "two lines" else one_line
    # Half of a surrogate pair, which nobody looks at.
    text = json.dumps(modern_message("tools/call", name="any", arguments={"a": "\ud83d"}))
    upstream.says(answer(DONE))
    with httpx.Client() as http:
        got = http.post(gate.url("raw"), content=text, headers=headers)
    assert got.status_code == 200, got.text
    [seen] = upstream.requests
    for name, value in twice.items():
        assert [told for other, told in seen.headers if other == name] == [value]
    assert seen.body == text.encode()


def test_the_version_of_a_handshake_is_that_of_its_body(counted):
    gate, upstream = counted
    for version, seen_version in [("2025-03-26", "2025-03-26"), ("2026-07-28", None)]:
        upstream.says(answer(DONE))
        got = fetch(gate.url("raw"), gate.token("raw"), INITIALIZE, mcp_protocol_version=version)
        assert got.status == 200, got.body
        assert upstream.requests[0].header("mcp-protocol-version") == seen_version


FORGED = [
    ("x-mcp-authz-subject", "root"),
    ("authorization", "Bearer forged"),
    ("mcp-session-id", "stolen"),
    ("x-envoy-retry-on", "5xx"),
    ("x-other", "1"),
]


@pytest.mark.parametrize("locked", [False, True], ids=["without the lock", "with the lock"])
def test_no_trailer_reaches_a_server(own, key, locked):
    def adjust(envoy: dict) -> None:
        if locked:
            manager_of(envoy)["http_filters"].insert(0, shipped_lock())
        clusters = envoy["static_resources"]["clusters"]
        cluster = next(one for one in clusters if one["name"] == "raw")
        kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {
            kind: {
                "@type": f"type.googleapis.com/{kind}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }

    with http2.server(DONE) as upstream:
        gated = [Upstream("raw", upstream.port, "/raw/mcp")]
        with Gate(own, gated, POLICY, key=key, adjust=adjust) as gate:
            headers = [*HEADERS.items(), ("content-type", "application/json")]
            headers.append(("authorization", f"Bearer {gate.token('raw')}"))
            headers.append(("te", "trailers"))
            body = json.dumps(call_message("any")).encode()
            status, answered = http2.post(
                gate.ports["mcp"], "/raw/mcp", headers, body, FORGED
            )
            assert (status, answered) == (200, DONE)
            assert dict(upstream.headers[0])["x-mcp-authz-subject"] == "alice"
            # Without it they pass whole, which is why it is there.
            assert upstream.trailers == ([] if locked else [FORGED])


STREAM_SECONDS = 2


@pytest.fixture(scope="module")
def short(run_dir, upstreams, key):
    """A gate whose streams live for two seconds."""

    def adjust(envoy: dict) -> None:
        host = manager_of(envoy)["route_config"]["virtual_hosts"][0]
        for route in host["routes"]:
            if "route" in route:
                bound = route["route"]["max_stream_duration"]
                assert bound == {"max_stream_duration": "900s"}
                bound["max_stream_duration"] = f"{STREAM_SECONDS}s"

    with Gate(run_dir / "short", upstreams, MEMBERS, key=key, adjust=adjust) as gate:
        yield gate


# How many streams a client opens of those that Envoy breaks off. The Python SDKs give up after the
# second in a row; their calls go on.
STREAMS = {"py1": 2, "py2": 2, "ts1": 5, "ts2": 5}


@pytest.mark.parametrize("kind", STREAMS)
def test_clients_open_a_stream_again_that_envoy_ended(short, run_dir, kind):
    seen = {"decision": "allow", "server": "py1", "http.request.method": "GET"}
    wanted = len(short.audit(**seen)) + STREAMS[kind]
    with Client(kind, short.url("py1"), run_dir, token=short.token("py1")) as client:
        wait_for("several streams", lambda: len(short.audit(**seen)) >= wanted, seconds=40)
        assert client.call("whoami").ok
