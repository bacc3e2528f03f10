"""HTTP/2 with its trailers, by hand: a client that sends them, a server that remembers them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, ResponseReceived, StreamEnded, TrailersReceived

Fields = list[tuple[str, str]]


@dataclass
class Server:
    """An upstream that answers every request with the same JSON."""

    body: bytes
    headers: list[Fields] = field(default_factory=list)
    trailers: list[Fields] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected: socket.socket) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        connected.sendall(connection.data_to_send())
        with connected:
            while data := connected.recv(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, RequestReceived):
                        self.headers.append(list(event.headers))
                    elif isinstance(event, TrailersReceived):
                        self.trailers.append(list(event.headers))
                    elif isinstance(event, DataReceived):
                        connection.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                    elif isinstance(event, StreamEnded):
                        length = str(len(self.body))
                        head = [(":status", "200"), ("content-type", "application/json")]
                        connection.send_headers(
                            event.stream_id, [*head, ("content-length", length)]
                        )
                        connection.send_data(event.stream_id, self.body, end_stream=True)
                connected.sendall(connection.data_to_send())


@contextmanager
def server(body: bytes) -> Iterator[Server]:
    """A server, for as long as it is needed."""
    upstream = Server(body)
    try:
        yield upstream
    finally:
        upstream.listener.close()


def post(port: int, path: str, headers: Fields, body: bytes, trailers: Fields) -> tuple[int, bytes]:
    """One POST with trailers, and the status and body of its answer."""
    connection = H2Connection(H2Configuration(header_encoding="utf-8"))
    pseudo = [(":method", "POST"), (":scheme", "http"), (":path", path)]
    pseudo.append((":authority", f"127.0.0.1:{port}"))
    status, received = 0, b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        connection.initiate_connection()
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, [*pseudo, *headers])
        connection.send_data(stream, body)
        connection.send_headers(stream, trailers, end_stream=True)
        connected.sendall(connection.data_to_send())
        while data := connected.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, ResponseReceived):
                    status = int(dict(event.headers)[":status"])
                elif isinstance(event, DataReceived):
                    received += event.data
                elif isinstance(event, StreamEnded):
                    return status, received
            connected.sendall(connection.data_to_send())
    raise AssertionError(f"the answer ends early: {status} {received!r}")
