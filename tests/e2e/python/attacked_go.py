"""The server under attack that reads JSON as Go's `encoding/json` v1 does.

Usage: attacked_go.py PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.

It stands for servers on the Go SDKs: a struct's member takes every key that equals its name when
case is folded (the long s is an s, the Kelvin sign a k), and of several the last one wins. `null`
leaves a member as it is. A member with the option `,string` takes its value as a text that holds
JSON. Unknown keys are dropped. Arrays of requests are answered one by one.

Tools with `lenient` in their name convert as Jackson does with its lenient features on.
"""

import asyncio
import json
import math
import sys
from dataclasses import dataclass
from typing import Any

PATH = sys.argv[1]
INT_MAX = 2**63


class Refused(Exception):
    """`json.Unmarshal` returns an error."""


@dataclass
class Field:
    """A member of a struct: its name in JSON, and what it decodes."""

    name: str
    read: Any
    zero: Any
    as_string: bool = False


def fold(key: str) -> str:
    """Go's `foldName`: each character by simple folding, so that one stays one."""
    return "".join(one.casefold() if len(one.casefold()) == 1 else one for one in key)


def struct(*fields: Field) -> Any:
    """Reads an object into a struct."""

    def read(pairs: Any) -> dict[str, Any]:
        if not isinstance(pairs, Pairs):
            raise Refused("an object is expected")
        got = {field.name: field.zero for field in fields}
        for key, value in pairs:
            field = next((one for one in fields if one.name == key), None)
            field = field or next((one for one in fields if fold(one.name) == fold(key)), None)
            if field is None or value is None:
                continue
            if field.as_string:
                value = quoted(value)
                if value is None:
                    continue
            got[field.name] = field.read(value)
        return got

    return read


def quoted(value: Any) -> Any:
    """The value in a text, for `,string`; a text that is not JSON is refused."""
    if not isinstance(value, str) or value != value.strip():
        raise Refused("a text with JSON is expected")
    try:
        return json.loads(value.removeprefix("+"))
    except ValueError:
        raise Refused("no JSON in the text") from None


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused("a boolean is expected")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused("a text is expected")
    return "".join("�" if 0xD800 <= ord(one) < 0xE000 else one for one in value)


def integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -INT_MAX <= value < INT_MAX:
        raise Refused("an integer is expected")
    return value


def double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isinf(float(value)):
        raise Refused("a number is expected")
    return float(value)


def slice_of(read: Any, zero: Any) -> Any:
    def read_all(value: Any) -> list[Any]:
        if not isinstance(value, list) or isinstance(value, Pairs):
            raise Refused("an array is expected")
        return [zero if one is None else read(one) for one in value]

    return read_all


def only_element(value: Any) -> Any:
    """Jackson's UNWRAP_SINGLE_VALUE_ARRAYS."""
    while isinstance(value, list) and not isinstance(value, Pairs) and len(value) == 1:
        value = value[0]
    return value


def lenient_boolean(value: Any) -> bool:
    value = only_element(value)
    if isinstance(value, str):
        word = value.strip(BLANKS)
        if word in ("true", "True", "TRUE", "false", "False", "FALSE", "", "null"):
            return word.lower() == "true"
    elif isinstance(value, (bool, int)):
        return bool(value)
    raise Refused("no boolean")


def lenient_integer(value: Any) -> int:
    value = only_element(value)
    if isinstance(value, str):
        word = value.strip(BLANKS)
        if word in ("", "null"):
            return 0
        if word.lstrip("+-").isdecimal():
            return integer(int(word))
        value = finite(word)
    if isinstance(value, float):
        return integer(int(value))
    return integer(value)


def finite(word: str) -> float:
    """The number in a text, if it is one."""
    try:
        number = float(word)
    except ValueError:
        raise Refused("no number") from None
    if "_" in word or not math.isfinite(number):
        raise Refused("no number")
    return number


def lenient_text(value: Any) -> str:
    value = only_element(value)
    return text(json.dumps(value) if isinstance(value, (bool, int, float)) else value)


BLANKS = "".join(map(chr, range(33)))


class Pairs(list):
    """An object as its members came."""


OPTIONS = struct(
    Field("force", boolean, False),
    Field("owner", text, ""),
    Field("n", integer, 0),
    Field("dry_run", boolean, False),
    Field("DryRun", boolean, False),
)
TOOLS = {
    "flag": struct(Field("force", boolean, False)),
    "flag_string": struct(Field("force", boolean, False, as_string=True)),
    "flag_lenient": struct(Field("force", lenient_boolean, False)),
    "level_lenient": struct(Field("n", lenient_integer, 0)),
    "owner_lenient": struct(Field("owner", lenient_text, "")),
    "level": struct(Field("n", integer, 0)),
    "level_string": struct(Field("n", integer, 0, as_string=True)),
    "level_float": struct(Field("n", double, 0.0)),
    "owner": struct(Field("owner", text, "")),
    "owner_string": struct(Field("owner", text, "", as_string=True)),
    "tags": struct(Field("tags", slice_of(text, ""), [])),
    "ids": struct(Field("ids", slice_of(integer, 0), [])),
    "keys": struct(
        Field("force", boolean, False), Field("skip", boolean, False), Field("key", text, "")
    ),
    "dry": struct(Field("dry_run", boolean, False), Field("DryRun", boolean, False)),
    "options": struct(Field("opts", OPTIONS, {})),
    "rows": struct(Field("rows", slice_of(OPTIONS, {}), [])),
}
TOOLS |= {f"step_{number}": struct() for number in range(20)}
CALL = struct(Field("name", text, ""), Field("arguments", lambda value: value, Pairs()))


def answer(message: Any) -> dict[str, Any] | None:
    """What one message is answered."""
    members = dict(message)
    if "id" not in members:
        return None
    head = {"jsonrpc": "2.0", "id": members["id"]}
    try:
        if members.get("method") != "tools/call":
            raise Refused("no such method")
        call = CALL(members.get("params"))
        if call["name"] not in TOOLS:
            raise Refused("no such tool")
        told = json.dumps({"ran": call["name"], "got": TOOLS[call["name"]](call["arguments"])})
    except Refused as error:
        return head | {"error": {"code": -32602, "message": str(error)}}
    return head | {"result": {"content": [{"type": "text", "text": told}]}}


def respond(body: bytes) -> Any:
    """What a body is answered."""
    message = json.loads(body, object_pairs_hook=Pairs)
    if isinstance(message, Pairs):
        return answer(message)
    return [one for one in map(answer, message) if one is not None]


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            headers = {}
            while header := (await reader.readline()).strip():
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            found = line.split()[1].decode() == PATH
            said = json.dumps(respond(body)).encode() if found else b"{}"
            writer.write(
                b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (b"200 OK" if found else b"404 Not Found", len(said), said)
            )
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve_connection, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
