"""A gateway to two servers, of which it shows none of the tools: one of its own finds them, and one
calls what was found, of the server that an argument names."""

import json
from typing import Any

from notes import serve

TOOLS = [("files", "get_note"), ("files", "wipe"), ("vault", "get_note")]

__all__ = ["register", "serve"]


def register(server: Any) -> None:
    """Puts the two tools into a server of an official SDK."""

    @server.tool()
    def find(text: str = "") -> list[dict[str, Any]]:
        """Finds tools."""
        return [{"server": of, "name": name, "text": "…"} for of, name in TOOLS if text in name]

    @server.tool()
    def find_as_text(text: str = "") -> str:
        """Finds tools."""
        return json.dumps({"tools": find(text)})

    @server.tool()
    def invoke(server: str, tool: str, args: dict[str, Any] | None = None) -> str:
        """Calls a tool of a server."""
        return json.dumps({"ran": f"{server}/{tool}", "args": args})
