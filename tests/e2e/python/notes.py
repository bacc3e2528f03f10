"""What both Python notes servers share: the notes, the tools, and listening.

The two SDKs register tools in the same form; where they differ the server passes its own.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from mcp.types import ToolAnnotations

NOTES = {"first": "the first note", "second": "the second note"}
READS = ToolAnnotations(readOnlyHint=True)
WRITES = ToolAnnotations(destructiveHint=False)
DESTROYS = ToolAnnotations(destructiveHint=True)


def register_tools(server: Any, Context: type, headers: Callable[[Any], Any]) -> None:
    """Registers all of it; `headers` gives the request headers of a call's context."""
    _register_prompts_and_resources(server)

    @server.tool(annotations=READS)
    def list_notes() -> list[str]:
        """Names of all notes."""
        return sorted(NOTES)

    @server.tool(annotations=READS)
    def get_note(id: str) -> str:
        """One note's text."""
        return NOTES[id]

    @server.tool(annotations=WRITES)
    def create_note(id: str, text: str) -> str:
        """Stores a note."""
        NOTES[id] = text
        return id

    @server.tool(annotations=DESTROYS)
    def delete_note(id: str) -> str:
        """Removes a note."""
        del NOTES[id]
        return id

    @server.tool(annotations=READS)
    async def slow(steps: int, ctx: Context, delay: float = 0.05) -> str:
        """Reports progress `steps` times, `delay` seconds apart, then answers."""
        for step in range(steps):
            await ctx.report_progress(step + 1, steps, f"step {step + 1}")
            await asyncio.sleep(delay)
        return f"{steps} steps"

    @server.tool(annotations=READS)
    def size(text: str) -> str:
        """The length of `text`."""
        return str(len(text))

    @server.tool(annotations=READS)
    def whoami(ctx: Context) -> dict[str, str]:
        """The request headers that reached this server."""
        return dict(headers(ctx))

    @server.tool(annotations=READS)
    async def announce(ctx: Context) -> str:
        """Sends a notification on the session's standing GET stream."""
        await ctx.session.send_tool_list_changed()
        return "announced"


def _register_prompts_and_resources(server: Any) -> None:
    @server.prompt()
    def summarize(id: str) -> str:
        """Sums a note up."""
        return f"Sum up: {NOTES[id]}"

    @server.prompt()
    def purge() -> str:
        """Has everything deleted."""
        return "Delete every note."

    @server.resource("note://first")
    def first() -> str:
        """The first note."""
        return NOTES["first"]

    @server.resource("journal://today")
    def journal() -> str:
        """Who read what."""
        return "nobody"

    @server.resource("note://by-id/{id}")
    def by_id(id: str) -> str:
        """Any note."""
        return NOTES[id]

    @server.resource("journal://{day}")
    def journal_of(day: str) -> str:
        """Who read what on a day."""
        return f"nobody on {day}"


def serve(app: Any) -> None:
    """Serves `app` on a port of 127.0.0.1 that the kernel chooses, and prints it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
