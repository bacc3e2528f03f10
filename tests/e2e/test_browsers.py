"""Browsers: a page of another origin, and the web page of the Inspector, which signs in by itself."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from gate import METADATA_PATH, Gate
from keys import Key, claims
from policies import DESK
from processes import Process, free_port, wait_for
from products import INSPECTOR, home
from tools import NODE, node
from wire import HEADERS, INITIALIZE

# That of the shipped configuration of Envoy.
ALLOWED_ORIGIN = "https://app.example.com"
WEB_TOKEN = "of-the-inspector"


def chromium() -> str:
    """The browser."""
    found = shutil.which("chromium")
    assert found is not None, "chromium is missing: run tests/run e2e"
    return found


def asked_by_a_page(origin: str, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a page of this origin gets of each request."""
    ran = subprocess.run(
        node("page.mjs", chromium(), origin),
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def requests(gate: Gate, key: Key) -> list[dict[str, Any]]:
    """Discovery, a request without a token, and one with everything that a client may say."""
    url = gate.url(DESK)
    token = key.sign(claims(gate.issuer, url))
    hello = {
        "url": url,
        "method": "POST",
        "headers": HEADERS | {"content-type": "application/json"},
        "body": json.dumps(INITIALIZE),
    }
    more = {
        "authorization": f"Bearer {token}",
        "mcp-param-region": "eu",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return [
        # SDKs name the revision here too, so that the browser asks before.
        {"url": f"{gate.origin}{METADATA_PATH}/{DESK}/mcp", "headers": HEADERS},
        hello,
        hello | {"headers": hello["headers"] | more},
    ]


def test_a_page_of_an_allowed_origin_reads_all_that_a_client_needs(desk, key):
    asked = requests(desk, key)
    metadata, challenge, session = asked_by_a_page(ALLOWED_ORIGIN, asked)
    assert metadata["status"] == 200, metadata
    assert json.loads(metadata["text"])["authorization_servers"] == [desk.issuer]
    assert challenge["status"] == 401, challenge
    assert f'resource_metadata="{desk.origin}' in challenge["headers"]["www-authenticate"]
    assert session["status"] == 200, session
    assert session["headers"]["mcp-session-id"]
    assert "notes-ts1" in session["text"]


def test_a_page_of_another_origin_reads_the_metadata_alone(desk, key):
    asked = requests(desk, key)
    metadata, *others = asked_by_a_page("https://other.example.com", asked)
    assert metadata["status"] == 200, metadata
    assert all("Failed to fetch" in other["refused"] for other in others), others


@pytest.fixture
def page(desk: Gate, own: Path) -> Iterator[Process]:
    """A user of the Inspector's page, which is told to connect to the server."""
    port = free_port()
    env = home(own / "inspector") | {
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": "0",
        "MCP_INSPECTOR_API_TOKEN": WEB_TOKEN,
        "MCP_AUTO_OPEN_ENABLED": "false",
    }
    with Process("inspector-web", [NODE, INSPECTOR, "--web"], own, env=env):
        origin = f"http://127.0.0.1:{port}"

        def up() -> bool:
            try:
                return httpx.get(origin).status_code == 200
            except httpx.TransportError as error:
                raise AssertionError(f"no page yet: {error}") from error

        wait_for("page of the Inspector", up)
        query = {
            "MCP_INSPECTOR_API_TOKEN": WEB_TOKEN,
            "autoConnect": WEB_TOKEN,
            "serverUrl": desk.url(DESK),
            "transport": "http",
        }
        script = node("inspector_web.mjs", chromium(), f"{origin}/?{urlencode(query)}")
        with Process("inspector-page", script, own) as process:
            yield process


def take(page: Process, **step: Any) -> str:
    """What the user sees after a step."""
    page.write(json.dumps(step))
    reply = json.loads(page.line(90))
    assert reply["seen"], (step, reply["text"], page.tail())
    return reply["text"]


@pytest.mark.timeout(240)
def test_the_inspectors_page_signs_in_calls_and_steps_up(page):
    """It is of another origin than the server and the provider, to which it redirects."""
    shown = take(page, do="open")
    assert "create_note" in shown and "delete_note" not in shown
    take(page, do="call", tool="get_note", arguments={"id": "first"}, see="the first note")
    denied = "Denied: the policy denies the request (denied_by_rule)"
    take(page, do="call", tool="get_note", arguments={"id": "second"}, see=denied)

    # The scopes that it has are asked for again, so that none is lost.
    note = {"id": "by-page", "text": "written in a browser"}
    asked = take(page, do="call", tool="create_note", arguments=note, see="notes:write")
    assert "needs additional scope: notes:write" in asked
    take(page, do="authorize")
    take(page, do="call", tool="create_note", arguments=note, see="Results")
    seen = "written in a browser"
    take(page, do="call", tool="get_note", arguments={"id": "by-page"}, see=seen)
