"""What nobody has authorized yet does not fill Envoy's memory."""

import select
import socket
import time
from pathlib import Path

import h2.config
import h2.connection
import h2.exceptions
import httpx
import pytest
from gate import Gate, Upstream
from processes import wait_for
from scripted import answer, result, scripted
from wire import call_message, post

MIB = 1024 * 1024
CONNECTIONS = 3
STREAMS = 100
FLOOD_SECONDS = 60
# Little enough that the bodies do not fit, and more than Envoy has at rest.
HEAP = 128 * MIB
POLICY = {
    "rules": [
        {
            "id": "anyone",
            "effect": "allow",
            "who": {"anyone": True},
            "what": {"servers": ["raw"], "tools": ["size"]},
        }
    ]
}


def resident(gate: Gate) -> int:
    """The memory of Envoy, in bytes."""
    status = Path(f"/proc/{gate.envoy.child.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


class Uploads:
    """One HTTP/2 connection with as many uploads at once as it may have; none of them ends."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.http.initiate_connection()
        self.flush()
        # The settings, in which the server says how many streams there may be.
        self.read(5)
        self.open = {}
        self.reset = 0
        for number in range(STREAMS):
            stream = self.http.get_next_available_stream_id()
            headers = [
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", f"127.0.0.1:{port}"),
                (":path", path),
                ("content-type", "application/json"),
            ]
            self.http.send_headers(stream, headers)
            self.open[stream] = MIB - 1024
        self.flush()

    def flush(self) -> None:
        self.socket.sendall(self.http.data_to_send())

    def read(self, seconds: float) -> bool:
        """Takes what has come; says whether the connection goes on."""
        ready, _, _ = select.select([self.socket], [], [], seconds)
        if not ready:
            return True
        data = self.socket.recv(MIB)
        if not data:
            return False
        for event in self.http.receive_data(data):
            if isinstance(event, h2.events.StreamReset):
                self.reset += 1
            if isinstance(event, (h2.events.StreamReset, h2.events.StreamEnded)):
                self.open.pop(event.stream_id, None)
        self.flush()
        return True

    def send(self) -> int:
        """Sends as much as may be sent now; says how much."""
        sent = 0
        for stream, left in list(self.open.items()):
            room = min(self.http.local_flow_control_window(stream), left, 65536)
            while room > 0:
                piece = min(room, self.http.max_outbound_frame_size)
                self.http.send_data(stream, b" " * piece)
                self.open[stream] -= piece
                sent, room = sent + piece, room - piece
        self.flush()
        return sent


@pytest.fixture(scope="module")
def upstream():
    with scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def gate(run_dir, upstream, key):
    def adjust(config):
        for monitor in config["overload_manager"]["resource_monitors"]:
            if monitor["name"] == "envoy.resource_monitors.fixed_heap":
                monitor["typed_config"]["max_heap_size_bytes"] = HEAP

    gated = [Upstream("raw", upstream.port, "/raw/mcp")]
    with Gate(run_dir / "memory", gated, POLICY, key=key, adjust=adjust) as gate:
        yield gate


def test_a_connection_has_a_hundred_streams(gate):
    uploads = Uploads(gate.ports["mcp"], "/raw/mcp")
    assert uploads.http.remote_settings.max_concurrent_streams == STREAMS
    uploads.socket.close()


def test_unfinished_bodies_of_nobody_do_not_fill_the_memory(gate, upstream):
    upstream.says(answer(result(content=[])))
    before = resident(gate)
    connections = [Uploads(gate.ports["mcp"], "/raw/mcp") for _ in range(CONNECTIONS)]
    sent, highest, until = 0, before, time.monotonic() + FLOOD_SECONDS
    # Until each upload lacks its end alone, or was reset.
    while any(any(uploads.open.values()) for uploads in connections):
        assert time.monotonic() < until, "the uploads are held up"
        for uploads in connections:
            sent += uploads.send()
            uploads.read(0.001)
        highest = max(highest, resident(gate))
        # Envoy takes the measure of its memory four times a second. However slow it is, it is not to
        # be sent everything between two of them.
        time.sleep(0.5)
    assert sent > HEAP / 2, sent
    # All of them would be more than twice as much.
    assert highest < before + HEAP, (before, highest, sent)
    assert sum(uploads.reset for uploads in connections) > 0

    def served() -> bool:
        with httpx.Client() as http:
            response = post(http, gate.url("raw"), gate.token("raw"), call_message("size"))
        # Envoy may be short of memory for a moment still.
        assert response.status_code in (200, 503), response.text
        return response.status_code == 200

    # While what is left of the uploads goes on.
    wait_for("an answer to others", served, seconds=5)
    for uploads in connections:
        uploads.socket.close()
