"""The gateway to two servers on the official Python SDK 1.x. Usage: gateway_py1.py PATH."""

import sys

from gateway import register, serve
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings

server = FastMCP(
    "gateway-py1",
    streamable_http_path=sys.argv[1],
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)
register(server)
serve(server.streamable_http_app())
