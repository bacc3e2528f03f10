"""A server of FastMCP 4.x that shows two tools in the place of its own: one that searches, and one
that calls what was found. Usage: gateway_fm4.py PATH."""

import json
import sys

from attacked import serve
from fastmcp import FastMCP
from fastmcp.server.transforms.search import RegexSearchTransform

server = FastMCP("gateway")


@server.tool(annotations={"readOnlyHint": True})
def get_note(id: str) -> str:
    """Gets a note."""
    return json.dumps({"ran": "get_note", "id": id})


@server.tool
def put_note(id: str, text: str = "") -> str:
    """Writes a note."""
    return json.dumps({"ran": "put_note", "id": id})


@server.tool
def wipe_notes() -> str:
    """Deletes every note."""
    return json.dumps({"ran": "wipe_notes"})


server.add_transform(RegexSearchTransform())
serve(server.http_app(path=sys.argv[1], stateless_http=True))
