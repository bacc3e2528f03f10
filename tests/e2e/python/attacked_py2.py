"""The server under attack on the official Python SDK 2.x. Usage: attacked_py2.py PATH."""

import sys

from attacked import register_prompts, register_resources, register_tools, serve, told_completion
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import Completion

server = MCPServer("attacked-py2", log_level="ERROR")
register_tools(server.tool(structured_output=False))
register_prompts(server.prompt)
register_resources(server.resource, greedy="{+path}", query=True)


@server.completion()
async def complete(ref, argument, context):
    return Completion(values=told_completion(ref, argument, context))


serve(
    server.streamable_http_app(
        streamable_http_path=sys.argv[1],
        stateless_http=True,
        json_response=True,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
)
