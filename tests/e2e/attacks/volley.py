"""Sends many requests over a few connections that stay open, and reads what comes.

Written by hand, since it sends bytes that no client would and has to cost little.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CONNECTIONS = 12
ANSWER_SECONDS = 30


@dataclass
class Shot:
    """One request, and what came of it."""

    build: str
    case: str
    """The policy that it attacks: its rules are those about this subject."""
    body: bytes
    token: str
    session: str | None = None
    status: int = 0
    answer: Any = None
    reason: str | None = None
    """Why it was denied or rejected; None if it was let through."""
    said: bytes = b""
    about: Any = None
    """What the sender wants to remember."""
    revision: str = "2025-11-25"
    headers: dict[str, str] = field(default_factory=dict)


async def _fire(port: int, queue: list[Shot]) -> None:
    reader = writer = None
    while queue:
        shot = queue.pop()
        for again in (True, False):
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
            try:
                closes = await asyncio.wait_for(
                    _exchange(port, reader, writer, shot), ANSWER_SECONDS
                )
                break
            except (OSError, asyncio.IncompleteReadError):
                # Envoy closes connections now and then; once more on a fresh one.
                writer.close()
                writer = None
                if not again:
                    raise
        if closes:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def _exchange(
    port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, shot: Shot
) -> bool:
    session = f"mcp-session-id: {shot.session}\r\n" if shot.session else ""
    more = "".join(f"{name}: {value}\r\n" for name, value in shot.headers.items())
    head = (
        f"POST /{shot.build}/mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {shot.token}\r\ncontent-type: application/json\r\n"
        f"accept: application/json, text/event-stream\r\n{session}{more}"
        f"mcp-protocol-version: {shot.revision}\r\ncontent-length: {len(shot.body)}\r\n\r\n"
    )
    writer.write(head.encode() + shot.body)
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    shot.status = int(lines[0].split()[1])
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    if "content-length" in headers:
        shot.said = await reader.readexactly(int(headers["content-length"]))
    elif headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
        shot.said = b"".join(parts)
    _read(shot, headers.get("content-type", ""))
    return headers.get("connection") == "close"


def _read(shot: Shot, content_type: str) -> None:
    text = shot.said
    if content_type.startswith("text/event-stream"):
        data = [
            line[5:] for line in text.splitlines() if line.startswith(b"data:") and line[5:].strip()
        ]
        text = data[-1] if data else b""
    try:
        shot.answer = json.loads(text)
    except ValueError:
        shot.answer = None
    shot.reason = reason(shot.answer)
    if shot.reason is None and shot.status != 200:
        shot.reason = f"http_{shot.status}"


def reason(answer: Any) -> str | None:
    """The reason in an answer of mcp-authz."""
    if isinstance(answer, list):
        return next(filter(None, map(reason, answer)), None)
    if not isinstance(answer, dict):
        return None
    for place in (answer.get("error"), answer.get("result")):
        for key in ("data", "_meta"):
            told = place.get(key) if isinstance(place, dict) else None
            if isinstance(told, dict) and "decision_id" in told:
                return told["reason"]
    return None


def fire(port: int, shots: Sequence[Shot]) -> None:
    """Sends all of them; what comes of each is in it afterwards."""

    async def all_of_them() -> None:
        queue = list(reversed(shots))
        await asyncio.gather(*(_fire(port, queue) for _ in range(CONNECTIONS)))

    asyncio.run(all_of_them())
