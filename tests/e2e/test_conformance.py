"""The official conformance suites find the same through the gate as straight at a server.

Every scenario that a suite has for servers runs twice, and every check has to end in the same way.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from conformance import Injector, Leg, differences
from gate import Upstream
from processes import Process
from provider import Provider
from tools import node

pytestmark = pytest.mark.timeout(300)

LEGS = [
    # Revisions up to 2025-11-25.
    Leg("stable", "conformance-2025"),
    # Each scenario at its own revision: 2025-11-25, or 2026-07-28 where it came with that one.
    Leg("own-revision", "conformance-2026"),
    # At 2026-07-28 what older revisions have as well.
    Leg("2026-07-28", "conformance-2026", ("--spec-version", "2026-07-28")),
]
NAMES = [leg.name for leg in LEGS]
# How many scenarios each leg has; the versions of the suites are pinned.
SCENARIOS = {"stable": 32, "own-revision": 65, "2026-07-28": 40}
# What does not pass straight at the server, so that two failures are not taken for agreement.
NOT_PASSED = {
    "stable": {
        # The suite speaks 2025-03-26 in a session of 2025-11-25, and the server does not prime
        # streams for clients that old.
        ("server-sse-polling", "ServerSendsPrimingEvent"): "WARNING",
        ("server-sse-polling", "ServerSendsRetryField"): "WARNING",
    },
    "own-revision": {
        # The suite has not written it yet.
        ("tasks-status-notifications", "TasksStatusNotificationsScenario"): "SKIPPED",
    },
    "2026-07-28": {},
}
ALLOW_EVERYTHING = {
    "rules": [
        {
            "id": "everything",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": NAMES},
        },
        {
            # A method that MCP does not have needs a rule that names it.
            "id": "unknown-methods",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": NAMES, "methods": ["unknown/*"]},
        },
    ]
}


@pytest.fixture(scope="module")
def runs(run_dir, key):
    """What each leg found straight and through the gate, and the metrics of mcp-authz then."""
    own = run_dir / "conformance"
    own.mkdir()
    with ExitStack() as stack:
        commands = [node("everything.mjs", leg.path) for leg in LEGS]
        servers = [
            stack.enter_context(Process(name, command, own))
            for name, command in zip(NAMES, commands, strict=True)
        ]
        ports = [server.port() for server in servers]
        # Named by their routes: a hostile Host has to reach the server, whose answer is checked.
        upstreams = [
            # The suite takes up streams that broke off, each in its own session.
            Upstream(
                leg.name, port, leg.path, found_by_route=True, settings={"resume": "on"}
            )
            for leg, port in zip(LEGS, ports, strict=True)
        ]
        provider = Provider(own / "provider", [key])
        stack.callback(provider.stop)
        provider.start()
        gate = Injector(own / "gate", upstreams, ALLOW_EVERYTHING, provider.issuer, key=key)
        stack.enter_context(gate)

        def both_ways(leg, port):
            # One after the other: a server tells all its listeners of a change.
            straight = leg.run(f"http://127.0.0.1:{port}", own / leg.name / "straight")
            return straight, leg.run(gate.injector, own / leg.name / "through")

        with ThreadPoolExecutor(len(LEGS)) as pool:
            found = list(pool.map(both_ways, LEGS, ports))
        return dict(zip(NAMES, found, strict=True)), gate.metrics()


@pytest.mark.parametrize("leg", NAMES)
def test_the_server_passes_the_suite(runs, leg):
    straight, _ = runs[0][leg]
    assert len(straight) == SCENARIOS[leg]
    not_passed = {
        (scenario, check["name"]): check["status"]
        for scenario, checks in straight.items()
        for check in checks
        if check["status"] not in ("SUCCESS", "INFO")
    }
    assert not_passed == NOT_PASSED[leg]


@pytest.mark.parametrize("leg", NAMES)
def test_the_gate_changes_nothing_that_the_suite_checks(runs, leg):
    straight, through = runs[0][leg]
    assert straight.keys() == through.keys()
    found = [
        difference
        for scenario in straight
        for difference in differences(scenario, straight[scenario], through[scenario])
    ]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("leg", NAMES)
def test_the_suite_went_through_the_gate(runs, leg):
    decisions = re.findall(
        rf'^mcp_authz_decisions_total{{server="{leg}",decision="(\w+)",[^}}]*}} (\d+)$',
        runs[1],
        re.MULTILINE,
    )
    # Nothing is denied; what is ambiguous is rejected even if everything is allowed.
    assert {decision for decision, _ in decisions} <= {"allow", "reject"}
    assert sum(int(count) for decision, count in decisions if decision == "allow") > SCENARIOS[leg]
