"""The official conformance suites, and the gate they can pass through although they send no token."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate import Gate, cluster_like, pass_on
from keys import Key, claims
from processes import free_port
from tools import NODE, NODE_DIR

SUITE_SECONDS = 120
RESULT_DIRECTORY = re.compile(r"server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z")


@dataclass(frozen=True)
class Leg:
    """One run of a suite: all scenarios that it has for a server."""

    name: str
    package: str
    arguments: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where the server of this leg serves, straight and through the gate."""
        return f"/{self.name}/mcp"

    def run(self, origin: str, results: Path) -> "Results":
        """Runs the suite against the server at this origin."""
        suite = NODE_DIR / "node_modules" / self.package / "dist" / "index.js"
        results.mkdir(parents=True)
        command = [NODE, suite, "server", "--url", origin + self.path, "--suite", "all"]
        with (results / "suite.log").open("wb") as log:
            # Its status says whether all checks passed, which the results say better.
            subprocess.run(
                [*command, *self.arguments, "--output-dir", results],
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=SUITE_SECONDS,
                check=False,
            )
        return read_results(results)


# The checks of each scenario, in the order in which it made them.
Results = dict[str, list[dict[str, Any]]]


def read_results(directory: Path) -> Results:
    """What a suite wrote: a directory for each scenario, with its checks."""
    results = {}
    for file in directory.glob("*/checks.json"):
        scenario = RESULT_DIRECTORY.fullmatch(file.parent.name).group(1)
        assert scenario not in results, f"{scenario} ran twice in {directory}"
        results[scenario] = json.loads(file.read_text())
    return results


class Injector(Gate):
    """A gate with a second listener in front, which adds an access token to each request."""

    def __init__(self, *arguments: Any, key: Key, **settings: Any) -> None:
        self.key = key
        self.injector_port = free_port()
        self.injector = f"http://127.0.0.1:{self.injector_port}"
        super().__init__(*arguments, **settings)

    def _envoy(self) -> dict[str, Any]:
        config = super()._envoy()
        resources = config["static_resources"]
        first = self.upstreams[0].name
        model = next(one for one in resources["clusters"] if one["name"] == first)
        resources["clusters"].append(cluster_like(model, "gate", self.ports["mcp"]))
        everywhere = [self.url(upstream.name) for upstream in self.upstreams]
        token = self.key.sign(claims(self.issuer, everywhere))
        headers = {"authorization": f"Bearer {token}"}
        resources["listeners"].append(pass_on("injector", self.injector_port, "gate", headers))
        return config
