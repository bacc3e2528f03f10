"""An upstream that answers what a test tells it to, down to the bytes and when they are sent."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WAIT_SECONDS = 15


@dataclass
class Request:
    """What reached the upstream."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value for other, value in self.headers if other == name), None)


class Connection:
    """One connection with one request; closed once its script is done."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self.request: Request | None = None

    def send(self, *parts: bytes) -> None:
        """Sends each part in a packet of its own."""
        for part in parts:
            self.socket.sendall(part)

    def reset(self) -> None:
        """Breaks the connection off, with no end of what was sent."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_closed(self) -> bool:
        """Waits until the other side is gone; says whether it went in time."""
        self.socket.settimeout(WAIT_SECONDS)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def read(self) -> bool:
        """Reads the request, if there is one."""
        reader = self.socket.makefile("rb")
        line = reader.readline().decode().split()
        if len(line) != 3:
            return False
        headers = []
        while text := reader.readline().decode().strip():
            name, _, value = text.partition(":")
            headers.append((name.lower(), value.strip()))
        self.request = Request(line[0], line[1], headers, b"")
        if self.request.header("transfer-encoding") == "chunked":
            while size := int(reader.readline(), 16):
                self.request.body += reader.read(size)
                reader.readline()
            reader.readline()
        else:
            self.request.body = reader.read(int(self.request.header("content-length") or 0))
        return True


Script = Callable[[Connection], None]


def no_script(connection: Connection) -> None:
    """Says that no test expects this request."""
    connection.send(answer(b"no script", "text/plain", status="599 Unexpected"))


@dataclass
class Scripted:
    """The upstream. Its requests are remembered until the next script."""

    script: Script = no_script
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def says(self, *parts: bytes) -> None:
        """From now on answers with these bytes, each part in a packet of its own."""
        self.does(lambda connection: connection.send(*parts))

    def does(self, script: Script) -> None:
        """From now on answers by this script."""
        self.requests.clear()
        self.script = script

    def stop(self) -> None:
        """Listens no more."""
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        with connected:
            connection = Connection(connected)
            try:
                if not connection.read():
                    return
                self.requests.append(connection.request)
                self.script(connection)
            except OSError:
                return


@contextmanager
def scripted() -> Iterator[Scripted]:
    """A scripted upstream, for as long as it is needed."""
    upstream = Scripted()
    try:
        yield upstream
    finally:
        upstream.stop()


JSON = "application/json"
EVENTS = "text/event-stream"


def head(
    content_type: str | None = JSON,
    *headers: str,
    status: str = "200 OK",
    length: int | None = None,
) -> bytes:
    """The head of an answer; without a length its end is that of the connection."""
    lines = [f"HTTP/1.1 {status}", "connection: close", *headers]
    if content_type is not None:
        lines.append(f"content-type: {content_type}")
    if length is not None:
        lines.append(f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(
    body: bytes, content_type: str | None = JSON, *headers: str, status: str = "200 OK"
) -> bytes:
    """A whole answer with its length."""
    return head(content_type, *headers, status=status, length=len(body)) + body


def chunk(data: bytes) -> bytes:
    """One chunk; an empty one ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = "transfer-encoding: chunked"


def result(id: Any = 7, **members: Any) -> bytes:
    """A JSON-RPC result."""
    return compact({"jsonrpc": "2.0", "id": id, "result": members})


def compact(value: Any) -> bytes:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":")).encode()


def tool(name: str, description: str = "A tool.", **members: Any) -> dict[str, Any]:
    """A tool as it is listed."""
    return {"name": name, "description": description, "inputSchema": {"type": "object"}} | members


def event(data: bytes) -> bytes:
    """One event."""
    return b"event: message\ndata: " + data + b"\n\n"
