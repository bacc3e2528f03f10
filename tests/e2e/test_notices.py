"""Mistakes in Envoy's configuration are noticed while it runs, and none takes readiness away.

The upstream is scripted: it lists `shown_a`, which members may use, and `secret_b`.
"""

import time

import httpx
import pytest
import yaml
from gate import Gate, Upstream, ext_procs
from processes import Process, free_port, wait_for
from scripted import answer, result, scripted, tool
from tools import AUTHZ
from wire import call_message, fetch, list_message

POLICY = {
    "rules": [
        {
            "id": "members",
            "effect": "allow",
            "who": {"groups": ["members"]},
            "what": {"tools": ["shown_*"]},
        }
    ]
}
BOTH = result(tools=[tool("shown_a"), tool("secret_b")])
FILTERED = result(tools=[tool("shown_a")])
EMPTY = result(tools=[])


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture
def start(own, upstream, key):
    """Makes a gate before one server that the route names."""

    def start(adjust=None, directory=own, servers=("raw",), by_route=True, **settings):
        ups = [Upstream(name, upstream.port, f"/{name}/mcp", by_route) for name in servers]
        return Gate(directory, ups, POLICY, key=key, adjust=adjust, settings=settings)

    return start


def notices(gate):
    """What stands in /readyz, which is ready."""
    ready = gate.admin.get("/readyz")
    assert ready.status_code == 200
    return {one["notice"]: one for one in ready.json()["details"]["notices"]}


def listed(gate, upstream):
    upstream.says(answer(BOTH))
    return fetch(gate.url("raw"), gate.token("raw"), list_message()).body


def filters(config):
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
    return manager["typed_config"]["http_filters"]


def filter_named(config, name):
    return next(one for one in filters(config) if one["name"] == f"envoy.filters.http.{name}")


def test_the_shipped_configuration_has_none(start, upstream):
    with start() as gate:
        assert listed(gate, upstream) == FILTERED
        upstream.says(answer(result(content=[])))
        fetch(gate.url("raw"), gate.token("raw"), call_message("shown_a"))
        assert notices(gate) == {}
        assert "mcp_authz_responses_expected_total 1\n" in gate.metrics()
        assert "mcp_authz_responses_begun_total 1\n" in gate.metrics()


def allowed_headers(config):
    patterns = [{"exact": name} for name in ("authorization", "content-type", "accept")]
    authz = filter_named(config, "ext_authz")["typed_config"]
    authz["allowed_headers"] = {"patterns": patterns}


def allowed_headers_and_ids(config):
    allowed_headers(config)
    authz = filter_named(config, "ext_authz")["typed_config"]
    patterns = authz["allowed_headers"]["patterns"]
    patterns += [{"exact": name} for name in ("x-request-id", "x-forwarded-proto")]


def disallowed_headers(config):
    authz = filter_named(config, "ext_authz")["typed_config"]
    authz["disallowed_headers"] = {"patterns": [{"prefix": "x-"}]}


def observability_mode(config):
    for one in ext_procs(config):
        one["observability_mode"] = True
        one["processing_mode"] = {"request_header_mode": "SKIP", "response_header_mode": "SEND"}


def without_forwarding(config):
    for one in ext_procs(config):
        del one["metadata_options"]


def buffered(config):
    for one in ext_procs(config):
        if "response_body_mode" in one["processing_mode"]:
            one["processing_mode"]["response_body_mode"] = "BUFFERED"


@pytest.mark.parametrize(
    ("adjust", "notice", "body"),
    [
        (allowed_headers, "headers_held_back", FILTERED),
        (allowed_headers_and_ids, "headers_held_back", FILTERED),
        (disallowed_headers, "headers_held_back", FILTERED),
        (observability_mode, "responses_only_observed", BOTH),
        (without_forwarding, "response_without_check", EMPTY),
        (buffered, "body_not_streamed", None),
    ],
)
def test_a_mistake_is_noticed(start, upstream, adjust, notice, body):
    with start(adjust) as gate:
        got = listed(gate, upstream)
        if body is not None:
            assert got == body
        found = wait_for("the notice", lambda: notices(gate).get(notice))
        assert found["count"] >= 1
        assert found["first"] <= found["last"]
        assert gate.metric("notices_total", notice=notice) == found["count"]


def without_composite(config):
    filters(config)[:] = [one for one in filters(config) if "composite" not in one["name"]]


def test_responses_that_are_never_shown_are_noticed(start, upstream):
    with start(without_composite) as gate:
        for _ in range(10):
            assert listed(gate, upstream) == BOTH
        assert notices(gate) == {}

        def noticed():
            assert listed(gate, upstream) == BOTH
            return notices(gate).get("responses_not_shown")

        assert wait_for("the notice", noticed, seconds=60)["count"] == 1
        assert "mcp_authz_responses_begun_total 0\n" in gate.metrics()


def test_a_server_found_by_host_is_noticed(start, upstream):
    with start(servers=("raw", "other"), by_route=False) as gate:
        assert listed(gate, upstream) == FILTERED
        assert list(notices(gate)) == ["server_by_host"]


@pytest.mark.parametrize("shared", [True, False])
def test_replicas_need_the_same_keys(own, start, upstream, shared):
    keys = own / "handoff.keys"
    keys.write_text("0a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829\n")
    settings = {"handoff": {"key_file": str(keys)}} if shared else {}
    port, admin = free_port(), free_port()

    def adjust(config):
        clusters = config["static_resources"]["clusters"]
        (cluster,) = [one for one in clusters if one["name"] == "mcp_authz"]
        # In turn: a check by one of them, its answer by the other.
        cluster["lb_policy"] = "ROUND_ROBIN"
        endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
        endpoints.append({"endpoint": {"address": address}})

    gate = start(adjust, directory=own / "one", **settings)
    config = yaml.safe_load(gate.config_file.read_text())
    config |= {"listen": f"127.0.0.1:{port}", "admin": {"listen": f"127.0.0.1:{admin}"}}
    other = own / "one" / "other.yaml"
    other.write_text(yaml.safe_dump(config))
    replica = Process("other", [AUTHZ, "serve", "--config", other], own)
    try:
        with gate:
            # Envoy looks at both every other second, and asks those that it has found well.
            time.sleep(4)
            bodies = {listed(gate, upstream) for _ in range(12)}
            ready = httpx.get(f"http://127.0.0.1:{admin}/readyz")
            assert ready.status_code == 200
            theirs = {one["notice"] for one in ready.json()["details"]["notices"]}
            if shared:
                assert bodies == {FILTERED}
                assert notices(gate).keys() | theirs == set()
            else:
                assert EMPTY in bodies
                assert bodies <= {EMPTY, FILTERED}
                assert notices(gate).keys() | theirs == {"context_of_another_process"}
    finally:
        replica.stop()
