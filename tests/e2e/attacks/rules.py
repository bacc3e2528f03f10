"""Policies that deny one thing, or allow one thing, and what each of them means.

A case is what one subject may do. Its attacks are requests whose bytes are near to what is denied;
`forbids` looks at what a server told to have run, and says whether that is what policy denies.
"""

from itertools import islice
from random import Random
from typing import Any

from arguments import argument_cases
from builds import Build
from cases import ALLOW, DENY, SERVERS, Case, Sent
from resources import completion_cases, resource_cases


def policy(cases: list[Case], more: list[dict[str, Any]]) -> dict[str, Any]:
    """The policy of all subjects. The subject `nobody-denies` may do everything."""
    anyone = ["nobody-denies", *(case.name for case in cases if case.everything_else)]
    rules: list[dict[str, Any]] = [
        {
            "id": "everything-else",
            "effect": "allow",
            "who": {"subjects": anyone},
            "what": {"servers": SERVERS},
        }
    ]
    for case in cases:
        for number, rule in enumerate(case.rules):
            head = {"id": f"{case.name}-{number}", "who": {"subjects": [case.name]}}
            rules.append(head | rule)
    return {"rules": [*rules, *more]}


# --- windows and limits ---

WINDOWS = {"calls": 5, "distinct": 3, "limit": 3}
"""How much a fresh subject of each group may do."""
DENIALS_MAX = 3
DENIED_STEP = "step_19"


def window_rules() -> list[dict[str, Any]]:
    """Rules about what a subject did before; who is in a group is subject to one of them."""

    def rule(group: str, effect: str, **more: Any) -> dict[str, Any]:
        head = {"id": f"window-{group}-{effect}", "effect": effect, "who": {"groups": [group]}}
        return head | {"what": {"servers": SERVERS, "tools": ["*"]}} | more

    def window(group: str, **what: Any) -> dict[str, Any]:
        return rule(group, DENY, why=what)

    per = {"per": "1d", "by": ["subject"]}
    return [
        *(rule(group, ALLOW) for group in (*WINDOWS, "denials")),
        window("calls", calls={"more_than": WINDOWS["calls"]} | per),
        window("distinct", distinct_tools={"more_than": WINDOWS["distinct"]} | per),
        rule("limit", "limit", limit={"calls": WINDOWS["limit"]} | per),
        window("denials", denials={"more_than": DENIALS_MAX} | per),
        {
            "id": "window-denied-step",
            "effect": DENY,
            "what": {"servers": SERVERS, "tools": [DENIED_STEP]},
        },
    ]


CASES = [*argument_cases(), *resource_cases(), *completion_cases()]


def some(case: Case, rng: Random, build: Build, count: int) -> list[Sent]:
    """So many different attacks, or fewer where chance repeats itself."""
    found: dict[Sent, None] = {}
    for sent in islice(case.attacks(rng, build), count * 3):
        found[sent] = None
        if len(found) == count:
            break
    return list(found)
