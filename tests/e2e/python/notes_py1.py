"""The notes server on the official Python SDK 1.x (stateful sessions).

Usage: notes_py1.py PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
"""

import asyncio
import sys

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from serving import NOTES, serve

mcp = FastMCP(
    "notes-py1",
    streamable_http_path=sys.argv[1],
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)


@mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))
def list_notes() -> list[str]:
    """Names of all notes."""
    return sorted(NOTES)


@mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))
def get_note(id: str) -> str:
    """One note's text."""
    return NOTES[id]


@mcp.tool(annotations=ToolAnnotations(destructiveHint=False))
def create_note(id: str, text: str) -> str:
    """Stores a note."""
    NOTES[id] = text
    return id


@mcp.tool(annotations=ToolAnnotations(destructiveHint=True))
def delete_note(id: str) -> str:
    """Removes a note."""
    del NOTES[id]
    return id


@mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))
async def slow(steps: int, ctx: Context, delay: float = 0.05) -> str:
    """Reports progress `steps` times, `delay` seconds apart, then answers."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
        await asyncio.sleep(delay)
    return f"{steps} steps"


@mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))
def size(text: str) -> str:
    """The length of `text`."""
    return str(len(text))


@mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))
def whoami(ctx: Context) -> dict[str, str]:
    """The request headers that reached this server."""
    return dict(ctx.request_context.request.headers)


@mcp.tool(annotations=ToolAnnotations(readOnlyHint=True))
async def announce(ctx: Context) -> str:
    """Sends a notification on the session's standing GET stream."""
    await ctx.session.send_tool_list_changed()
    return "announced"


serve(mcp.streamable_http_app())
