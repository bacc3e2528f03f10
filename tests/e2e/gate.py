"""One mcp-authz behind one Envoy, with the repository's own Envoy configuration.

`envoy/envoy.yaml` is loaded, not imitated: only addresses are replaced, its MCP route is repeated
for each server, and listeners and clusters for the provider are added.
"""

import copy
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from keys import Key, claims
from processes import Process, free_port, wait_for
from tools import AUTHZ, ENVOY, ROOT

METADATA_PATH = "/.well-known/oauth-protected-resource"
# For Envoy's health check of mcp-authz, so that a start takes no seconds.
HEALTH_SECONDS = "0.2s"
FAST_KEYS = {"refresh": "1s", "stale_max": "5s", "min_interval": "1s"}


@dataclass
class Upstream:
    """One guarded server: where it listens, and how mcp-authz is told about it."""

    name: str
    port: int
    path: str
    """The path the server itself serves."""
    found_by_route: bool = False
    """Named by Envoy's context extension; otherwise found by host and path."""
    settings: dict[str, Any] = field(default_factory=dict)
    """More keys of its entry in the configuration of mcp-authz."""

    @property
    def guarded_path(self) -> str:
        """The path at which clients reach it."""
        return f"/{self.name}/mcp"


HAND_OVER = """
import fcntl, os, sys
held, argv = sys.argv[1].split(","), sys.argv[2:]
# First out of the way of each other.
saved = [fcntl.fcntl(int(descriptor), fcntl.F_DUPFD_CLOEXEC, 100) for descriptor in held]
for at, descriptor in enumerate(saved, start=3):
    os.dup2(descriptor, at)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(held))}
os.execv(argv[0], argv)
"""


def handing_over(sockets: list[socket.socket], argv: list[Any]) -> list[Any]:
    """A command that gives a process these sockets as systemd does (`sd_listen_fds(3)`)."""
    held = ",".join(str(one.fileno()) for one in sockets)
    return [sys.executable, "-c", HAND_OVER, held, *argv]


