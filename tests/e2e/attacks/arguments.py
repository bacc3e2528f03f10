"""Cases about arguments of tools and prompts."""

import fnmatch
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import spellings
from builds import Build
from cases import ALLOW, DENY, SERVERS, Case, Sent, Told


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
