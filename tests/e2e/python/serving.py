"""What both Python notes servers share: the notes, and listening on a port the kernel chooses."""

import json
import socket

import uvicorn

NOTES = {"first": "the first note", "second": "the second note"}


def serve(app):
    """Serves `app` on 127.0.0.1 and prints the port."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
