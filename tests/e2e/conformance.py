"""The official conformance suites, and a gate that they can pass through without a token."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gate import Gate, cluster_like, parts, pass_on
from keys import Key, claims
from processes import free_port
from tools import NODE, NODE_DIR

SUITE_SECONDS = 120
RESULT_DIRECTORY = re.compile(r"server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z")


# Of a check's details: what two runs never have in common, and the words of a refusal, which
# mcp-authz has its own of.
VARYING = {
    "decision_id",
    "envelope",
    "headers",  # of HTTP: dates, and what Envoy adds
    "io.modelcontextprotocol/subscriptionId",
    "messagesValidated",  # how often the suite polled
    "mismatch",
    "reason",
    "requestState",
    "subscriptionId",
    "timestamp",
}
VARYING_TEXT = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d{2}-\d{2}T[\d:.]+Z"
    r"|(?<=127\.0\.0\.1:)\d+"
)
# The checks of each scenario, in the order in which it made them.
Check = dict[str, Any]
Results = dict[str, list[Check]]


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

    def run(self, origin: str, results: Path) -> Results:
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


def read_results(directory: Path) -> Results:
    """What a suite wrote: a directory for each scenario, with its checks."""
    results = {}
    for file in directory.glob("*/checks.json"):
        scenario = RESULT_DIRECTORY.fullmatch(file.parent.name).group(1)
        assert scenario not in results, f"{scenario} ran twice in {directory}"
        results[scenario] = json.loads(file.read_text())
    return results


@dataclass(frozen=True)
class Difference:
    """One check that came out differently."""

    check: tuple[str, str]
    """The scenario and the check's name."""
    straight: Check
    through: Check

    @property
    def statuses(self) -> tuple[str | None, str | None]:
        """How it ended straight and through the gate."""
        return self.straight.get("status"), self.through.get("status")

    def __str__(self) -> str:
        sides = {"straight": self.straight, "through": self.through}
        lines = [f"    {side}: {json.dumps(check)}" for side, check in sides.items()]
        return "\n".join([": ".join(self.check), *lines])


def differences(scenario: str, straight: list[Check], through: list[Check]) -> Iterator[Difference]:
    """The checks of a scenario that differ in more than what varies from run to run."""
    for one, other in zip_longest(map(steady, straight), map(steady, through), fillvalue={}):
        if one != other:
            yield Difference((scenario, (one or other)["name"]), one, other)


def steady(value: Any) -> Any:
    """A check, or a part of one, without what varies from run to run."""
    if isinstance(value, dict):
        drop = set(VARYING)
        if "code" in value:
            drop.add("message")
        if {"id", "data"} <= value.keys():
            drop.add("id")  # of a server-sent event: the streams of a session count together
        return {key: steady(part) for key, part in value.items() if key not in drop}
    if isinstance(value, list):
        return [steady(part) for part in value]
    return VARYING_TEXT.sub("…", value) if isinstance(value, str) else value


class Injector(Gate):
    """A gate with a second listener in front, which adds an access token to each request."""

    def __init__(self, *arguments: Any, key: Key, **settings: Any) -> None:
        self.signer = key
        self.injector_port = free_port()
        self.injector = f"http://127.0.0.1:{self.injector_port}"
        super().__init__(*arguments, **settings)

    def _envoy(self) -> dict[str, Any]:
        config = super()._envoy()
        resources = config["static_resources"]
        # The suite checks that servers refuse the hosts and origins of others, so they have to see
        # what was sent.
        for part in parts(resources):
            part.pop("host_rewrite_literal", None)
            if part.get("request_mutations") == [{"remove": "origin"}]:
                del part["request_mutations"]
        first = self.upstreams[0].name
        model = next(one for one in resources["clusters"] if one["name"] == first)
        resources["clusters"].append(cluster_like(model, "gate", self.ports["mcp"]))
        everywhere = [self.url(upstream.name) for upstream in self.upstreams]
        token = self.signer.sign(claims(self.issuer, everywhere))
        headers = {"authorization": f"Bearer {token}"}
        resources["listeners"].append(pass_on("injector", self.injector_port, "gate", headers))
        return config
