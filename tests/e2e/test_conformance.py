"""The official conformance suites give the same results through the gate as straight at a server."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from conformance import Injector, Leg
from gate import Upstream
from processes import Process
from provider import Provider
from tools import node

LEGS = [
    # Up to 2025-11-25.
    Leg("stable", "conformance-2025"),
    # Each scenario at its own revision: the latest that has it up to 2025-11-25, else 2026-07-28.
    Leg("own-revision", "conformance-2026"),
    # What older revisions have as well, at 2026-07-28.
    Leg("2026-07-28", "conformance-2026", ("--spec-version", "2026-07-28")),
]
NAMES = [leg.name for leg in LEGS]
ALLOW_EVERYTHING = {
    "rules": [
        {
            "id": "everything",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": NAMES},
        },
        {
            "id": "methods-of-nobody",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": NAMES, "methods": ["unknown/*"]},
        },
    ]
}


@pytest.fixture(scope="module")
def results(run_dir, key):
    """What each leg found straight and through the gate."""
    own = run_dir / "conformance"
    own.mkdir()
    servers = [Process(leg.name, node("everything.mjs", leg.path), own) for leg in LEGS]
    ports = [server.port() for server in servers]
    upstreams = [
        # By its route: some scenarios send a hostile Host, which has to reach the server.
        Upstream(leg.name, port, leg.path, found_by_route=True)
        for leg, port in zip(LEGS, ports, strict=True)
    ]
    provider = Provider(own / "provider", [key])
    provider.start()
    with Injector(own / "gate", upstreams, ALLOW_EVERYTHING, provider.issuer, key=key) as gate:

        def both(leg, port):
            # One after the other, since the server tells its listeners of changes.
            straight = leg.run(f"http://127.0.0.1:{port}", own / leg.name / "straight")
            return straight, leg.run(gate.injector, own / leg.name / "through")

        with ThreadPoolExecutor(len(LEGS)) as pool:
            found = list(pool.map(both, LEGS, ports))
        yield dict(zip(NAMES, found, strict=True))
    provider.stop()
    for server in servers:
        server.stop()


@pytest.mark.parametrize("leg", NAMES)
def test_results(results, leg):
    straight, through = results[leg]
    assert straight.keys() == through.keys()
