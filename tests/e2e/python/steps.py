"""The line protocol of the Python client drivers, and the steps that both SDKs take alike.

A driver reads one JSON object per line. The first, {"url": URL, "token": TOKEN, "oauth": BOOL,
"headers": {…}, "mode": MODE} with all but the URL optional, connects; each further one is a step
{"do": NAME, …}. It answers each with one line: {"ok": true, "result": …} or {"ok": false, "error":
{"type", "code", "message", "data"}}, with "dead": true where the client cannot be used any more.
"""

import json
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from oauth import Memory

STEP_SECONDS = 30


def run(session: Callable[["Script"], Awaitable[None]]) -> None:
    """Connects with `session` and, whatever becomes of it, answers every line."""
    anyio.run(_run, session)


class Script:
    """The lines of one session."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.memory = Memory()
        self.pending = True  # the line that connects

    @property
    def url(self) -> str:
        """The server."""
        return self.settings["url"]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        headers = dict(self.settings.get("headers", {}))
        if "token" in self.settings:
            headers["authorization"] = f"Bearer {self.settings['token']}"
        return headers

    async def serve(self, client: Any, server: str) -> None:
        """Answers the line that connected, then each step, until the input ends."""
        _reply(ok=True, result={"server": server})
        self.pending = False
        while (line := await _read()) is not None:
            self.pending = True
            try:
                with anyio.fail_after(STEP_SECONDS):
                    result = await self._step(client, line)
            except Exception as error:
                _reply(ok=False, error=_describe(error))
            else:
                _reply(ok=True, result=result)
            self.pending = False

    async def _step(self, client: Any, line: dict[str, Any]) -> Any:
        match line["do"]:
            case "list_tools":
                return sorted(tool.name for tool in (await client.list_tools()).tools)
            case "list_prompts":
                return sorted(prompt.name for prompt in (await client.list_prompts()).prompts)
            case "list_resources":
                listed = _dump(await client.list_resources())["resources"]
                return sorted(resource["uri"] for resource in listed)
            case "list_templates":
                listed = _dump(await client.list_resource_templates())["resourceTemplates"]
                return sorted(template["uriTemplate"] for template in listed)
            case "get_prompt":
                return _dump(await client.get_prompt(line["name"], line["arguments"]))
            case "read_resource":
                return _dump(await client.read_resource(line["uri"]))
            case "call_tool":
                return await _call_tool(client, line["name"], line["arguments"])
            case "use_token":
                self.settings["token"] = line["token"]
                return None
            case "tokens" if hasattr(client, "tokens"):
                return await client.tokens()
            case "tokens":
                return self.memory.tokens and self.memory.tokens.model_dump(mode="json")
            case unknown:
                raise ValueError(unknown)


async def _call_tool(client: Any, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    progress: list[float] = []

    async def on_progress(value: float, total: float | None, message: str | None) -> None:
        progress.append(value)

    result = await client.call_tool(name, arguments, progress_callback=on_progress)
    return _dump(result) | {"progress": progress}


def _dump(result: Any) -> dict[str, Any]:
    """A result as it is in JSON."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _run(session: Callable[[Script], Awaitable[None]]) -> None:
    settings = await _read()
    if settings is None:
        return
    script = Script(settings)
    error: dict[str, Any] | None = None
    try:
        await session(script)
    except BaseException as caught:  # the SDKs tear a session down by cancelling it
        traceback.print_exc()
        error = _describe(caught)
    if script.pending:
        _reply(ok=False, error=error, dead=True)
    while await _read() is not None:
        _reply(ok=False, error=error, dead=True)


def _reply(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def _describe(error: BaseException) -> dict[str, Any]:
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


async def _read() -> dict[str, Any] | None:
    """The next line, or none at the end of input."""
    line = await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
    return json.loads(line) if line.strip() else None
