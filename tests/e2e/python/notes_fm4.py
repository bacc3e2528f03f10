"""The notes server on FastMCP 4.x, which opens a session for those who begin one.

Usage: notes_fm4.py PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
"""

import sys

from fastmcp import Context, FastMCP
from fastmcp.server.dependencies import get_http_headers
from notes import register_tools, serve

server = FastMCP("notes-fm4")
register_tools(server, Context, lambda _: get_http_headers())
serve(server.http_app(path=sys.argv[1]))
