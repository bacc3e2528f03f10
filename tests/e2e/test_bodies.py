"""Whole bodies pass however they are sent and shown to mcp-authz; cut ones do not."""

import json

import httpx
import pytest
from gate import Gate, Upstream
from scripted import answer, result, scripted
from wire import HEADERS, call_message

KIB = 1024
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


def with_request_body(config):
    """The settings of Envoy's `ext_authz` filter for bodies."""
    if isinstance(config, dict):
        if "with_request_body" in config:
            return config["with_request_body"]
        config = list(config.values())
    for value in config if isinstance(config, list) else []:
        if (found := with_request_body(value)) is not None:
            return found
    return None


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module", params=["bytes", "text"])
def gate(request, run_dir, upstream, key):
    """A gate whose Envoy shows bodies as bytes or as text, and cuts what is over 8 KiB."""

    def adjust(config):
        with_request_body(config).update(
            max_request_bytes=8 * KIB,
            allow_partial_message=True,
            pack_as_bytes=request.param == "bytes",
        )

    settings = {"string_body": "accept"}
    gated = [Upstream("raw", upstream.port, "/raw/mcp", settings=settings)]
    run = run_dir / f"bodies-{request.param}"
    with Gate(run, gated, POLICY, key=key, adjust=adjust) as gate:
        yield gate


@pytest.fixture
def send(gate):
    """Sends a body in two pieces, with its length or without."""

    def send(body: bytes, version: str, announced: bool) -> httpx.Response:
        http2 = version == "HTTP/2"
        headers = HEADERS | {
            "authorization": f"Bearer {gate.token('raw')}",
            "content-type": "application/json",
        }
        if announced:
            headers["content-length"] = str(len(body))
        half = len(body) // 2
        with httpx.Client(http1=not http2, http2=http2) as http:
            pieces = iter([body[:half], body[half:]])
            response = http.post(gate.url("raw"), content=pieces, headers=headers)
        assert response.http_version == version
        return response

    return send


@pytest.mark.parametrize("size", [KIB, 7 * KIB])
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_a_whole_body_passes(upstream, send, version, announced, size):
    upstream.says(answer(result(content=[])))
    body = json.dumps(call_message("size", text="é" * (size // 6))).encode()
    response = send(body, version, announced)
    assert response.status_code == 200, response.text
    assert upstream.requests[0].body == body


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_a_cut_body_does_not(upstream, send, version, announced):
    upstream.says(answer(result(content=[])))
    # What is left of it is a whole message.
    body = json.dumps(call_message("size")).encode() + b" " * 16 * KIB
    response = send(body, version, announced)
    assert response.status_code == 413
    assert response.json()["error"]["data"]["reason"] == "body_truncated"
    assert upstream.requests == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_what_has_no_body_passes(upstream, gate, version, method):
    upstream.says(answer(b"", None, status="405 Method Not Allowed"))
    http2 = version == "HTTP/2"
    headers = HEADERS | {"authorization": f"Bearer {gate.token('raw')}"}
    with httpx.Client(http1=not http2, http2=http2) as http:
        response = http.request(method, gate.url("raw"), headers=headers)
    assert (response.http_version, response.status_code) == (version, 405)
    assert [request.method for request in upstream.requests] == [method]
