"""Policies that deny one thing, or allow one thing, and what each of them means.

A case is what one subject may do. Its attacks are requests whose bytes are near to what is denied;
`forbids` looks at what a server told to have run, and says whether that is what policy denies.
"""

import fnmatch
import json
import posixpath
import socket
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any
from urllib.parse import unquote

import spellings
from builds import BUILDS, Build

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


# --- arguments ---


def call(tool: str, arguments: str, method: str = "tools/call") -> Sent:
    """A call with arguments as JSON text."""
    return method, f'{{"name":"{tool}","arguments":{arguments}}}'


@dataclass
class Argument:
    """An argument that policies are about: where it stands, in which tools."""

    tools: str
    """The group of tools, see `builds.py`."""
    path: tuple[str, ...]
    in_list: bool = False
    """The last name is that of a member of each object of a list."""

    def arguments(self, value: str, keys: tuple[str, ...] | None = None) -> str:
        """The arguments with this value, by these keys."""
        *above, last = keys or self.path
        made = f'{{"{last}":{value}}}'
        for key in reversed(above):
            made = f'{{"{key}":[{made}]}}' if self.in_list else f'{{"{key}":{made}}}'
        return made

    def received(self, got: Any) -> list[Any]:
        """The values that a handler got for it."""
        for name in self.path:
            members = got if isinstance(got, list) else [got]
            got = [one[name] for one in members if isinstance(one, dict) and name in one]
            got = got[0] if len(got) == 1 else got
        several = self.in_list and isinstance(got, list)
        return got if several else [got]


def same(received: Any, literal: Any) -> bool:
    """Whether a handler got what a policy names."""
    if isinstance(literal, bool) or literal is None:
        return received is literal
    if isinstance(literal, (int, float)):
        number = isinstance(received, (int, float)) and not isinstance(received, bool)
        return number and float(received) == float(literal)
    if isinstance(literal, list):
        return received == literal
    return received in (literal, [literal])


Meaning = Callable[[Any], bool]
DENY, ALLOW = "deny", "allow"
PROMPTS = ["ask_owner", "ask_owner_lower"]


def equal(literal: Any) -> Meaning:
    return lambda received: same(received, literal)


def exactly(literal: Any) -> Meaning:
    """For helpers, which say which form of a value they take."""
    return lambda received: type(received) is type(literal) and received == literal


def other_than(literal: Any) -> Meaning:
    return lambda received: not same(received, literal)


def is_number(received: Any) -> bool:
    return isinstance(received, (int, float)) and not isinstance(received, bool)


def above(bound: float) -> Meaning:
    return lambda received: is_number(received) and received > bound


def below(bound: float) -> Meaning:
    return lambda received: is_number(received) and received < bound


def no(meaning: Meaning) -> Meaning:
    return lambda received: not meaning(received)


def holds(literal: Any) -> Meaning:
    """A list, or a value that may stand for one, has this element."""
    return lambda received: any(
        same(one, literal) for one in (received if isinstance(received, list) else [received])
    )


def holds_other(literal: Any) -> Meaning:
    return lambda received: any(
        not same(one, literal) for one in (received if isinstance(received, list) else [received])
    )


def matches(pattern: str) -> Meaning:
    return lambda received: isinstance(received, str) and fnmatch.fnmatchcase(received, pattern)


FORCE = Argument("force", ("force",))
N = Argument("n", ("n",))
OWNER = Argument("owner", ("owner",))
TAGS = Argument("tags", ("tags",))
IDS = Argument("ids", ("ids",))
DAY = Argument("day", ("day",))
OPTS_FORCE = Argument("opts", ("opts", "force"))
OPTS_OWNER = Argument("opts", ("opts", "owner"))
OPTS_N = Argument("opts", ("opts", "n"))
ROWS_FORCE = Argument("rows", ("rows", "force"), in_list=True)
ROWS_OWNER = Argument("rows", ("rows", "owner"), in_list=True)
ALIASED = Argument("aliased", ("opts", "dry_run"))
SKIP = Argument("skip", ("skip",))
KEY = Argument("key", ("key",))
DRY = Argument("dry", ("dry_run",))
DRY_UNTAGGED = Argument("dry", ("DryRun",))
MESSAGE = Argument("message", ("message",))


def text(words: list[str]) -> list[str]:
    return [json.dumps(word) for word in words]


TRUE = ["true", *spellings.TRUE]
FALSE = ["false", *spellings.FALSE]
ROOT = spellings.strings("root")
LISTS = [
    '["root"]',
    '"[\\"root\\"]"',
    '"root"',
    '"root,guest"',
    '["root","guest"]',
    '[" root"]',
    '["ROOT"]',
]
LISTS += [
    '"[ \\"root\\" ]"',
    '{"0":"root"}',
    '[["root"]]',
    '["guest,root"]',
    '["guest",null,"root"]',
]
LISTS += [
    '"guest, root"',
    '" [\\"root\\"] "',
    '["\\u0072oot"]',
    '["root\\n"]',
    '["r","oot"]',
    '"[\\"guest\\",\\"root\\"]"',
]
NUMBERS = [
    "[5]",
    '["5"]',
    "[5.0]",
    '"[5]"',
    '"5"',
    "5",
    '[" 5"]',
    '["5.0"]',
    "[true,5]",
    '["0x5"]',
    "[[5]]",
]
NUMBERS += ['"[1,5]"', "[1,5]", '["+5"]', '["05"]', "[5e0]", '[1,"5"]', "[true]", '["1"]', "[6,7]"]

