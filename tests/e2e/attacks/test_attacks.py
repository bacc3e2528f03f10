"""A seeded attacker: what policy denies must not run on any build, however it is spelled.

`MCP_AUTHZ_ATTACKS_SEED` names another seed, `MCP_AUTHZ_ATTACKS_COUNT` how many variations each case
sends to each build.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import builds
import pytest
import rules
import volley
from arguments import call
from cases import CLAIMS, Case, Sent
from gate import Gate
from keys import Key, claims
from volley import Shot

COUNT_DEFAULT = 48
SEED = int(os.environ.get("MCP_AUTHZ_ATTACKS_SEED") or 20261130)
COUNT = int(os.environ.get("MCP_AUTHZ_ATTACKS_COUNT") or COUNT_DEFAULT)
VARIATIONS_MIN = 20_000
BUILDS_MIN = 6
SHOWN_MAX = 80
TOKEN_SECONDS = 12 * 3600
IN_BATCH = 0.1
SELF_TEST_COUNT = 4
SELF_TEST_MIN = 3
SUBJECTS = 60


class Range:
    """The gate with all builds behind it, and shots at them."""

    def __init__(self, gate: Gate, key: Key) -> None:
        self.gate = gate
        self.key = key
        self.tokens: dict[str, str] = {}
        self.sent = 0

    def token(self, subject: str, **more: object) -> str:
        """The token of a subject."""
        if subject not in self.tokens:
            wanted = claims(self.gate.issuer, "attacks", subject, **CLAIMS)
            wanted |= {"exp": int(time.time()) + TOKEN_SECONDS} | more
            self.tokens[subject] = self.key.sign(wanted)
        return self.tokens[subject]

    def message(self, sent: Sent) -> str:
        """A request with an id of its own."""
        self.sent += 1
        method, params = sent
        return f'{{"jsonrpc":"2.0","id":{self.sent},"method":"{method}","params":{params}}}'

    def batch(self, sent: list[Sent]) -> str:
        """A batch of requests."""
        return f"[{','.join(map(self.message, sent))}]"

    def shot(self, build: builds.Build, subject: str, text: str, about: object = None) -> Shot:
        """A shot with this body."""
        return Shot(
            build.name,
            subject,
            text.encode("utf-8", "surrogatepass"),
            self.token(subject),
            build.session,
            about=about,
            # Later revisions have no batches.
            revision="2025-03-26" if text.startswith("[") else "2025-11-25",
        )

    def fire(self, shots: list[Shot]) -> None:
        """Sends them."""
        volley.fire(self.gate.ports["mcp"], shots)


@pytest.fixture(scope="module")
def shooting(run_dir: Path) -> Iterator[Range]:
    key = Key("attacks", "ES256")
    running = builds.start(run_dir)
    policy = rules.policy(rules.CASES, rules.window_rules())
    try:
        with Gate(
            run_dir / "attacks", running.upstreams, policy, "https://attacks.test", key=key
        ) as gate:
            yield Range(gate, key)
    finally:
        running.stop()


def pairs() -> Iterator[tuple[Case, builds.Build]]:
    """All cases at all builds."""
    for case in rules.CASES:
        for build in builds.BUILDS:
            yield case, build


def test_what_is_allowed_runs_and_what_is_denied_does_not(shooting):
    """Otherwise the attacks could not fail for want of anything that runs."""
    shots = []
    for case, build in pairs():
        for sent, subject, runs in (
            (case.honest(build), case.name, True),
            (case.plain(build), case.name, False),
            (case.plain(build), "nobody-denies", True),
        ):
            if sent is not None:
                shots.append(shooting.shot(build, subject, shooting.message(sent), (case, runs)))
    shooting.fire(shots)
    wrong: dict[tuple[str, str], list[Shot]] = {}
    for shot in shots:
        case, runs = shot.about
        told = builds.told(shot.build, shot.answer)
        forbidden = any(case.forbids(one, shot.build) for one in told)
        if shot.case == "nobody-denies":
            good = forbidden
        else:
            good = bool(told) == runs and not forbidden
        if not good:
            wrong.setdefault((case.name, shot.case), []).append(shot)
    lines = []
    for (case, subject), few in wrong.items():
        lines.append(
            f"{case} as {subject} at {', '.join(shot.build for shot in few)}: {rules_of(case)}"
        )
        lines.append(f"  sent {few[0].body!r}\n  said {few[0].said!r}")
    if wrong:
        pytest.fail(f"{len(wrong)} plain requests went wrong\n" + "\n".join(lines), pytrace=False)


def rules_of(name: str) -> str:
    """The rules of a case, for a failure."""
    case = next(one for one in rules.CASES if one.name == name)
    return json.dumps(case.rules, ensure_ascii=False)


@pytest.mark.timeout(3600)
def test_nothing_that_is_denied_runs(shooting, run_dir, capsys):
    rng = Random(SEED)
    shots = []
    for case, build in pairs():
        for sent in rules.some(case, Random(f"{SEED} {case.name} {build.name}"), build, COUNT):
            text = shooting.message(sent)
            if build.batches and rng.random() < IN_BATCH:
                honest = case.honest(build) or sent
                beside = [honest] * rng.randrange(3)
                beside.insert(rng.randrange(len(beside) + 1), sent)
                text = shooting.batch(beside)
            shots.append(shooting.shot(build, case.name, text, case))
    rng.shuffle(shots)
    began = time.monotonic()
    shooting.fire(shots)
    seconds = time.monotonic() - began

    reasons: Counter[str] = Counter()
    ran: Counter[str] = Counter()
    failures: dict[tuple[str, str], list[Shot]] = {}
    for shot in shots:
        told = builds.told(shot.build, shot.answer)
        reasons[shot.reason or "let through"] += 1
        ran[shot.build] += bool(told)
        if any(shot.about.forbids(one, shot.build) for one in told):
            failures.setdefault((shot.about.name, shot.build), []).append(shot)
    real = {
        build.name for build in builds.BUILDS if build.real and not build.of and ran[build.name]
    }
    with capsys.disabled():
        kinds = Counter(shot.about.kind for shot in shots)
        print(f"\nattacks: seed {SEED}, {len(shots)} variations in {seconds:.0f} s")
        print("  of " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
        print("  " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()))
        print("  ran on " + ", ".join(f"{build} {count}" for build, count in ran.most_common()))
    if COUNT >= COUNT_DEFAULT:
        assert len(shots) >= VARIATIONS_MIN
    assert len(real) >= BUILDS_MIN
    report(failures, run_dir)


def report(failures: dict[tuple[str, str], list[Shot]], run_dir: Path) -> None:
    """Fails with what ran: the policy, the server, what was sent, what it said."""
    lines = [f"{sum(map(len, failures.values()))} denied requests ran"]
    full = list(lines)
    for (case, build), shots in sorted(failures.items()):
        head = f"\n{case} at {build}: {len(shots)} ran. {rules_of(case)}"
        few = [
            f"  sent {shot.body!r}\n  said {builds.told(shot.build, shot.answer)}" for shot in shots
        ]
        lines.extend([head, few[0]])
        full.extend([head, *few])
    if failures:
        file = run_dir / "attacks.txt"
        file.write_text("\n".join(full))
        lines[0] += f"; all of them are in {file}"
        pytest.fail("\n".join(lines[:SHOWN_MAX]), pytrace=False)


def test_without_the_deny_the_attacks_run(shooting):
    """The attacker can fail: what it sends is what servers take for what is denied."""
    shots = []
    for case, build in pairs():
        if not case.everything_else or case.plain(build) is None:
            continue
        rng = Random(f"{SEED} {case.name} {build.name}")
        for sent in rules.some(case, rng, build, SELF_TEST_COUNT):
            if sent != case.plain(build):
                shots.append(shooting.shot(build, "nobody-denies", shooting.message(sent), case))
    shooting.fire(shots)
    ran: Counter[str] = Counter()
    for shot in shots:
        told = builds.told(shot.build, shot.answer)
        ran[shot.build] += any(shot.about.forbids(one, shot.build) for one in told)
    few = {
        build.name: ran[build.name]
        for build in builds.BUILDS
        if build.of is None and ran[build.name] < SELF_TEST_MIN
    }
    assert not few


def step(number: int) -> Sent:
    """A call of a tool that only tells that it ran."""
    return call(f"step_{number}", "{}")


def several(shooting: Range, rng: Random, build: builds.Build, subject: str) -> list[Shot]:
    """A few requests of one subject, alone and in batches."""
    shots = []
    for _ in range(rng.randrange(1, 5)):
        sent = [step(rng.randrange(12)) for _ in range(rng.choice((1, 2, 3, 5, 8, 13)))]
        alone = len(sent) == 1 and rng.random() < 0.5
        text = shooting.message(sent[0]) if alone else shooting.batch(sent)
        shots.append(shooting.shot(build, subject, text))
    return shots


def test_no_batch_passes_a_window_or_a_limit(shooting):
    rng = Random(SEED)
    batching = [build for build in builds.BUILDS if build.batches]
    shots = []
    for group in rules.WINDOWS:
        for number in range(SUBJECTS):
            subject = f"{group}/{number}"
            shooting.token(subject, groups=[group])
            shots.extend(several(shooting, rng, batching[number % len(batching)], subject))
    rng.shuffle(shots)
    shooting.fire(shots)
    runs: dict[str, list[str]] = {}
    for shot in shots:
        told = [one["ran"] for one in builds.told(shot.build, shot.answer)]
        runs.setdefault(shot.case, []).extend(told)
    for subject, ran in runs.items():
        group = subject.partition("/")[0]
        count = len(set(ran)) if group == "distinct" else len(ran)
        sent = [shot.body for shot in shots if shot.case == subject]
        assert count <= rules.WINDOWS[group], (subject, ran, sent)
    for group, allowed in rules.WINDOWS.items():
        most = max(len(ran) for subject, ran in runs.items() if subject.startswith(f"{group}/"))
        assert most >= allowed, (group, most)


def test_each_denied_part_of_a_batch_counts(shooting):
    """Whoever probes names in one batch is denied more than once."""
    rng = Random(SEED)
    batching = [build for build in builds.BUILDS if build.batches]
    denied = call(rules.DENIED_STEP, "{}")
    probes, later = [], []
    for number in range(SUBJECTS):
        subject, build = f"denials/{number}", batching[number % len(batching)]
        shooting.token(subject, groups=["denials"])
        # The last ones stay below the window, and are served.
        few = number >= SUBJECTS - len(batching)
        count = 1 if few else rules.DENIALS_MAX + 1 + rng.randrange(8)
        text = shooting.message(denied) if few else shooting.batch([denied] * count)
        probes.append(shooting.shot(build, subject, text))
        later.append(shooting.shot(build, subject, shooting.message(step(0)), few))
    shooting.fire(probes)
    shooting.fire(later)
    assert not [shot.body for shot in probes if builds.told(shot.build, shot.answer)]
    for probe, shot in zip(probes, later, strict=True):
        ran = bool(builds.told(shot.build, shot.answer))
        assert ran == shot.about, (probe.build, probe.body, shot.said)
