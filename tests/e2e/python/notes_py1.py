"""The notes server on the official Python SDK 1.x (stateful sessions).

Usage: notes_py1.py PATH [sse]. Prints one line, {"port": N}, when it listens on 127.0.0.1. With
`sse` it speaks the HTTP+SSE transport of 2024-11-05, at PATH/sse.
"""

import sys

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from notes import register_tools, serve

server = FastMCP(
    "notes-py1",
    streamable_http_path=sys.argv[1],
    sse_path=f"{sys.argv[1]}/sse",
    message_path=f"{sys.argv[1]}/messages/",
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)
register_tools(server, Context, lambda context: context.request_context.request.headers)
serve(server.sse_app() if sys.argv[2:] == ["sse"] else server.streamable_http_app())
