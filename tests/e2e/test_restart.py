"""A restart of the only replica, whose sockets a supervisor holds."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gate import Gate
from keys import claims
from policies import POLICY
from processes import wait_for
from test_streams import StandingStream
from wire import WITH_SESSIONS, answer, call_message, list_message, post

CALL = call_message("list_notes")


class Load:
    """Clients that send one request after the other, and what came back."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token
        self.answered = 0
        self.slowest = 0.0
        self.lost: list[str] = []
        self.ending = threading.Event()
        messages = [CALL, CALL, list_message()]
        self.threads = [threading.Thread(target=self._send, args=[one]) for one in messages]

    def _send(self, message: dict) -> None:
        with httpx.Client(timeout=10) as http:
            while not self.ending.is_set():
                began = time.monotonic()
                response = post(http, self.url, self.token, message)
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.answered += 1
                if response.status_code != 200 or not self._whole(answer(response)):
                    self.lost.append(response.text)
                time.sleep(0.01)

    @staticmethod
    def _whole(message: dict) -> bool:
        """Whether it is a result: of a list, one with tools."""
        result = message.get("result", {})
        return not result.get("isError") and bool(result.get("tools", result.get("content")))

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def go_on(self) -> None:
        """Waits until 50 more requests have been answered."""
        goal = self.answered + 50
        wait_for("answers", lambda: self.answered >= goal)


@pytest.fixture(name="gate")
def gate_with_held_sockets(own: Path, upstreams, provider) -> Iterator[Gate]:
    own.mkdir(exist_ok=True)
    (own / "handoff.keys").write_text("5a" * 32)
    # So that the successor can show a list whose request its predecessor checked.
    settings = {"handoff": {"key_file": "handoff.keys"}}
    gate = Gate(own, upstreams, POLICY, provider.issuer, settings=settings)
    gate.hold_sockets()
    with gate:
        yield gate


def token_for(gate: Gate, provider, server: str) -> str:
    return provider.keys[0].sign(claims(provider.issuer, gate.url(server)))


def test_a_restart_of_the_only_replica_loses_no_request(gate, provider):
    with Load(gate.url("ts2"), token_for(gate, provider, "ts2")) as load:
        for _ in range(3):
            load.go_on()
            # A stream that lasts as long as its client wants it: the restart leaves it.
            server = WITH_SESSIONS[0]
            StandingStream(gate.url(server), token_for(gate, provider, server))
            assert gate.authz.stop() == 0
            gate.start_authz()
        load.go_on()
    print(f"{load.answered} requests, the slowest took {load.slowest:.2f} s")
    assert load.lost == []


def test_a_successor_may_start_before_its_predecessor_ends(gate, provider):
    with Load(gate.url("ts2"), token_for(gate, provider, "ts2")) as load:
        load.go_on()
        predecessor = gate.authz
        gate.start_authz()
        # Both write to one log.
        wait_for("the successor", lambda: gate.authz.log.read_text().count(": ready\n") == 2)
        assert predecessor.stop() == 0
        load.go_on()
    print(f"{load.answered} requests, the slowest took {load.slowest:.2f} s")
    assert load.lost == []


def test_connections_wait_until_the_process_is_ready(own, upstreams, provider):
    gate = Gate(own, upstreams, POLICY, provider.issuer)
    gate.hold_sockets()
    with gate:
        assert gate.authz.stop() == 0
        with Load(gate.url("ts2"), token_for(gate, provider, "ts2")) as load:
            wait_for("a request that waits", lambda: load.threads[0].is_alive())
            time.sleep(0.5)
            assert load.answered == 0
            gate.start_authz()
            load.go_on()
        assert load.lost == []


def unix_gate(own: Path, upstreams, provider) -> tuple[Gate, Path]:
    path = own / "grpc.sock"
    settings = {"listen": f"unix:{path}"}
    return Gate(own, upstreams, POLICY, provider.issuer, settings=settings), path


def test_a_unix_socket_is_handed_over_and_its_file_stays(own, upstreams, provider):
    gate, path = unix_gate(own, upstreams, provider)
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
        held.listen()
        gate.held.append(held)
        for _ in range(2):
            gate.start_authz()
            wait_for("readiness", lambda: ": ready\n" in gate.authz.log.read_text())
            gate.authz.log.write_text("")
            assert gate.authz.stop() == 0
            assert path.is_socket()
    gate.stop()


def unconnected(kind: socket.SocketKind) -> socket.socket:
    opened = socket.socket(socket.AF_INET, kind)
    opened.bind(("127.0.0.1", 0))
    return opened


USELESS = {
    "another_address": (
        lambda: socket.create_server(("127.0.0.1", 0)),
        "neither `listen` nor `admin.listen` is that address",
    ),
    "not_listening": (
        lambda: unconnected(socket.SOCK_STREAM),
        "descriptor 3 of LISTEN_FDS cannot be used: it does not listen",
    ),
    "datagrams": (
        lambda: unconnected(socket.SOCK_DGRAM),
        "descriptor 3 of LISTEN_FDS cannot be used: fd 3 is not a valid tcp socket",
    ),
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_socket_that_serves_nobody_ends_the_start(own, upstreams, provider, kind):
    opened, cause = USELESS[kind]
    gate = Gate(own, upstreams, POLICY, provider.issuer)
    gate.held.append(opened())
    gate.start_authz()
    assert gate.authz.child.wait(10) == 2
    assert cause in gate.authz.tail()
    gate.held.pop().close()
    gate.admin.close()
