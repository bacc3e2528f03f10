"""The server under attack on FastMCP 2.x. Usage: attacked_fm2.py PATH."""

import sys

from attacked import register_prompts, register_resources, register_tools, serve
from fastmcp import FastMCP

server = FastMCP("attacked-fm2")
register_tools(lambda function: server.tool(function, output_schema=None))
register_prompts(server.prompt)
register_resources(server.resource, greedy="{path*}", query=True)
serve(server.http_app(path=sys.argv[1], stateless_http=True, json_response=True))
