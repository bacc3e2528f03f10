"""Nobody waits for an issuer longer than Envoy waits for mcp-authz."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from gate import Gate, Upstream
from keys import Key, claims
from processes import wait_for
from scripted import answer, result, scripted
from wire import call_message, post

POLICY = {
    "rules": [
        {
            "id": "anyone",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": ["raw"], "tools": ["size"]},
        }
    ]
}
RARELY = {"refresh": "1h", "stale_max": "6h", "min_interval": "1s"}


class Issuer:
    """An issuer that publishes its keys, and takes its time from when it is told to."""

    def __init__(self, keys: list[Key]) -> None:
        issuer = self
        self.keys = keys
        self.may_answer = threading.Event()
        self.may_answer.set()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.may_answer.wait()
                if self.path == "/keys":
                    document = {"keys": [key.jwk() for key in issuer.keys]}
                else:
                    document = {"issuer": issuer.name, "jwks_uri": f"{issuer.name}/keys"}
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.may_answer.set()
        self.server.shutdown()


@pytest.fixture
def issuer():
    issuer = Issuer([Key("old", "ES256")])
    yield issuer
    issuer.stop()


def test_a_slow_issuer_is_no_fault_of_the_authorizer(run_dir, issuer):
    fresh = Key("new", "ES256")
    with scripted() as upstream:
        upstream.says(answer(result(content=[])))
        gated = [Upstream("raw", upstream.port, "/raw/mcp")]
        with Gate(run_dir / "waits", gated, POLICY, issuer.name, keys=RARELY) as gate:
            url = gate.url("raw")

            def ask(key: Key) -> httpx.Response:
                token = key.sign(claims(issuer.name, url))
                with httpx.Client(timeout=5) as http:
                    return post(http, url, token, call_message("size"))

            assert ask(issuer.keys[0]).status_code == 200
            issuer.may_answer.clear()
            began = time.monotonic()
            response = ask(fresh)
            took = time.monotonic() - began
            # It is mcp-authz that answers, and not Envoy that gave it up.
            assert response.status_code == 503, response.text
            assert response.json()["error"]["data"]["reason"] == "keys_unavailable"
            assert response.headers["retry-after"] == "5"
            assert took < 5
            (record,) = gate.audit(reason="keys_unavailable")
            assert record["mcp.method.name"] == "tools/call"
            failures = gate.envoy_stats(r"cluster.mcp_authz.upstream_rq_(timeout|per_try_timeout)")
            assert sum(failures.values()) == 0, failures
            # Those whose key is known do not wait, and the fetch goes on.
            assert ask(issuer.keys[0]).status_code == 200
            issuer.keys.append(fresh)
            issuer.may_answer.set()
            wait_for("the new key", lambda: ask(fresh).status_code == 200)


def test_a_slow_issuer_is_waited_for(run_dir, issuer):
    fresh = Key("new", "ES256")
    with scripted() as upstream:
        upstream.says(answer(result(content=[])))
        gated = [Upstream("raw", upstream.port, "/raw/mcp")]
        with Gate(run_dir / "slow", gated, POLICY, issuer.name, keys=RARELY) as gate:
            url = gate.url("raw")
            # min_interval has passed since the fetch at the start.
            time.sleep(1.1)
            issuer.may_answer.clear()
            issuer.keys.append(fresh)
            answers = threading.Timer(0.8, issuer.may_answer.set)
            answers.start()
            began = time.monotonic()
            token = fresh.sign(claims(issuer.name, url))
            with httpx.Client(timeout=10) as http:
                response = post(http, url, token, call_message("size"))
            assert response.status_code == 200, response.text
            assert time.monotonic() - began > 0.7
            answers.join()


def test_a_body_without_a_caller_is_not_read(run_dir, key):
    members = ",".join(f'"ẞİ{number:x}":0' for number in range(60_000))
    body = (
        '{"jsonrpc":"2.0","id":"mine","method":"tools/call","params":{"name":"size","arguments":{'
        + members
        + "}}}"
    ).encode()
    assert 800_000 < len(body) < 1024 * 1024
    with scripted() as upstream:
        gated = [Upstream("raw", upstream.port, "/raw/mcp")]
        with Gate(run_dir / "unread", gated, POLICY, key=key) as gate:

            def send(token: str | None) -> httpx.Response:
                headers = {"content-type": "application/json"}
                if token is not None:
                    headers["authorization"] = f"Bearer {token}"
                with httpx.Client(timeout=10) as http:
                    return http.post(gate.url("raw"), content=body, headers=headers)

            other = Key(key.kid, key.alg)
            forged = other.sign(claims(gate.issuer, gate.url("raw")))
            for token, reason in [(None, "missing_token"), (forged, "invalid_signature")]:
                response = send(token)
                assert response.status_code == 401, response.text
                assert response.json()["id"] == "mine"
                assert response.json()["error"]["data"]["reason"] == reason
            response = send(gate.token("raw"))
            assert response.status_code == 413, response.text
            assert response.json()["error"]["data"]["reason"] == "too_many_values"
            assert upstream.requests == []
