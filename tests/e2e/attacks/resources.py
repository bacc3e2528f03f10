"""Cases about resources, and about completion of their templates."""

import json
import posixpath
import socket
import unicodedata
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from urllib.parse import unquote

import spellings
from builds import Build
from cases import ALLOW, DENY, SERVERS, Case, Sent, Told


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

    def honest(build: Build) -> Sent | None:
        # Where texts are compared there is no folded form, so a rule over it has no result.
        folded = isinstance(rule, str) and "uri_folded" in rule
        return None if folded and build.compares else plainly(passes)(build)

    return Case(
        f"{effect}-resource-{number}",
        "uris",
        [head],
        forbids,
        attacks,
        honest,
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
