"""Clients that people run, through the gate: list, call, and what the user is told of a refusal."""

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from gate import Gate
from keys import Key, claims
from policies import POLICY
from processes import wait_for
from products import PRODUCTS, Product, Seen
from provider import Provider

SERVER = "ts1"
SHOWN = ["announce", "create_note", "get_note", "list_notes", "size", "slow", "whoami"]
EXTRA = [
    {
        "id": "private",
        "effect": "deny",
        "what": {"servers": [SERVER], "tools": ["get_note"], "arguments": {"id": "second"}},
        "message": "That note is private.",
    },
    {
        "id": "one-size",
        "effect": "limit",
        "what": {"servers": [SERVER], "tools": ["size"]},
        "limit": {"calls": 1, "per": "1h", "by": ["subject"]},
    },
]


@pytest.fixture(scope="module")
def desk(run_dir: Path, upstreams, key: Key) -> Iterator[Gate]:
    """A gate of their own, with the provider behind it."""
    directory = run_dir / "clients"
    guarded = [one for one in upstreams if one.name == SERVER]
    guarded = [replace(one, settings={"session_binding": "strict"}) for one in guarded]
    policy = copy.deepcopy(POLICY)
    policy["rules"] += EXTRA
    provider = Provider(directory / "provider", [key])
    gate = Gate(directory, guarded, policy, provider_port=provider.port)
    provider.start(gate.issuer)
    with gate:
        yield gate
    provider.stop()


@pytest.fixture
def client(desk: Gate, own: Path, key: Key) -> Callable[..., Product]:
    """Makes a client with a token of its own, or with OAuth; use it as a context."""

    def make(kind: str, subject: str = "alice", oauth: bool = False, **more: object) -> Product:
        url = desk.url(SERVER)
        token = None if oauth else key.sign(claims(desk.issuer, url, subject, **more))
        return PRODUCTS[kind](url, own / kind, token)

    return make


@pytest.mark.parametrize("kind", PRODUCTS)
def test_probe(client, kind):
    print("\n==", kind)
    with client(kind, subject=f"probe-{kind}") as product:
        print("tools", product.tools())
        for tool, arguments in [
            ("get_note", {"id": "first"}),
            ("get_note", {"id": "second"}),
            ("delete_note", {"id": "first"}),
            ("create_note", {"id": "x", "text": "t"}),
            ("size", {"text": "abc"}),
            ("size", {"text": "abc"}),
            ("get_note", {"id": "first"}),
        ]:
            try:
                print(tool, arguments, product.call(tool, **arguments))
            except Exception as error:
                print(tool, arguments, "RAISED", repr(error)[:600])
    try:
        with client(kind, exp=1) as product:
            print("401", product.call("get_note", id="first"))
    except Exception as error:
        print("401 RAISED", repr(error)[:600])
