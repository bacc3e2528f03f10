"""Other ways to write URIs, values and keys: tables of what readers are known to take, and chains
of random changes. Values are JSON text, so that `5.0` and `5e0` stay apart.
"""

import json
from collections.abc import Callable, Iterator
from random import Random

# --- URIs ---

BLANKS = [
    " ",
    "\t",
    "\n",
    "\r",
    "\u00a0",
    "\u3000",
    "\ufeff",
    "\u0000",
    "\u001f",
    "\u200b",
    "\u2028",
]
FULL_WIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
DOTS = ["\u3002", "\uff0e", "\uff61"]

Change = Callable[[Random, str], str]


def _split(uri: str) -> tuple[str, str, str, str]:
    """Scheme, what separates it, host, and the rest from its slash on."""
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return "", "", "", uri
    slashes = "//" if rest.startswith("//") else ""
    host, slash, path = rest.removeprefix(slashes).partition("/")
    return scheme, colon + slashes, host, slash + path


def _scheme(change: Callable[[Random, str], str]) -> Change:
    def changed(rng: Random, uri: str) -> str:
        scheme, separator, host, rest = _split(uri)
        return change(rng, scheme) + separator + host + rest

    return changed


def _host(change: Callable[[Random, str], str]) -> Change:
    def changed(rng: Random, uri: str) -> str:
        scheme, separator, host, rest = _split(uri)
        return scheme + separator + change(rng, host) + rest

    return changed


def _path(change: Callable[[Random, str], str]) -> Change:
    def changed(rng: Random, uri: str) -> str:
        scheme, separator, host, rest = _split(uri)
        return scheme + separator + host + change(rng, rest)

    return changed


def _one(change: Callable[[Random, str], str]) -> Change:
    """Changes one character."""

    def changed(rng: Random, text: str) -> str:
        if not text:
            return text
        at = rng.randrange(len(text))
        return text[:at] + change(rng, text[at]) + text[at + 1 :]

    return changed


def _insert(pieces: list[str]) -> Change:
    def changed(rng: Random, text: str) -> str:
        at = rng.randrange(len(text) + 1)
        return text[:at] + rng.choice(pieces) + text[at:]

    return changed


def mixed(rng: Random, text: str) -> str:
    """The text in capitals, with one, or here and there."""
    how = rng.randrange(4)
    if how == 0:
        return text.upper()
    if how == 1:
        return text[:1].upper() + text[1:]
    if how == 2:
        return _one(lambda _, one: one.upper())(rng, text)
    return "".join(rng.choice((one.upper(), one.lower())) for one in text)


def _escape(rng: Random, one: str) -> str:
    escaped = "".join(f"%{byte:02X}" for byte in one.encode("utf-8", "surrogatepass"))
    return rng.choice((escaped, escaped.lower()))


def _number_host(rng: Random, host: str) -> str:
    forms = ["127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.0.0.1."]
    forms += ["127.0.1", "0177.0.0.1", "127.000.000.001", "[::ffff:127.0.0.1]"]
    return rng.choice(forms) if host == "127.0.0.1" else host


def _segment(pieces: list[str]) -> Change:
    """Puts a segment in front of one."""

    def changed(rng: Random, path: str) -> str:
        places = [at for at, one in enumerate(path) if one == "/"]
        if not places:
            return path + rng.choice(pieces)
        at = rng.choice(places)
        return path[: at + 1] + rng.choice(pieces) + path[at + 1 :]

    return changed


def _slashes(rng: Random, uri: str) -> str:
    scheme, _, host, rest = _split(uri)
    return (
        scheme
        + rng.choice([":", ":/", ":///", "://", ":////", ":\\\\", ":/\\", "://@"])
        + host
        + rest
    )


