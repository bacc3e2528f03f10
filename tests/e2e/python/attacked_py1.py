"""The server under attack on the official Python SDK 1.x. Usage: attacked_py1.py PATH."""

import sys

from attacked import (
    register_prompts,
    register_resources,
    register_tools,
    serve,
    tell,
    told_completion,
)
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import Completion
from pydantic import AnyUrl

server = FastMCP(
    "attacked-py1",
    log_level="ERROR",
    stateless_http=True,
    json_response=True,
    streamable_http_path=sys.argv[1],
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)
register_tools(server.tool(structured_output=False))
register_prompts(server.prompt)
register_resources(server.resource, greedy=None, query=False)


@server.completion()
async def complete(ref, argument, context):
    return Completion(values=told_completion(ref, argument, context))


@server._mcp_server.subscribe_resource()
async def subscribe(uri: AnyUrl) -> None:
    # An empty result cannot tell what ran, but an error can.
    raise ValueError(tell("subscribe", uri=str(uri)))


serve(server.streamable_http_app())
