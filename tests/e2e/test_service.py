"""What operators rely on: nothing passes without the service, and its evidence is complete."""

import json

import httpx
import pytest
from gate import METADATA_PATH, Gate
from keys import claims
from policies import POLICY
from processes import wait_for
from wire import answer, call_message, post

SECRET = "an argument that no record may hold"
CALL = call_message("list_notes")


def json_lines(output: list[str]) -> list[dict]:
    """Those of the lines that are JSON objects."""
    return [json.loads(line) for line in list(output) if line.startswith("{")]


def test_without_the_service_nothing_passes_and_with_it_all_is_well_again(own, upstreams, provider):
    with Gate(own, upstreams, POLICY, provider.issuer) as gate, httpx.Client() as http:
        url = gate.url("ts2")
        token = provider.keys[0].sign(claims(provider.issuer, url))
        assert post(http, url, token, CALL).status_code == 200
        assert gate.authz.stop() == 0
        for _ in range(20):
            response = post(http, url, token, CALL)
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/json"
            # Not JSON-RPC: without the id of the request, rmcp clients would wait for ever.
            assert response.json() == {"message": "authorization is unavailable"}
        gate.start_authz()
        gate.wait_ready()
        # Envoy's worker learns a moment later than its main thread that somebody is there again.
        wait_for("an answer", lambda: post(http, url, token, CALL).status_code == 200, seconds=5)


def test_each_decision_is_recorded_once_and_without_values(gate, mint):
    token = mint("ts2")
    with httpx.Client() as http:
        denied = post(http, gate.url("ts2"), token, call_message("delete_note", id=SECRET))
    decision_id = answer(denied)["result"]["_meta"]["decision_id"]

    def records() -> list[dict]:
        return [one for one in json_lines(gate.authz.output) if decision_id in str(one)]

    wait_for("the audit record", records, seconds=5)
    (record,) = records()
    assert record["decision"] == "deny"
    assert record["reason"] == "denied_by_rule"
    assert record["rules"] == ["nobody-deletes"]
    assert record["subject"] == "alice"
    assert record["arguments"]["names"] == ["id"]
    written = "".join(gate.authz.output) + gate.authz.log.read_text()
    assert SECRET not in written
    assert token not in written
    assert token.rsplit(".", 1)[1] not in written


def test_the_decision_reaches_envoys_access_log(gate, mint):
    with httpx.Client() as http:
        denied = post(http, gate.url("ts2"), mint("ts2"), call_message("delete_note", id="first"))
    decision_id = answer(denied)["result"]["_meta"]["decision_id"]

    def logged() -> list[dict]:
        lines = json_lines(gate.envoy.output)
        return [one["authz"] for one in lines if decision_id in str(one.get("authz"))]

    wait_for("the access log", logged, seconds=5)
    (metadata,) = logged()
    assert metadata["reason"] == "denied_by_rule"
    assert metadata["server"] == "ts2"
    assert metadata["method"] == "tools/call"
    assert metadata["name"] == "delete_note"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_the_admin_interface_answers(gate, path):
    assert gate.admin.get(path).status_code == 200


def test_decisions_are_counted_by_reason(gate, mint):
    def counted() -> float:
        lines = gate.metrics().splitlines()
        return sum(float(line.split()[-1]) for line in lines if 'reason="denied_by_rule"' in line)

    before = counted()
    with httpx.Client() as http:
        post(http, gate.url("ts2"), mint("ts2"), call_message("delete_note", id="first"))
    assert counted() == before + 1


# --- Pages in browsers.

LISTED = "https://app.example.com"
UNLISTED = "https://elsewhere.example"


def preflight(gate, path, origin, method="POST"):
    asked = {"origin": origin, "access-control-request-method": method}
    asked["access-control-request-headers"] = "authorization,mcp-param-region"
    return httpx.options(f"{gate.origin}{path}", headers=asked)


@pytest.mark.parametrize("origin", [LISTED, UNLISTED])
def test_a_page_of_any_origin_reads_the_metadata(gate, origin):
    path = f"{METADATA_PATH}/ts2/mcp"
    for suffix in ("", "/", "?a=b"):
        response = httpx.get(f"{gate.origin}{path}{suffix}", headers={"origin": origin})
        assert response.status_code == 200
        assert response.headers.get_list("access-control-allow-origin") == ["*"]
    response = preflight(gate, path, origin, "GET")
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-headers"] == "*"


def test_pages_of_listed_origins_alone_may_call_a_server(gate):
    response = preflight(gate, "/ts2/mcp", LISTED)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == LISTED
    assert response.headers["access-control-allow-headers"] == "authorization, *"
    response = preflight(gate, "/ts2/mcp", UNLISTED)
    assert response.status_code == 403
    assert response.json()["error"]["data"]["reason"] == "origin_not_allowed"
    assert "www-authenticate" not in response.headers
    assert "access-control-allow-origin" not in response.headers