DOT_SEGMENTS = [
    "./",
    "x/../",
    "x/%2e%2e/",
    "x/.%2E/",
    "%2e/",
    "x/..\\",
    "x/y/../../",
    "x/..%2f",
    "../",
]
URI_CHANGES: list[Change] = [
    _scheme(mixed),
    _host(mixed),
    _path(mixed),
    lambda rng, uri: rng.choice(BLANKS) + uri,
    lambda rng, uri: uri + rng.choice(BLANKS),
    _insert(BLANKS),
    _host(_one(_escape)),
    _path(_one(_escape)),
    _one(_escape),
    _path(
        lambda rng, path: path.replace(
            "/", rng.choice(["%2F", "%2f", "\\", "//", "/./", "%5C", "%252F"])
        )
    ),
    _path(_segment(DOT_SEGMENTS)),
    _path(_segment(["/", "//", ";v=1/", "%20/"])),
    lambda rng, uri: (
        uri + rng.choice(["/", "//", "/.", "/..", "/x/..", "/%2e", "\\", ".", "%00", "/%2E%2E"])
    ),
    lambda rng, uri: (
        uri + rng.choice(["?", "?x", "?x=1", "?level=error", "?/x", "??", "?x#y", "?%6c=1"])
    ),
    lambda rng, uri: uri + rng.choice(["#", "#x", "#/../x", "##", "#?x"]),
    _path(_insert(["?", "#", ";", "%3F", "%23", "%3B", "&", "@", ":", "%00", "%FF", "%"])),
    _host(
        lambda rng, host: (
            host + rng.choice([":", ":80", ":443", ":0443", ":0", ":8080", ".", "%2e"])
        )
    ),
    _host(
        lambda rng, host: rng.choice(["@", "user@", "user:pw@", ":@", "evil.test@", "x%40"]) + host
    ),
    _host(_number_host),
    _host(lambda rng, host: host.replace(".", rng.choice(DOTS))),
    _host(_one(lambda _, one: FULL_WIDTH.get(one, one))),
    _host(_one(lambda _, one: {"s": "\u017f", "k": "\u212a"}.get(one, one))),
    _path(_one(lambda _, one: FULL_WIDTH.get(one, one))),
    _path(_one(lambda _, one: {"s": "\u017f", "k": "\u212a", "e": "\u00e9"}.get(one, one))),
    _host(
        lambda rng, host: (
            rng.choice(["localhost", "", "LOCALHOST", "127.0.0.1", "."]) if not host else host
        )
    ),
    _slashes,
    lambda _, uri: uri.replace("://", ":", 1),
    lambda _, uri: uri.replace("%C3%A9", "\u00e9").replace("%20", " "),
    lambda _, uri: uri.replace("%C3%A9", "e\u0301").replace("%20", "+"),
    lambda _, uri: uri.replace("%C3%A9", "%c3%a9"),
    lambda rng, uri: rng.choice(["url:", "URL:", "<", "view-source:", "x:"]) + uri,
    lambda _, uri: uri.replace("/", "\\"),
    lambda _, uri: uri.replace("/", "%2F"),
    lambda _, uri: uri.replace("%", "%25"),
]


def uris(rng: Random, targets: list[str]) -> Iterator[str]:
    """Spellings of URIs without end: first each change once, then chains of one to three."""
    for target in targets:
        yield target
        for change in URI_CHANGES:
            yield change(rng, target)
    while True:
        uri = rng.choice(targets)
        for _ in range(rng.choice((1, 1, 2, 2, 3))):
            uri = rng.choice(URI_CHANGES)(rng, uri)
        yield uri


# --- values ---

TRUE = [
    "1",
    "1.0",
    "1e0",
    '"true"',
    '"True"',
    '"TRUE"',
    '"tRuE"',
    '"t"',
    '"T"',
    '"y"',
    '"Y"',
    '"yes"',
]
TRUE += [
    '"YES"',
    '"on"',
    '"On"',
    '"1"',
    '"enabled"',
    "[true]",
    '["true"]',
    "[1]",
    '" true"',
    '"true "',
]
TRUE += [
    '"true\\n"',
    '"true\\u0000"',
    '"\\u0074rue"',
    "5",
    "-1",
    "2",
    '"false"',
    '"0"',
    '"no"',
    "{}",
    "[]",
]
TRUE += ["[false]", '"x"', '[["true"]]', '"[true]"', '"\\"true\\""', "0.5", "1e400"]
FALSE = [
    "0",
    "0.0",
    "-0",
    "-0.0",
    "0e5",
    '"false"',
    '"False"',
    '"FALSE"',
    '"f"',
    '"F"',
    '"n"',
    '"N"',
]
FALSE += [
    '"no"',
    '"NO"',
    '"off"',
    '"Off"',
    '"0"',
    '"disabled"',
    "[false]",
    '["false"]',
    "null",
    '"null"',
]
FALSE += ['""', '" "', '" false"', "[]", '"x"', "1", '"false\\n"', "{}"]
SPACES = [
    "\\t",
    "\\n",
    " ",
    "\u00a0",
    "\ufeff",
    "\u3000",
    "\u2003",
    "\\u0000",
    "\\u001c",
    "\u0085",
    "\u200b",
]


