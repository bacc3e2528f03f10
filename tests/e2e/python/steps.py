"""The line protocol of the Python client drivers.

A driver reads one JSON object per line: first {"url": URL, "token": TOKEN or absent, "oauth": bool},
which connects, then steps {"do": NAME, …}. It answers each with one line: {"ok": true, "result": …}
or {"ok": false, "error": {"type", "code", "message", "data"}}, with "dead": true where the client
cannot be used any more.
"""

import json
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

Step = Callable[[dict[str, Any]], Awaitable[Any]]


def reply(**fields: Any) -> None:
    """Answers one line."""
    print(json.dumps(fields), flush=True)


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as JSON; of a group, its first leaf."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    data = getattr(error, "error", None)
    return {
        "type": type(error).__name__,
        "code": getattr(data, "code", None),
        "message": str(error),
        "data": getattr(data, "data", None),
    }


async def read() -> dict[str, Any] | None:
    """The next line, or none at the end of input."""
    line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return json.loads(line) if line.strip() else None


async def run(session: Callable[[dict[str, Any], "Script"], Awaitable[None]]) -> None:
    """Connects with `session` and, whatever becomes of it, answers every line."""
    script = Script()
    settings = await read()
    if settings is None:
        return
    try:
        await session(settings, script)
        if not script.pending:
            return
        error: BaseException = RuntimeError("the client ended")
    except BaseException as caught:  # the SDK tears the task down by cancelling it
        if script.ended:
            return
        traceback.print_exc()
        error = caught
    reply(ok=False, error=describe(error), dead=True)
    while await read() is not None:
        reply(ok=False, error=describe(error), dead=True)


class Script:
    """Runs the steps of one session."""

    def __init__(self) -> None:
        self.pending = True  # the connect line is answered by `connected`
        self.ended = False

    async def serve(self, do: dict[str, Step], connected: Any) -> None:
        """Answers the connect line, then each step, until the input ends."""
        reply(ok=True, result=connected)
        self.pending = False
        while (line := await read()) is not None:
            self.pending = True
            try:
                with anyio.fail_after(line.get("timeout", 30)):
                    result = await do[line["do"]](line)
            except Exception as error:
                reply(ok=False, error=describe(error))
            else:
                reply(ok=True, result=result)
            self.pending = False
        self.ended = True