class Gate:
    """Starts Envoy, then mcp-authz, and waits until both serve."""

    def __init__(
        self,
        run_dir: Path,
        upstreams: list[Upstream],
        policy: dict[str, Any],
        issuer: str | None = None,
        provider_port: int | None = None,
        keys: dict[str, str] | None = None,
        key: Key | None = None,
        adjust: Callable[[dict[str, Any]], None] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.run_dir = run_dir
        run_dir.mkdir(parents=True, exist_ok=True)
        self.ports = {name: free_port() for name in ("mcp", "issuer", "envoy", "authz", "admin")}
        self.origin = f"http://127.0.0.1:{self.ports['mcp']}"
        self.issuer = issuer or f"http://127.0.0.1:{self.ports['issuer']}"
        self.admin = httpx.Client(base_url=f"http://127.0.0.1:{self.ports['admin']}", timeout=5)
        self.upstreams = upstreams
        self.key = key
        self.settings = settings or {}
        self.adjust = adjust
        self.provider_port = provider_port
        self.policy_file = run_dir / "policy.yaml"
        self.write_policy(yaml.safe_dump(policy, sort_keys=False))
        self.config_file = run_dir / "mcp-authz.yaml"
        self.config_file.write_text(yaml.safe_dump(self._config(keys), sort_keys=False))
        self.envoy_file = run_dir / "envoy.yaml"
        envoy = self._envoy()
        if adjust is not None:
            adjust(envoy)
        self.envoy_file.write_text(yaml.safe_dump(envoy, sort_keys=False))
        self.envoy: Process | None = None
        self.authz: Process | None = None
        self.held: list[socket.socket] = []

    def url(self, server: str) -> str:
        """The URL of a guarded server, which is its resource identifier too."""
        return f"{self.origin}/{server}/mcp"

    def token(self, server: str, **more: Any) -> str:
        """An access token for a server, where the gate was given the key instead of a provider."""
        return self.key.sign(claims(self.issuer, self.url(server), **more))

    def write_policy(self, text: str) -> None:
        """Replaces the policy file in one step."""
        fresh = self.policy_file.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.policy_file)

    def metrics(self) -> str:
        """The metrics of mcp-authz."""
        return self.admin.get("/metrics").raise_for_status().text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric of mcp-authz over everything that has these labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [
            float(line.rsplit(" ", 1)[1])
            for line in self.metrics().splitlines()
            if line.startswith(f"mcp_authz_{name}{{") and all(one in line for one in wanted)
        ]
        return sum(found)

    def envoy_stats(self, pattern: str) -> dict[str, int]:
        """The counters and gauges of Envoy whose names match."""
        stats = httpx.get(
            f"http://127.0.0.1:{self.ports['envoy']}/stats",
            params={"filter": pattern, "format": "json"},
        ).json()
        return {one["name"]: one["value"] for one in stats["stats"] if "name" in one}

    def streams_started(self) -> int:
        """How many ext_proc streams Envoy has opened so far."""
        return sum(self.envoy_stats(r"ext_proc\..*streams_started$").values())

    def audit(self, **fields: Any) -> list[dict[str, Any]]:
        """The audit lines that have these fields."""
        lines = [json.loads(line) for line in list(self.authz.output) if line.startswith("{")]
        return [line for line in lines if fields.items() <= line.items()]

    def start(self) -> None:
        """Starts both; they may not serve yet."""
        self.start_envoy()
        self.start_authz()

    def start_envoy(self) -> None:
        """Starts Envoy alone."""
        options = ["--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"]
        options += ["--file-flush-interval-msec", "100"]
        self.envoy = Process("envoy", [ENVOY, "-c", self.envoy_file, *options], self.run_dir)

    def start_authz(self) -> None:
        """Starts mcp-authz alone."""
        serve = [AUTHZ, "serve", "--config", self.config_file]
        if self.held:
            serve = handing_over(self.held, serve)
        descriptors = [one.fileno() for one in self.held]
        self.authz = Process("mcp-authz", serve, self.run_dir, pass_fds=descriptors)

    def hold_sockets(self) -> None:
        """Opens the sockets of mcp-authz as a supervisor does, which outlive each process."""
        for name in ("authz", "admin"):
            self.held.append(socket.create_server(("127.0.0.1", self.ports[name]), backlog=4096))

    def wait_ready(self) -> None:
        """Waits until mcp-authz is ready and Envoy knows it."""
        wait_for("ready mcp-authz", self._ready)
        wait_for("healthy mcp-authz in Envoy", self._healthy)

    def __enter__(self) -> "Gate":
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends both."""
        self.admin.close()
        for one in self.held:
            one.close()
        if self.envoy is not None:
            self.envoy.stop()
        if self.authz is not None:
            status = self.authz.stop()
            assert status == 0, (status, self.authz.tail())
            assert "panicked" not in self.authz.log.read_text()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _alive(self) -> None:
        for process in (self.envoy, self.authz):
            if not process.running():
                raise RuntimeError(f"{process.name} ended: {process.tail()}")

    def _ready(self) -> bool:
        self._alive()
        try:
            return self.admin.get("/readyz").status_code == 200
        except httpx.TransportError as error:
            raise AssertionError(f"no admin interface yet: {error}") from error

    def _healthy(self) -> bool:
        self._alive()
        try:
            clusters = httpx.get(
                f"http://127.0.0.1:{self.ports['envoy']}/clusters?format=json"
            ).json()
        except httpx.TransportError as error:
            raise AssertionError(f"no Envoy yet: {error}") from error
        for cluster in clusters["cluster_statuses"]:
            if cluster["name"] == self.authz_cluster:
                states = [host["health_status"] for host in cluster["host_statuses"]]
                # Outlier detection may keep a host out for some seconds after it is well again.
                failures = ("failed_active_health_check", "failed_outlier_check")
                return all(
                    state.get("eds_health_status") == "HEALTHY"
                    and not any(state.get(failure) for failure in failures)
                    for state in states
                )
        return False

    def _config(self, keys: dict[str, str] | None) -> dict[str, Any]:
        servers = []
        for upstream in self.upstreams:
            server: dict[str, Any] = {"name": upstream.name, "resource": self.url(upstream.name)}
            # The path is needed even where the route names the server: the metadata is found by it.
            server["match"] = {
                "hosts": [f"127.0.0.1:{self.ports['mcp']}"],
                "path": upstream.guarded_path,
            }
            servers.append(server | {"scopes_supported": ["notes:read"]} | upstream.settings)
        issuer: dict[str, Any] = {"issuer": self.issuer, "claims": {"groups": "groups"}}
        if keys is not None:
            issuer["keys"] = keys
        if self.key is not None:
            (self.run_dir / "jwks.json").write_text(json.dumps({"keys": [self.key.jwk()]}))
            issuer["jwks_file"] = "jwks.json"
        return {
            "listen": f"127.0.0.1:{self.ports['authz']}",
            "admin": {"listen": f"127.0.0.1:{self.ports['admin']}"},
            "issuers": [issuer],
            "servers": servers,
            "policy": self.policy_file.name,
            "drain": {"delay": "0s"},
        } | self.settings

    def _envoy(self) -> dict[str, Any]:
        config = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())
        config["admin"]["address"]["socket_address"]["port_value"] = self.ports["envoy"]
        listeners = config["static_resources"]["listeners"]
        clusters = config["static_resources"]["clusters"]
        listener = listeners[0]
        _set_port(listener, self.ports["mcp"])
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        filters = manager["http_filters"]
        # mcp-authz itself has to keep clients from speaking for it, so the second lock is opened.
        filters[:] = [one for one in filters if one["name"] != "envoy.filters.http.header_mutation"]
        authz = next(one for one in filters if one["name"] == "envoy.filters.http.ext_authz")
        self.authz_cluster = authz["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"]
        authz_cluster = next(one for one in clusters if one["name"] == self.authz_cluster)
        _set_endpoint(authz_cluster, self.ports["authz"])
        for check in authz_cluster["health_checks"]:
            check["interval"] = check["no_traffic_interval"] = HEALTH_SECONDS

        host = manager["route_config"]["virtual_hosts"][0]
        metadata = next(one for one in host["routes"] if METADATA_PATH in str(one["match"]))
        metadata.pop("typed_per_filter_config", None)  # found by its path, there are many servers
        route = next(one for one in host["routes"] if "/mcp" in one["match"].values())
        cluster = next(one for one in clusters if one["name"] == route["route"]["cluster"])
        clusters.remove(cluster)
        host["routes"] = [metadata]
        for upstream in self.upstreams:
            host["routes"].append(_route(route, upstream))
            clusters.append(cluster_like(cluster, upstream.name, upstream.port))
        if self.provider_port is not None:
            clusters.append(cluster_like(cluster, "provider", self.provider_port))
            listeners.append(pass_on("provider", self.ports["issuer"], "provider"))
        return config


def pass_on(
    name: str, port: int, cluster: str, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """A listener that passes everything to a cluster, with these request headers set."""
    kind = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "envoy.extensions.filters.http.router.v3.Router"
    added = [
        {
            "header": {"key": key, "value": value},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
        for key, value in (headers or {}).items()
    ]
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}
    host = {"name": name, "domains": ["*"], "routes": [route], "request_headers_to_add": added}
    manager = {
        "@type": f"type.googleapis.com/{kind}",
        "stat_prefix": name,
        "stream_idle_timeout": "0s",
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"type.googleapis.com/{router}"},
            }
        ],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    chain = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {"name": name, "address": address, "filter_chains": [{"filters": [chain]}]}


def cluster_like(model: dict[str, Any], name: str, port: int) -> dict[str, Any]:
    """A cluster of one local host, otherwise as the model."""
    cluster = copy.deepcopy(model) | {"name": name}
    _set_endpoint(cluster, port)
    return cluster


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a configuration."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from parts(part)


def ext_procs(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every ext_proc filter of an Envoy configuration."""
    kind = "ext_proc.v3.ExternalProcessor"
    return (part for part in parts(config) if str(part.get("@type", "")).endswith(kind))


def _set_port(listener: dict[str, Any], port: int) -> None:
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}


def _set_endpoint(cluster: dict[str, Any], port: int) -> None:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    cluster["load_assignment"] = {
        "cluster_name": cluster["name"],
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
    }


def _route(model: dict[str, Any], upstream: Upstream) -> dict[str, Any]:
    route = copy.deepcopy(model)
    route["match"] = {"path_separated_prefix": upstream.guarded_path}
    route["route"]["cluster"] = upstream.name
    if upstream.guarded_path != upstream.path:
        route["route"]["prefix_rewrite"] = upstream.path
    per_filter = route["typed_per_filter_config"]
    if upstream.found_by_route:
        check = per_filter["envoy.filters.http.ext_authz"]["check_settings"]
        check["context_extensions"]["mcp_server"] = upstream.name
    else:
        del per_filter["envoy.filters.http.ext_authz"]
    return route