def numbers(value: float) -> list[str]:
    """Ways to write a number, right and nearly right ones."""
    whole = int(value) if value == int(value) else None
    text = repr(value) if whole is None else str(whole)
    made = [text, f'"{text}"', f"[{text}]", f'["{text}"]', f'[["{text}"]]', f'"[{text}]"']
    made += [
        f'" {text}"',
        f'"{text} "',
        f'"\\t{text}\\n"',
        f'"+{text}"',
        f'"0{text}"',
        f'"{text}n"',
    ]
    made += [f'"{text}%"', f'"{text}\\u0000"', f'"\\"{text}\\""', f'"{text},000"', f'"{text}px"']
    made += [
        "null",
        '""',
        '" "',
        "true",
        "false",
        "[]",
        '"NaN"',
        '"Infinity"',
        '"inf"',
        "1e400",
        "{}",
    ]
    if whole is not None:
        made += [f"{text}.0", f"{text}e0", f"{text}0e-1", f"{text}.00", f"{text}.0000000000000001"]
        made += [
            f"{text}.5",
            f'"{text}.0"',
            f'"{text}."',
            f'"{text}e0"',
            f'"{text}.5"',
            f'"{text}_0"',
        ]
        made += [
            f'"0x{abs(whole):x}"',
            f'"0b{abs(whole):b}"',
            f'"0o{abs(whole):o}"',
            f'"{whole:_}"',
        ]
        made += [f'"{whole:,}"', f'"00{text}"', f'"-{text}"', f"-{abs(whole)}", f"{whole + 1}"]
        made += [
            f"{text}E0",
            f"{text}E+0",
            f"{text}00e-2",
            f"{text}.{'0' * 25}1",
            f"0.{text}e{len(text)}",
        ]
        made += [f"{whole}.9999999999999999", str(whole * 10) + "e-1", f'"{whole * 10}e-1"']
        for zero in (0x660, 0xFF10, 0x966):
            other = "".join(chr(zero + int(digit)) if digit.isdigit() else digit for digit in text)
            made.append(f'"{other}"')
    if whole is not None and abs(whole) >= 2**53:
        made += [str(whole + step) for step in (-2, -1, 1, 2)] + [
            f'"{whole + 1}"',
            f"{whole + 1}.0",
        ]
    return made


def strings(value: str) -> list[str]:
    """Ways to write a text, right and nearly right ones."""
    decomposed = {"\u00e9": "e\u0301", "s": "\u017f", "k": "\u212a", "\u00df": "\u1e9e"}
    quoted = [value, value.upper(), value.title(), value.swapcase(), f" {value}", f"{value} "]
    quoted += [f"\u001c{value}", f"{value}\u001f", f"\u0085{value}"]
    quoted += [f"\u00a0{value}", f"{value}\ufeff", f"{value}\u0000", f"\u200b{value}", f"{value}\n"]
    quoted += ["".join(decomposed.get(one, one) for one in value), f'"{value}"', f"'{value}'"]
    quoted += ["".join(FULL_WIDTH.get(one, one) for one in value), f"{value},{value}", f",{value}"]
    quoted += [
        value.replace("o", "\u043e"),
        value.replace("ss", "\u00df"),
        value.replace("\u00df", "ss"),
    ]
    made = [json.dumps(text, ensure_ascii=False) for text in quoted]
    made += [json.dumps(value)[:-1].replace(value[:1], f"\\u{ord(value[:1]):04x}", 1) + '"']
    plain = json.dumps(value)
    made += [
        f"[{plain}]",
        f"[{plain},{plain}]",
        f"[[{plain}]]",
        json.dumps(f"[{plain}]"),
        f'{{"0":{plain}}}',
    ]
    made += [
        json.dumps(plain),
        "null",
        "[]",
        "{}",
        "0",
        "1",
        "true",
        "false",
        '""',
        f"[{plain},null]",
    ]
    made += [f'["x",{plain}]', '"null"', '"undefined"']
    try:
        json.loads(value)
        made += [value, f"[{value}]", f"{value}.0", f"{value}e0"]
    except ValueError:
        pass
    return made


