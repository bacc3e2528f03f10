"""One case of the attacker: what a subject may do, and what attacks that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from builds import BUILDS, Build

DENY, ALLOW = "deny", "allow"
Told = dict[str, Any]
Sent = tuple[str, str]
"""A method, and its params as JSON text."""

SERVERS = [build.name for build in BUILDS]
CLAIMS = {"owner": "root", "n": 5, "owners": ["root", "admin"], "force": True}


@dataclass
class Case:
    """One subject's rules."""

    name: str
    kind: str
    rules: list[dict[str, Any]]
    forbids: Callable[[Told, str], bool]
    attacks: Callable[[Random, Build], Iterator[Sent]]
    """Without end; none for a build that has nothing to attack."""
    honest: Callable[[Build], Sent | None]
    """What has to run."""
    plain: Callable[[Build], Sent | None]
    """What must not, said plainly; with the rule removed it runs."""
    everything_else: bool = True
    """Whether the subject may do what the rules do not speak of."""
