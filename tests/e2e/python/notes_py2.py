"""The notes server on the official Python SDK 2.x (both protocol eras).

Usage: notes_py2.py PATH. Prints one line, {"port": N}, when it listens on 127.0.0.1.
"""

import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from notes import register_tools, serve

server = MCPServer("notes-py2")
register_tools(server, Context, lambda context: context.headers)
serve(
    server.streamable_http_app(
        streamable_http_path=sys.argv[1],
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
)