DATES = [
    '"2026-01-02"',
    '"2026-01-02T00:00:00Z"',
    '"2026-01-02T00:00:00+00:00"',
    '"2026-01-02 00:00:00"',
]
DATES += [
    '"2026-01-02T00:00:00.000Z"',
    '"2026-01-02T00:00"',
    '"2026-01-02t00:00:00z"',
    "1767312000",
]
DATES += [
    '"1767312000"',
    "1767312000000",
    '"1767312000000"',
    '"2026-1-2"',
    '"Jan 2, 2026"',
    '"01/02/2026"',
]
DATES += [
    '" 2026-01-02"',
    '"2026-01-02 "',
    '["2026-01-02"]',
    "1767312000.0",
    '"1767312000.0"',
    "null",
]
DATES += [
    '"2026-01-02T01:00:00+01:00"',
    '"02 Jan 2026"',
    '"2026-01-02T00:00:00"',
    '"20260102"',
    "20260102",
]


def pad(rng: Random, raw: str) -> str:
    """White space at the ends of a text, or the text of something else with it."""
    inner = raw[1:-1] if raw.startswith('"') else json.dumps(raw)[1:-1]
    left, right = (rng.choice(["", rng.choice(SPACES)]) for _ in range(2))
    return f'"{left}{inner}{right}"'


def as_text(_: Random, raw: str) -> str:
    """JSON text as a text."""
    return json.dumps(raw, ensure_ascii=False)


def _inside(change: Callable[[Random, str], str]) -> Change:
    def changed(rng: Random, raw: str) -> str:
        if not raw.startswith('"'):
            return raw
        try:
            text = json.loads(raw)
        except ValueError:
            return raw
        return json.dumps(change(rng, text), ensure_ascii=False)

    return changed


def _escaped(rng: Random, raw: str) -> str:
    """One letter of a text by its number: the same text."""
    places = [at for at, one in enumerate(raw) if one.isalnum() and "\\" not in raw[:at]]
    if not raw.startswith('"') or not places:
        return raw
    at = rng.choice(places)
    return f"{raw[:at]}\\u{ord(raw[at]):04x}{raw[at + 1 :]}" if ord(raw[at]) < 0x10000 else raw


VALUE_CHANGES: list[Change] = [
    pad,
    as_text,
    _escaped,
    _inside(mixed),
    _inside(_one(lambda _, one: FULL_WIDTH.get(one, one))),
    _inside(_one(lambda _, one: {"s": "\u017f", "k": "\u212a", "e": "\u00e9"}.get(one, one))),
    _inside(_insert(BLANKS + ["\u00ad", "_", ",", "-", "+", ".", "0", '"'])),
    lambda _, raw: f"[{raw}]",
    lambda _, raw: f"[{raw},{raw}]",
    lambda _, raw: f"[null,{raw}]",
    lambda _, raw: f" {raw}\t",
    lambda _, raw: f'{{"value":{raw}}}',
    lambda _, raw: raw + ".0" if raw.lstrip("-").isdigit() else raw,
    lambda _, raw: raw + "e0" if raw.lstrip("-").isdigit() else raw,
]


def values(rng: Random, table: list[str]) -> Iterator[str]:
    """Spellings of a value without end: chains of one to three changes."""
    while True:
        raw = rng.choice(table)
        for _ in range(rng.choice((1, 1, 2, 3))):
            raw = rng.choice(VALUE_CHANGES)(rng, raw)
        yield raw


# --- keys ---


def keys(rng: Random, name: str) -> Iterator[str]:
    """Spellings of a key without end, as JSON text between quotes."""
    words = name.replace("-", "_").split("_")
    camel = words[0] + "".join(word.title() for word in words[1:])
    letters = {"s": "\u017f", "k": "\u212a"}
    yield from [
        name,
        name.upper(),
        name.title(),
        name.swapcase(),
        camel,
        camel[:1].upper() + camel[1:],
    ]
    yield from [
        "-".join(words),
        "".join(words),
        "".join(words).upper(),
        " ".join(words),
        "__".join(words),
    ]
    yield "".join(letters.get(one, one) for one in name)
    yield f"\\u{ord(name[0]):04x}{name[1:]}"
    yield f"\\u{ord(name[0].upper()):04x}{name[1:]}"
    while True:
        made = "".join(rng.choice((one.upper(), one, letters.get(one, one))) for one in name)
        if rng.random() < 0.3:
            made = made.replace("_", rng.choice(["", "-", " ", "__"]))
        if rng.random() < 0.1:
            made = rng.choice(["_", "-", " "]) + made
        if rng.random() < 0.1:
            made += rng.choice(["_", "-", " "])
        yield made
