"""What the tests stand on: the notes servers, the provider, and gates in front of them.

Everything listens on loopback, on ports of its own, and is stopped by its own pid.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from clients import SERVERS, Client
from gate import Gate, Upstream
from keys import Key, claims
from policies import DESK, DESK_POLICY, POLICY
from processes import Process
from provider import Provider
from tools import AUTHZ, ENVOY, HERE, NODE_DIR, RUNS, sdk_script


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Fails at once, with one line, where something is not installed."""
    for program in (AUTHZ, ENVOY):
        if not program.exists():
            pytest.exit(f"{program} is missing: run tests/run", returncode=2)
    # Node resolves packages from the script's own place.
    for script in (HERE / "node").glob("*.mjs"):
        shutil.copy(script, NODE_DIR)


@pytest.fixture(scope="session")
def run_dir() -> Path:
    """Where this run's logs and rendered configurations go."""
    shutil.rmtree(RUNS / "run", ignore_errors=True)
    (RUNS / "run").mkdir(parents=True)
    return RUNS / "run"


@pytest.fixture(scope="session")
def upstreams(run_dir: Path) -> Iterator[list[Upstream]]:
    """The notes server of each SDK, and one of them twice more with other shapes of denial."""
    processes = []
    found: list[Upstream] = []
    for sdk in SERVERS:
        path = f"/{sdk}/mcp"
        start = sdk_script("notes", sdk, path)
        processes.append(Process(f"notes-{sdk}", start, run_dir))
    for sdk, process in zip(SERVERS, processes, strict=True):
        by_route = sdk in ("py1", "ts1")
        found.append(Upstream(sdk, process.port(), f"/{sdk}/mcp", found_by_route=by_route))
    ts2 = found[-1]
    for shape in ("jsonrpc_error", "http_403"):
        name = shape.replace("_", "-")
        found.append(Upstream(name, ts2.port, ts2.path, settings={"deny": {"shape": shape}}))
    # As its transport has it: answers come on the GET stream, and a POST is accepted or refused.
    start = sdk_script("notes", "py1", "/old/mcp", "sse")
    processes.append(Process("notes-old", start, run_dir))
    old = {"responses_on_get": True}
    found.append(Upstream("old", processes[-1].port(), "/old/mcp", settings=old))
    quiet = {"deny": {"disclose": "nothing"}}
    found.append(Upstream("quiet", ts2.port, ts2.path, settings=quiet))
    yield found
    for process in processes:
        process.stop()


@pytest.fixture(scope="session")
def key() -> Key:
    """The key with which the provider signs."""
    return Key("provider-1")


@pytest.fixture(scope="session")
def gate(run_dir: Path, upstreams: list[Upstream], key: Key) -> Iterator[Gate]:
    """The gate most tests share; the provider stands behind the same Envoy."""
    provider = Provider(run_dir / "provider", [key])
    gate = Gate(run_dir / "gate", upstreams, POLICY, provider_port=provider.port)
    provider.start(gate.issuer)
    with gate:
        yield gate
    provider.stop()


@pytest.fixture(scope="module")
def desk(
    request: pytest.FixtureRequest, run_dir: Path, upstreams: list[Upstream], key: Key
) -> Iterator[Gate]:
    """A gate for clients that people run, which may be restarted; the provider stands behind it."""
    directory = run_dir / request.module.__name__
    strict = {"session_binding": "strict"}
    guarded = [replace(one, settings=strict) if one.name == DESK else one for one in upstreams]
    provider = Provider(directory / "provider", [key])
    gate = Gate(directory, guarded, DESK_POLICY, provider_port=provider.port)
    provider.start(gate.issuer)
    with gate:
        yield gate
    provider.stop()


@pytest.fixture
def mint(gate: Gate, key: Key) -> Callable[..., str]:
    """Makes an access token for a server of the shared gate."""
    return lambda server, **more: key.sign(claims(gate.issuer, gate.url(server), **more))


@pytest.fixture
def connect(gate: Gate, run_dir: Path) -> Callable[..., Client]:
    """Makes a client of the shared gate; use it as a context."""
    return lambda kind, server, **settings: Client(kind, gate.url(server), run_dir, **settings)


@pytest.fixture
def own(run_dir: Path, request: pytest.FixtureRequest) -> Path:
    """A directory for what one test starts by itself."""
    directory = run_dir / request.node.name.replace("/", "-")
    directory.mkdir()
    return directory


@pytest.fixture
def provider(own: Path) -> Iterator[Provider]:
    """A provider for one test, for a gate of its own."""
    provider = Provider(own / "provider", [Key("generation-0")])
    provider.start()
    yield provider
    provider.stop()