# What each policy is: argument, table of values, effect, selector or expression, what it forbids a
# handler to get, a value that has to pass (if one does), one that has not.
_BOOLEANS = [
    (DENY, {"arguments": {"force": True}}, True),
    (DENY, {"arguments": {"force": False}}, False),
    (DENY, "args.force == true", True),
    (DENY, "has(args.force) && args.force == true", True),
    (DENY, "has(args.force) && args.force", True),
    (DENY, "true == args.force", True),
    (DENY, "has(args.force) && args.force in [true]", True),
    (DENY, "has(args.force) && args.force != false", True),
    (DENY, "has(args.force) && !(args.force == false)", True),
    (DENY, '"force" in args && args["force"] == true', True),
    (DENY, "has(mcp.arguments.force) && mcp.arguments.force == true", True),
    (DENY, "has(args.force) ? args.force == true : false", True),
    (DENY, "has(args.force) && [args.force].exists(f, f == true)", True),
    (DENY, 'has(args.force) && {"f": args.force}.f == true', True),
    (DENY, 'args.exists(k, k == "force" && args[k] == true)', True),
    (DENY, "has(args.force) && args.force == subject.claims.force", True),
    (DENY, "(has(args.force) && args.force == true) == true", True),
    (DENY, "has(args.force) && [args.force] == [true]", True),
    (DENY, 'args == {"force": true}', True),
    (DENY, "has(args.force) && dyn(args.force) == true", True),
    (DENY, "args.map(k, args[k]).exists(v, v == true)", True),
    (DENY, 'has(args.force) && args["for" + "ce"] == true', True),
    (DENY, "has(args.force) && args.force == false", False),
    (DENY, "has(args.force) && !args.force", False),
    (ALLOW, {"arguments": {"force": False}}, False),
    (ALLOW, {"arguments": {"force": True}}, True),
    (ALLOW, "args.force == false", False),
    (ALLOW, "args.force != true", False),
    (ALLOW, "!args.force", False),
    (ALLOW, "!has(args.force) || args.force == false", False),
    (ALLOW, '!("force" in args) || args.force == false', False),
    (ALLOW, 'args.all(k, k != "force" || args[k] == false)', False),
    (ALLOW, "!(args.force == true)", False),
    (ALLOW, "args.force in [false]", False),
    (ALLOW, "args.force == true", True),
]
_NUMBERS = [
    (DENY, {"arguments": {"n": 5}}, equal(5), 5, "6", "5"),
    (DENY, {"arguments": {"n": [5, 7]}}, lambda got: same(got, 5) or same(got, 7), 5, "6", "5"),
    (DENY, "args.n == 5", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n == 5", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n in [5, 17]", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && !(args.n != 5)", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && int(args.n) == 5", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && double(args.n) == 5.0", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n >= 5 && args.n <= 5", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n == subject.claims.n", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n > 4", above(4), 5, "3", "5"),
    (DENY, "has(args.n) && 4 < args.n", above(4), 5, "3", "5"),
    (DENY, "has(args.n) && args.n > 4.5", above(4.5), 5, "3", "5"),
    (DENY, "has(args.n) && args.n < 6", below(6), 5, "7", "5"),
    (DENY, "has(args.n) && args.n + 1 == 6", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n - 5 == 0", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n * 2 == 10", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && [args.n, 3].exists(m, m > 4)", above(4), 5, "3", "5"),
    (DENY, "has(args.n) && [args.n] == [5]", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n > subject.claims.n - 1", above(4), 5, "3", "5"),
    (DENY, "has(args.n) && {5: true, 17: true}.exists(k, k == args.n)", equal(5), 5, "7", "5"),
    (DENY, "has(args.n) && args.n in {5: true}", equal(5), 5, None, "5"),
    (DENY, "has(args.n) && args.n == 0", equal(0), 0, "7", "0"),
    (DENY, "has(args.n) && args.n == 1", equal(1), 1, "7", "1"),
    (DENY, "has(args.n) && args.n == -1", equal(-1), -1, "7", "-1"),
    (DENY, "has(args.n) && args.n == 9007199254740992", equal(2**53), 2**53, "7", str(2**53)),
    (DENY, {"arguments": {"n": 2**53}}, equal(2**53), 2**53, "7", str(2**53)),
    (ALLOW, {"arguments": {"n": 5}}, other_than(5), 5, "5", "6"),
    (ALLOW, "args.n == 5", other_than(5), 5, "5", "6"),
    (ALLOW, "args.n != 5", equal(5), 5, "6", "5"),
    (ALLOW, "!(args.n in [5, 6])", lambda got: same(got, 5) or same(got, 6), 5, "7", "5"),
    (ALLOW, "args.n <= 5", no(lambda got: is_number(got) and got <= 5), 6, "5", "6"),
    (ALLOW, "!(args.n > 5)", above(5), 6, "5", "6"),
    (ALLOW, "int(args.n) != 5", equal(5), 5, "6", "5"),
    (ALLOW, "int(args.n) == 5", other_than(5), 5, "5", "6"),
    (ALLOW, "num(args.n) <= 5", no(lambda got: is_number(got) and got <= 5), 6, "5", "6"),
]
_TEXTS = [
    (DENY, {"arguments": {"owner": "root"}}, equal("root"), "guest", "root"),
    (DENY, {"arguments": {"owner": ["root", "admin"]}}, equal("root"), "guest", "root"),
    (DENY, {"arguments": {"owner": "ro*"}}, matches("ro*"), "guest", "root"),
    (DENY, {"not": {"arguments": {"owner": "guest"}}}, other_than("guest"), "guest", "root"),
    (DENY, 'args.owner == "root"', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && args.owner == "root"', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && args.owner in ["root", "admin"]', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && !(args.owner != "root")', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && args["owner"] == "root"', equal("root"), "guest", "root"),
    (
        DENY,
        'has(args.owner) && (args.owner == "x" || "root" == args.owner)',
        equal("root"),
        "guest",
        "root",
    ),
    (DENY, '(has(args.owner) ? args.owner : "") == "root"', equal("root"), "guest", "root"),
    (
        DENY,
        'has(args.owner) && [args.owner].exists(o, o == "root")',
        equal("root"),
        "guest",
        "root",
    ),
    (
        DENY,
        'has(args.owner) && ["root", "admin"].exists(o, o == args.owner)',
        equal("root"),
        "guest",
        "root",
    ),
    (DENY, 'args.exists(k, args[k] == "root")', equal("root"), "guest", "root"),
    (DENY, 'args.map(k, args[k]).exists(v, v == "root")', equal("root"), "guest", "root"),
    (DENY, 'args.filter(k, args[k] == "root").size() > 0', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && string(args.owner) == "root"', equal("root"), "guest", "root"),
    (DENY, "has(args.owner) && args.owner == subject.claims.owner", equal("root"), "guest", "root"),
    (
        DENY,
        "has(args.owner) && args.owner in subject.claims.owners",
        equal("root"),
        "guest",
        "root",
    ),
    (DENY, 'has(args.owner) && args.owner + "/x" == "root/x"', exactly("root"), None, "root"),
    (DENY, 'has(args.owner) && [args.owner] == ["root"]', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && args.owner in {"root": 1}', equal("root"), "guest", "root"),
    (
        DENY,
        'has(args.owner) && {"root": 1, "guest": 0}[args.owner] == 1',
        equal("root"),
        "guest",
        "root",
    ),
    (DENY, 'args == {"owner": "root"}', equal("root"), "guest", "root"),
    (
        DENY,
        'has(args.owner) && [[args.owner]].exists(l, "root" in l)',
        equal("root"),
        "guest",
        "root",
    ),
    (
        DENY,
        'has(args.owner) && args.owner >= "roos" && args.owner <= "rooz"',
        equal("root"),
        None,
        "root",
    ),
    (
        DENY,
        'has(args.owner) && ["root"].filter(o, o == args.owner).size() == 1',
        equal("root"),
        "guest",
        "root",
    ),
    (
        DENY,
        'has(args.owner) && !["guest"].exists(o, o == args.owner)',
        other_than("guest"),
        "guest",
        "root",
    ),
    (DENY, 'args.exists_one(k, args[k] == "root")', equal("root"), "guest", "root"),
    (DENY, 'has(args.owner) && plain(args.owner) == "root"', exactly("root"), "guest", "root"),
    (DENY, 'has(args.owner) && fold(args.owner) == "root"', exactly("root"), "guest", "root"),
    (
        DENY,
        'has(args.owner) && plain(args.owner).startsWith("ro")',
        matches("ro*"),
        "guest",
        "root",
    ),
    (DENY, 'has(args.owner) && plain(args.owner).contains("oo")', matches("*oo*"), "guest", "root"),
    (
        DENY,
        'has(args.owner) && plain(args.owner).matches("^r[aeo]+t$")',
        exactly("root"),
        "guest",
        "root",
    ),
    (DENY, 'has(args.owner) && glob(plain(args.owner), "r*t")', matches("r*t"), "guest", "root"),
    (DENY, 'has(args.owner) && plain(args.owner) == "kiosk"', exactly("kiosk"), "guest", "kiosk"),
    (DENY, 'has(args.owner) && args.owner == "5"', equal("5"), "guest", "5"),
    (DENY, 'has(args.owner) && args.owner == "true"', equal("true"), "guest", "true"),
    (
        DENY,
        'has(args.owner) && args.owner == "stra\u00dfe"',
        equal("stra\u00dfe"),
        "guest",
        "stra\u00dfe",
    ),
    (DENY, 'has(args.owner) && args.owner == "kiosk"', equal("kiosk"), "guest", "kiosk"),
    (
        DENY,
        'has(args.owner) && args.owner == "caf\u00e9"',
        equal("caf\u00e9"),
        "guest",
        "caf\u00e9",
    ),
    (ALLOW, {"arguments": {"owner": "guest"}}, other_than("guest"), "guest", "root"),
    (ALLOW, {"not": {"arguments": {"owner": "root"}}}, equal("root"), "guest", "root"),
    (ALLOW, 'args.owner == "guest"', other_than("guest"), "guest", "root"),
    (ALLOW, 'args.owner != "root"', equal("root"), "guest", "root"),
    (ALLOW, '!(args.owner in ["root", "admin"])', equal("root"), "guest", "root"),
    (ALLOW, "args.owner != subject.claims.owner", equal("root"), "guest", "root"),
    (ALLOW, 'text(args.owner) == "guest"', other_than("guest"), "guest", "root"),
    (ALLOW, 'plain(args.owner) != "root"', exactly("root"), "guest", "root"),
    (ALLOW, '!plain(args.owner).contains("root")', matches("*root*"), "guest", "root"),
    (ALLOW, 'args.all(k, args[k] != "root")', equal("root"), "guest", "root"),
    (ALLOW, '["guest"].exists(o, o == args.owner)', other_than("guest"), "guest", "root"),
    (ALLOW, 'args.owner == "root" ? false : true', equal("root"), "guest", "root"),
]
ABSENT = ""
_OTHERS = [
    (TAGS, LISTS, DENY, {"arguments": {"tags": "root"}}, holds("root"), '["guest"]', '["root"]'),
    (
        TAGS,
        LISTS,
        DENY,
        'has(args.tags) && "root" in args.tags',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (TAGS, LISTS, DENY, 'args.tags.exists(t, t == "root")', holds("root"), '["guest"]', '["root"]'),
    (TAGS, LISTS, DENY, 'args.tags == ["root"]', equal(["root"]), '["guest"]', '["root"]'),
    (
        TAGS,
        LISTS,
        DENY,
        'size(args.tags.filter(t, t == "root")) > 0',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (
        TAGS,
        LISTS,
        DENY,
        'args.tags.exists(t, t in ["root", "admin"])',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (
        TAGS,
        LISTS,
        DENY,
        'args.tags[0] == "root"',
        lambda got: isinstance(got, list) and holds("root")(got[:1]),
        '["guest"]',
        '["root"]',
    ),
    (
        TAGS,
        LISTS,
        DENY,
        'args.tags.map(t, t == "root").exists(x, x)',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (
        TAGS,
        LISTS,
        DENY,
        '["root", "admin"].exists(t, t in args.tags)',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (TAGS, LISTS, DENY, '"root" in list(args.tags)', holds("root"), '["guest"]', '["root"]'),
    (
        TAGS,
        LISTS,
        DENY,
        'args.tags.exists(t, plain(t) == "root")',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (
        TAGS,
        LISTS,
        ALLOW,
        'args.tags.all(t, t == "guest")',
        holds_other("guest"),
        '["guest"]',
        '["root"]',
    ),
    (TAGS, LISTS, ALLOW, '!("root" in args.tags)', holds("root"), '["guest"]', '["root"]'),
    (
        TAGS,
        LISTS,
        ALLOW,
        '!args.tags.exists(t, t == "root")',
        holds("root"),
        '["guest"]',
        '["root"]',
    ),
    (TAGS, LISTS, ALLOW, 'args.tags.all(t, t != "root")', holds("root"), '["guest"]', '["root"]'),
    (TAGS, LISTS, ALLOW, 'args.tags == ["guest"]', other_than(["guest"]), '["guest"]', '["root"]'),
    (IDS, NUMBERS, DENY, "has(args.ids) && 5 in args.ids", holds(5), "[7]", "[5]"),
    (IDS, NUMBERS, DENY, "args.ids.exists(i, i == 5)", holds(5), "[7]", "[5]"),
    (
        IDS,
        NUMBERS,
        DENY,
        "args.ids.exists(i, i > 4)",
        lambda got: any(map(above(4), got)),
        "[3]",
        "[5]",
    ),
    (IDS, NUMBERS, ALLOW, "args.ids.all(i, i != 5)", holds(5), "[7]", "[5]"),
    (IDS, NUMBERS, ALLOW, "!(5 in args.ids)", holds(5), "[7]", "[5]"),
    (
        DAY,
        spellings.DATES,
        DENY,
        'args.day == "2026-01-02"',
        equal("2026-01-02"),
        '"2026-05-06"',
        '"2026-01-02"',
    ),
    (
        DAY,
        spellings.DATES,
        DENY,
        {"arguments": {"day": "2026-01-02"}},
        equal("2026-01-02"),
        '"2026-05-06"',
        '"2026-01-02"',
    ),
    (
        DAY,
        spellings.DATES,
        ALLOW,
        'args.day != "2026-01-02"',
        equal("2026-01-02"),
        '"2026-05-06"',
        '"2026-01-02"',
    ),
    (OPTS_FORCE, TRUE, DENY, {"arguments": {"opts.force": True}}, equal(True), "false", "true"),
    (OPTS_FORCE, TRUE, DENY, "args.opts.force == true", equal(True), "false", "true"),
    (
        OPTS_FORCE,
        TRUE,
        DENY,
        "has(args.opts) && has(args.opts.force) && args.opts.force == true",
        equal(True),
        "false",
        "true",
    ),
    (
        OPTS_FORCE,
        TRUE,
        DENY,
        'has(args.opts) && "force" in args.opts && args.opts["force"] != false',
        equal(True),
        "false",
        "true",
    ),
    (
        OPTS_FORCE,
        TRUE,
        DENY,
        'args.opts.exists(k, k == "force" && args.opts[k] == true)',
        equal(True),
        "false",
        "true",
    ),
    (OPTS_FORCE, FALSE, ALLOW, "args.opts.force == false", other_than(False), "false", "true"),
    (
        OPTS_FORCE,
        FALSE,
        ALLOW,
        "!has(args.opts.force) || args.opts.force == false",
        equal(True),
        "false",
        "true",
    ),
    (
        OPTS_OWNER,
        ROOT,
        DENY,
        {"arguments": {"opts.owner": "root"}},
        equal("root"),
        '"guest"',
        '"root"',
    ),
    (
        OPTS_OWNER,
        ROOT,
        DENY,
        'has(args.opts.owner) && args.opts.owner == "root"',
        equal("root"),
        '"guest"',
        '"root"',
    ),
    (OPTS_OWNER, ROOT, ALLOW, 'args.opts.owner != "root"', equal("root"), '"guest"', '"root"'),
    (
        OPTS_N,
        spellings.numbers(5),
        DENY,
        "has(args.opts.n) && args.opts.n == 5",
        equal(5),
        "7",
        "5",
    ),
    (OPTS_N, spellings.numbers(5), DENY, {"arguments": {"opts.n": 5}}, equal(5), "7", "5"),
    (OPTS_N, spellings.numbers(5), ALLOW, "args.opts.n < 5", no(below(5)), "3", "5"),
    (ROWS_FORCE, TRUE, DENY, "args.rows.exists(r, r.force == true)", equal(True), "false", "true"),
    (
        ROWS_FORCE,
        TRUE,
        DENY,
        "args.rows.exists(r, has(r.force) && r.force == true)",
        equal(True),
        "false",
        "true",
    ),
    (
        ROWS_FORCE,
        TRUE,
        DENY,
        "args.rows.map(r, r.force).exists(f, f == true)",
        equal(True),
        "false",
        "true",
    ),
    (
        ROWS_FORCE,
        TRUE,
        DENY,
        "args.rows.filter(r, has(r.force) && r.force).size() > 0",
        equal(True),
        "false",
        "true",
    ),
    (ROWS_FORCE, TRUE, DENY, "args.rows[0].force == true", equal(True), "false", "true"),
    (
        ROWS_FORCE,
        FALSE,
        ALLOW,
        "args.rows.all(r, r.force == false)",
        other_than(False),
        "false",
        "true",
    ),
    (
        ROWS_FORCE,
        FALSE,
        ALLOW,
        "!args.rows.exists(r, has(r.force) && r.force != false)",
        equal(True),
        "false",
        "true",
    ),
    (
        ROWS_OWNER,
        ROOT,
        DENY,
        'args.rows.exists(r, has(r.owner) && r.owner == "root")',
        equal("root"),
        '"guest"',
        '"root"',
    ),
    (
        ROWS_OWNER,
        ROOT,
        ALLOW,
        'args.rows.all(r, r.owner != "root")',
        equal("root"),
        '"guest"',
        '"root"',
    ),
    (
        ALIASED,
        TRUE,
        DENY,
        "has(args.opts.dry_run) && args.opts.dry_run == true",
        equal(True),
        "false",
        "true",
    ),
    (ALIASED, TRUE, DENY, {"arguments": {"opts.dry_run": True}}, equal(True), "false", "true"),
    (SKIP, TRUE, DENY, {"arguments": {"skip": True}}, equal(True), "false", "true"),
    (SKIP, TRUE, DENY, "has(args.skip) && args.skip == true", equal(True), "false", "true"),
    (SKIP, TRUE, DENY, '"skip" in args', equal(True), ABSENT, "true"),
    (SKIP, TRUE, ALLOW, "!has(args.skip)", equal(True), ABSENT, "true"),
    (SKIP, TRUE, ALLOW, "!has(args.skip) || args.skip == false", equal(True), "false", "true"),
    (KEY, ROOT, DENY, {"arguments": {"key": "root"}}, equal("root"), '"guest"', '"root"'),
    (KEY, ROOT, DENY, 'has(args.key) && args.key == "root"', equal("root"), '"guest"', '"root"'),
    (KEY, ROOT, ALLOW, 'args.key == "guest"', other_than("guest"), '"guest"', '"root"'),
    (DRY, TRUE, DENY, {"arguments": {"dry_run": True}}, equal(True), "false", "true"),
    (DRY, TRUE, DENY, "has(args.dry_run) && args.dry_run == true", equal(True), "false", "true"),
    (DRY_UNTAGGED, TRUE, DENY, {"arguments": {"DryRun": True}}, equal(True), "false", "true"),
    (
        DRY_UNTAGGED,
        TRUE,
        DENY,
        "has(args.DryRun) && args.DryRun == true",
        equal(True),
        "false",
        "true",
    ),
    (
        DRY_UNTAGGED,
        TRUE,
        DENY,
        "has(args.dry_run) && args.dry_run == true || has(args.DryRun) && args.DryRun",
        equal(True),
        None,
        "true",
    ),
    (MESSAGE, ROOT, DENY, {"arguments": {"message": "root"}}, equal("root"), '"guest"', '"root"'),
    (
        MESSAGE,
        ROOT,
        DENY,
        'has(args.message) && args.message == "root"',
        equal("root"),
        '"guest"',
        '"root"',
    ),
    (MESSAGE, ROOT, ALLOW, 'args.message != "root"', equal("root"), '"guest"', '"root"'),
]


def argument_cases() -> Iterator[Case]:
    """The cases about arguments."""
    for effect, rule, literal in _BOOLEANS:
        table = TRUE if literal == (effect == DENY) else FALSE
        forbids = equal(literal) if effect == DENY else other_than(literal)
        if (
            effect == ALLOW
            and isinstance(rule, str)
            and ("!=" in rule or "!(" in rule or "!has" in rule)
        ):
            forbids = equal(not literal)
        passes = json.dumps(literal if effect == ALLOW else not literal)
        denied = json.dumps(not literal if effect == ALLOW else literal)
        yield _case(FORCE, table, effect, rule, forbids, passes, denied)
    for effect, rule, meaning, literal, passes, denied in _NUMBERS:
        yield _case(N, spellings.numbers(literal), effect, rule, meaning, passes, denied)
    for effect, rule, meaning, passes, denied in _TEXTS:
        table = spellings.strings(denied)
        honest = None if passes is None else json.dumps(passes)
        yield _case(OWNER, table, effect, rule, meaning, honest, json.dumps(denied))
    for argument, table, effect, rule, meaning, passes, denied in _OTHERS:
        yield _case(argument, table, effect, rule, meaning, passes, denied)


_numbers: dict[str, int] = {}


def _values(rng: Random, table: list[str], names: list[str]) -> Iterator[tuple[str, str]]:
    """Values for tools without end: first the table for all tools, then chains of changes."""
    both = [(value, name) for value in table for name in names]
    rng.shuffle(both)
    yield from both
    for value in spellings.values(rng, table):
        yield value, rng.choice(names)


def _case(
    argument: Argument,
    table: list[str],
    effect: str,
    rule: dict[str, Any] | str,
    meaning: Meaning,
    passes: str | None,
    denied: str,
) -> Case:
    head = {"effect": effect, "what": {"servers": SERVERS, "methods": ["tools/call"]}}
    prompts = False
    if isinstance(rule, str):
        head["if"] = rule
        prompts = argument is OWNER
        if prompts:
            head["what"]["methods"].append("prompts/get")
    else:
        head["what"] |= rule
        if "arguments" in rule:
            del head["what"]["methods"]
            head["what"]["tools"] = ["*"]
    base = f"{effect}-{'-'.join(argument.path)}"
    number = _numbers[base] = _numbers.get(base, 0) + 1

    def forbids(told: Told, _: str) -> bool:
        return any(meaning(value) for value in argument.received(told["got"]))

    def attacks(rng: Random, build: Build) -> Iterator[Sent]:
        names = build.tools.get(argument.tools)
        if not names:
            return
        spelled = [spellings.keys(rng, name) for name in argument.path]
        go = build.name.startswith("go") or argument is ALIASED
        for value, name in _values(rng, table, names):
            how = rng.random()
            if go and how < 0.6:
                wanted = denied if rng.random() < 0.8 else value
                last = len(argument.path) - 1
                path = tuple(
                    next(keys) if rng.random() < 0.5 or at == last else plain
                    for at, (keys, plain) in enumerate(zip(spelled, argument.path, strict=True))
                )
                made_of_it = argument.arguments(wanted, path)
                if how < 0.15 and passes:
                    # Both keys, in either order.
                    both = [f'"{argument.path[-1]}":{passes}', f'"{path[-1]}":{wanted}']
                    rng.shuffle(both)
                    inner = made_of_it.rindex(f'"{path[-1]}":')
                    ends = made_of_it[inner:].removeprefix(f'"{path[-1]}":{wanted}')
                    made_of_it = made_of_it[:inner] + ",".join(both) + ends
                yield call(name, made_of_it)
            elif len(argument.path) > 1 and how > 0.8:
                # The whole of it as JSON text, or in a list.
                outer = argument.path[0]
                whole = argument.arguments(denied if rng.random() < 0.5 else value)
                inner = whole[len(outer) + 4 : -1]
                inner = rng.choice([spellings.as_text(rng, inner), f"[{inner}]"])
                yield call(name, f'{{"{outer}":{inner}}}')
            elif prompts and build.prompts and how < 0.2:
                yield call(rng.choice(PROMPTS), argument.arguments(value), "prompts/get")
            else:
                yield call(name, argument.arguments(value))

    def plainly(value: str | None) -> Callable[[Build], Sent | None]:
        def sent(build: Build) -> Sent | None:
            names = build.tools.get(argument.tools)
            if not names or value is None:
                return None
            return call(names[0], argument.arguments(value) if value else "{}")

        return sent

    return Case(
        f"{base}-{number}",
        "values",
        [head],
        forbids,
        attacks,
        plainly(passes),
        plainly(denied),
        everything_else=effect == DENY,
    )


# --- resources ---


def read(uri: str, method: str = "resources/read") -> Sent:
    """Reads a resource."""
    return method, f'{{"uri":{json.dumps(uri, ensure_ascii=False)}}}'


def host_of(received: str) -> str:
    """The host that a handler would connect to."""
    host = unicodedata.normalize("NFKC", unquote(received)).lower()
    host, _, port = host.rpartition("@")[2].partition(":")
    if port.isdecimal() and int(port) != 443:
        return f"{host}:{port}"  # another server
    host = host.rstrip(".")
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host


def path_of(received: Any, build: str) -> str:
    """The path that a handler would open."""
    joined = "/".join(received) if isinstance(received, list) else str(received)
    decoded = unquote(joined) if build.startswith("ts") else joined
    return posixpath.normpath("/" + decoded.replace("\\", "/")).lstrip("/")


Ran = Callable[[Told, str], bool]


def ran(*names: str) -> Ran:
    """One of these resources was read, or subscribed to."""
    uris = {
        "secret": "note://secret/x",
        "intra": "https://intra.corp/x",
        "local": "http://127.0.0.1/admin",
        "passwd": "file:///etc/passwd",
        "blank": "doc://top/a%20b",
        "cafe": "doc://top/caf%C3%A9",
    }
    wanted = {uris[name] for name in names if name in uris}

    def forbids(told: Told, _: str) -> bool:
        return told["ran"] in names or told["got"].get("uri") in wanted

    return forbids


def web(host: str) -> Ran:
    return lambda told, _: told["ran"] == "web" and host_of(told["got"]["host"]) == host


def either(*all_of_them: Ran) -> Ran:
    return lambda told, build: any(one(told, build) for one in all_of_them)


def leaf(test: Callable[[str, str], bool]) -> Ran:
    return lambda told, _: (
        told["ran"] == "leaf" and test(str(told["got"]["dir"]), str(told["got"]["name"]))
    )


def item(id: str) -> Ran:
    return lambda told, _: told["ran"] == "item" and told["got"]["id"] == id


def tree(test: Callable[[str], bool]) -> Ran:
    return lambda told, build: told["ran"] == "tree" and test(path_of(told["got"]["path"], build))


def logs(level: str | None = None) -> Ran:
    return lambda told, _: told["ran"] == "logs" and level in (None, told["got"].get("level"))


def document(prefix: str) -> Ran:
    return lambda told, _: told["ran"] == "document" and told["got"]["uri"].startswith(prefix)


def in_pub(told: Told, _: str) -> bool:
    """What is in the public folder was read or subscribed to, be it there or not."""
    uri = str(told["got"].get("uri"))
    return told["ran"] == "pub" or (uri.startswith("note://pub/") and "/../" not in uri + "/")


def only(*allowed: Ran) -> Ran:
    """Nothing but this may run."""
    return lambda told, build: not any(one(told, build) for one in allowed)


SECRET, PUB = "note://secret/x", "note://pub/x"
INTRA, OPEN, LOCAL = "https://intra.corp/x", "https://pub.corp/x", "http://127.0.0.1/admin"
PASSWD, README = "file:///etc/passwd", "file:///pub/readme"
BLANK, CAFE = "doc://top/a%20b", "doc://top/caf%C3%A9"
PAYROLL = "leaf://secret/payroll"
STATIC = "demo://resource/static/document/"
DYNAMIC = "demo://resource/dynamic/"
ESCAPES = [
    "note://pub/../secret/x",
    "note://pub/%2e%2e/secret/x",
    "note://pub/.. ",
    "note://pub%2F../secret/x",
]
TREES = [
    "tree://root/private/x",
    "tree://root/pub/../private/x",
    "tree://root/pub/%2E%2E/private/x",
]
TREES += [
    "tree://root/pub%2F..%2Fprivate%2Fx",
    "tree://root/pub/..%2Fprivate/x",
    "tree://root//private/x",
]
TREES += [
    "tree://root/./private/x",
    "tree://root/private%2Fx",
    "tree://root/pub/..\\private\\x",
    "tree://root/PRIVATE/x",
]
DEEPER = [
    "tree://root/pub/a%2Fb",
    "tree://root/pub/a/b",
    "tree://root/pub/a%2fb",
    "tree://root/pub/a\\b",
]
HOSTS = [
    "https://evil.test?.corp/x",
    "https://evil.test#.corp/x",
    "https://evil.test/.corp/x",
    "https://evil.test\\.corp/x",
]
HOSTS += [
    "https://evil.test%2F.corp/x",
    "https://evil.test%23.corp/x",
    "https://evil.test@.corp/x",
    "https://a.corp@evil.test/x",
]
HOSTS += [
    "https://evil.test:80.corp/x",
    "https://evil.test%3F.corp/x",
    "https://a.corp:x@evil.test/x",
]

# Effect, selector or expression, what it forbids to have run, URIs to start from, one that has to
# pass, one that has not.
_RESOURCES = [
    (DENY, [SECRET], ran("secret"), [SECRET], PUB, SECRET),
    (DENY, ["note://secret/**"], ran("secret"), [SECRET, *ESCAPES[:2]], PUB, SECRET),
    (DENY, ["note://secret/*"], ran("secret"), [SECRET], PUB, SECRET),
    (DENY, ["note://secret/x", "note://secret"], ran("secret"), [SECRET], PUB, SECRET),
    (
        DENY,
        ["https://intra.corp/**"],
        either(ran("intra"), web("intra.corp")),
        [INTRA, "https://intra.corp/y"],
        OPEN,
        INTRA,
    ),
    (DENY, [INTRA], either(ran("intra")), [INTRA], OPEN, INTRA),
    (DENY, ["http://127.0.0.1/**"], ran("local"), [LOCAL], OPEN, LOCAL),
    (DENY, ["file:///etc/**"], ran("passwd"), [PASSWD], README, PASSWD),
    (DENY, ["file:///etc/passwd"], ran("passwd"), [PASSWD], README, PASSWD),
    (DENY, [BLANK, CAFE], ran("blank", "cafe"), [BLANK, CAFE], PUB, CAFE),
    (
        DENY,
        ["leaf://secret/**"],
        leaf(lambda dir, _: dir.lower() == "secret"),
        [PAYROLL],
        "leaf://pub/a",
        PAYROLL,
    ),
    (
        DENY,
        ["leaf://*/payroll"],
        leaf(lambda _, name: name.lower() == "payroll"),
        [PAYROLL, "leaf://pub/payroll"],
        "leaf://pub/a",
        PAYROLL,
    ),
    (
        DENY,
        [PAYROLL],
        leaf(lambda dir, name: (dir, name) == ("secret", "payroll")),
        [PAYROLL],
        "leaf://pub/a",
        PAYROLL,
    ),
    (
        DENY,
        ["leaf://secret/pay,roll"],
        leaf(lambda dir, name: (dir, name) == ("secret", "pay,roll")),
        ["leaf://secret/pay%2Croll", "leaf://secret/pay,roll"],
        "leaf://pub/a",
        None,
    ),
    (DENY, ["item://secret"], item("secret"), ["item://secret"], "item://pub", "item://secret"),
    (
        DENY,
        ["tree://root/private/**"],
        tree(lambda path: path.lower().startswith("private/")),
        TREES,
        "tree://root/pub/a",
        TREES[0],
    ),
    (DENY, ["logs://api"], logs(), ["logs://api", "logs://api?level=error"], PUB, None),
    (
        DENY,
        ["logs://api[?]level=error"],
        logs("error"),
        ["logs://api?level=error"],
        PUB,
        "logs://api?level=error",
    ),
    (ALLOW, ["note://pub/**"], only(in_pub), [*ESCAPES, SECRET], PUB, SECRET),
    (
        ALLOW,
        ["https://pub.corp/**"],
        only(ran("open"), web("pub.corp")),
        [INTRA, "https://pub.corp@intra.corp/x", *HOSTS],
        OPEN,
        INTRA,
    ),
    (
        ALLOW,
        ["https://*.corp/**"],
        only(
            ran("intra", "open"),
            lambda told, _: told["ran"] == "web" and host_of(told["got"]["host"]).endswith(".corp"),
        ),
        HOSTS,
        OPEN,
        "https://evil.test/x",
    ),
    (
        ALLOW,
        ["tree://root/pub/**"],
        only(tree(lambda path: path.startswith("pub/"))),
        TREES,
        "tree://root/pub/a",
        TREES[0],
    ),
    (
        ALLOW,
        ["tree://root/pub/*"],
        only(tree(lambda path: path.startswith("pub/") and path.count("/") == 1)),
        DEEPER,
        "tree://root/pub/a",
        DEEPER[1],
    ),
    (
        ALLOW,
        ["leaf://pub/*"],
        only(leaf(lambda dir, name: dir == "pub" and "/" not in name)),
        [PAYROLL, "leaf://pub/../secret/x", "leaf://pub/a%2Fb"],
        "leaf://pub/a",
        PAYROLL,
    ),
    (ALLOW, {"not": {"resources": ["note://secret/**"]}}, ran("secret"), [SECRET], PUB, SECRET),
    (
        DENY,
        {"not": {"resources": ["note://pub/**"]}},
        only(in_pub),
        [SECRET, *ESCAPES],
        PUB,
        SECRET,
    ),
    (DENY, f'mcp.uri == "{SECRET}"', ran("secret"), [SECRET], PUB, SECRET),
    (
        DENY,
        f'mcp.uri in ["{SECRET}", "{INTRA}"]',
        ran("secret", "intra"),
        [SECRET, INTRA],
        PUB,
        SECRET,
    ),
    (DENY, 'mcp.uri.startsWith("note://secret/")', ran("secret"), [SECRET], PUB, SECRET),
    (
        DENY,
        'mcp.uri.startsWith("https://intra.corp/") || mcp.uri.startsWith("file:///etc/")',
        ran("intra", "passwd"),
        [INTRA, PASSWD],
        OPEN,
        INTRA,
    ),
    (DENY, 'glob(mcp.uri, "note://secret/*")', ran("secret"), [SECRET], PUB, SECRET),
    (DENY, 'mcp.uri.matches("^note://secret/")', ran("secret"), [SECRET], PUB, SECRET),
    (DENY, 'mcp.uri.contains("secret")', ran("secret"), [SECRET], PUB, SECRET),
    (DENY, '!mcp.uri.startsWith("note://pub/")', only(in_pub), [SECRET, *ESCAPES], PUB, SECRET),
    (DENY, f'has(mcp.uri) && mcp.uri == "{CAFE}"', ran("cafe"), [CAFE], PUB, CAFE),
    (
        DENY,
        'mcp.uri == "item://secret"',
        item("secret"),
        ["item://secret"],
        "item://pub",
        "item://secret",
    ),
    (
        DENY,
        f'mcp.uri == "{PAYROLL}"',
        leaf(lambda dir, name: (dir, name) == ("secret", "payroll")),
        [PAYROLL],
        "leaf://pub/a",
        PAYROLL,
    ),
    (
        DENY,
        f'["{SECRET}", "{PASSWD}"].exists(u, u == mcp.uri)',
        ran("secret", "passwd"),
        [SECRET, PASSWD],
        PUB,
        SECRET,
    ),
    (DENY, 'mcp.uri_folded.startsWith("note:secret/")', ran("secret"), [SECRET], PUB, SECRET),
    (
        DENY,
        'mcp.uri_folded == "leaf:secret/payroll"',
        leaf(lambda dir, name: (dir.lower(), name.lower()) == ("secret", "payroll")),
        [PAYROLL, "leaf://secret/pay%72oll"],
        "leaf://pub/a",
        PAYROLL,
    ),
    (
        DENY,
        'mcp.uri.endsWith("/payroll")',
        leaf(lambda _, name: name == "payroll"),
        [PAYROLL, "leaf://pub/payroll"],
        "leaf://pub/a",
        PAYROLL,
    ),
    (ALLOW, f'mcp.uri != "{SECRET}"', ran("secret"), [SECRET], PUB, SECRET),
    (ALLOW, f'mcp.uri == "{PUB}"', only(in_pub), [*ESCAPES, SECRET], PUB, SECRET),
    (ALLOW, 'mcp.uri.startsWith("note://pub/")', only(in_pub), [*ESCAPES, SECRET], PUB, SECRET),
    (
        ALLOW,
        'mcp.uri.startsWith("tree://root/pub/")',
        only(tree(lambda path: path.startswith("pub/"))),
        TREES,
        "tree://root/pub/a",
        TREES[0],
    ),
    (ALLOW, f'!(mcp.uri in ["{SECRET}"])', ran("secret"), [SECRET], PUB, SECRET),
    (
        DENY,
        [f"{STATIC}architecture.md"],
        document(f"{STATIC}architecture.md"),
        [f"{STATIC}architecture.md"],
        f"{STATIC}features.md",
        f"{STATIC}architecture.md",
    ),
    (
        DENY,
        [f"{DYNAMIC}**"],
        document(DYNAMIC),
        [f"{DYNAMIC}text/1", f"{DYNAMIC}blob/2"],
        f"{STATIC}features.md",
        f"{DYNAMIC}text/1",
    ),
    (
        DENY,
        f'mcp.uri.startsWith("{DYNAMIC}")',
        document(DYNAMIC),
        [f"{DYNAMIC}text/1"],
        f"{STATIC}features.md",
        f"{DYNAMIC}text/1",
    ),
    (
        ALLOW,
        [f"{STATIC}**"],
        only(document(STATIC)),
        [f"{DYNAMIC}text/1", f"{STATIC}../../dynamic/text/1"],
        f"{STATIC}features.md",
        f"{DYNAMIC}text/1",
    ),
]


def resource_cases() -> Iterator[Case]:
    """The cases about resources."""
    for number, one in enumerate(_RESOURCES):
        yield _resource_case(number, *one)


def _serves(build: Build, uri: str) -> bool:
    if build.compares:
        return uri.startswith(("note:", "doc:"))
    if uri.startswith("demo:"):
        return build.name == "everything"
    if not build.templates:
        return False
    return uri.partition(":")[0] not in {"tree", "logs"} - build.templates


def _resource_case(
    number: int,
    effect: str,
    rule: list[str] | dict[str, Any] | str,
    forbids: Ran,
    targets: list[str],
    passes: str,
    denied: str | None,
) -> Case:
    head = {"effect": effect, "what": {"servers": SERVERS}}
    if isinstance(rule, str):
        head["what"]["methods"] = METHODS
        head["if"] = rule
    elif isinstance(rule, dict):
        head["what"] |= {"methods": METHODS} | rule
    else:
        head["what"]["resources"] = rule

    def attacks(rng: Random, build: Build) -> Iterator[Sent]:
        if not _serves(build, targets[0]):
            return
        for uri in spellings.uris(rng, targets):
            method = "resources/read"
            if build.subscribes and rng.random() < 0.15:
                method = "resources/subscribe"
            yield read(uri, method)

    def plainly(uri: str | None) -> Callable[[Build], Sent | None]:
        return lambda build: read(uri) if uri and _serves(build, targets[0]) else None

    return Case(
        f"{effect}-resource-{number}",
        "uris",
        [head],
        forbids,
        attacks,
        plainly(passes),
        plainly(denied),
        everything_else=effect == DENY,
    )


METHODS = ["resources/read", "resources/subscribe", "resources/unsubscribe"]

# --- completion ---

LEAVES = "leaf://{dir}/{name}"


def complete(argument: str, value: str, known: str | None, uri: str = LEAVES) -> Sent:
    """Completes an argument of a template."""
    context = "" if known is None else f',"context":{{"arguments":{known}}}'
    return (
        "completion/complete",
        f'{{"ref":{{"type":"ref/resource","uri":{json.dumps(uri)}}},'
        f'"argument":{{"name":"{argument}","value":{json.dumps(value)}}}{context}}}',
    )


def completion_cases() -> Iterator[Case]:
    """The cases about completion of templates."""

    def in_secret(told: Told, _: str) -> bool:
        got = told["got"]
        directory = got["known"].get("dir")
        return (
            told["ran"] == "complete"
            and got["argument"] == "name"
            and directory in (None, "secret")
        )

    def beside_pub(told: Told, _: str) -> bool:
        got = told["got"]
        if told["ran"] != "complete":
            return True
        return "pub" != (got["value"] if got["argument"] == "dir" else got["known"].get("dir"))

    def attacks(rng: Random, build: Build) -> Iterator[Sent]:
        if not build.completes:
            return
        while True:
            names = ["dir", "Dir", "DIR", "name", "d", "\\u0064ir"]
            values = [
                "secret",
                "pub",
                "Secret",
                "SECRET",
                "",
                "*",
                "secret/x",
                "s%65cret",
                "pub/../secret",
                " secret",
            ]
            pairs = [
                f'"{rng.choice(names)}":{json.dumps(rng.choice(values))}'
                for _ in range(rng.randrange(3))
            ]
            known = rng.choice(
                [None, "{}", "{" + ",".join(pairs) + "}", '{"dir":"secret"}', '{"dir":"pub"}']
            )
            argument = rng.choice(["name", "name", "dir"])
            yield complete(
                argument, rng.choice(["", "a", "pub", "x", "secret", "../secret/", "p"]), known
            )

    def at(known: str) -> Callable[[Build], Sent | None]:
        return lambda build: complete("name", "", known) if build.completes else None

    pub, secret = at('{"dir":"pub"}'), at('{"dir":"secret"}')
    for number, (effect, pattern, forbids) in enumerate(
        [
            (DENY, "leaf://secret/**", in_secret),
            (DENY, "leaf://secret/*", in_secret),
            (ALLOW, "leaf://pub/*", beside_pub),
            (ALLOW, "leaf://pub/**", beside_pub),
        ]
    ):
        rule = {"effect": effect, "what": {"servers": SERVERS, "resources": [pattern]}}
        yield Case(
            f"{effect}-completion-{number}",
            "completion",
            [rule],
            forbids,
            attacks,
            pub,
            secret,
            everything_else=effect == DENY,
        )


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
