"""The gateway to two servers on the official Python SDK 2.x. Usage: gateway_py2.py PATH."""

import sys

from gateway import register, serve
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

server = MCPServer("gateway-py2")
register(server)
serve(
    server.streamable_http_app(
        streamable_http_path=sys.argv[1],
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
)
