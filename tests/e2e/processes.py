"""Processes the tests start, and waiting for what they do. Each is stopped by its own pid."""

import json
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

START_SECONDS = 30
STOP_SECONDS = 10
POLL_SECONDS = 0.02

T = TypeVar("T")


def free_port() -> int:
    """A port that was free a moment ago, for programs that must be told theirs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: str, probe: Callable[[], T], seconds: float = START_SECONDS) -> T:
    """Asks `probe` until it answers with something true, at most for `seconds`."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = answer = probe()
            if answer:
                return answer
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds} s; last: {last!r}")
        time.sleep(POLL_SECONDS)


class Process:
    """One child process: its output lines as a queue, its errors in a log file."""

    def __init__(self, name: str, argv: list[str], log_dir: Path, **popen: Any) -> None:
        self.name = name
        self.log = log_dir / f"{name}.log"
        with self.log.open("ab") as errors:
            self.child = subprocess.Popen(
                [str(argument) for argument in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                **popen,
            )
        self.lines: queue.Queue[str | None] = queue.Queue()
        self.output: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.child.stdout:
            self.output.append(line)
            self.lines.put(line)
        self.lines.put(None)

    def line(self, seconds: float = START_SECONDS) -> str:
        """The next line of its output."""
        try:
            line = self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(
                f"{self.name} said nothing for {seconds} s; see {self.log}"
            ) from None
        if line is None:
            raise AssertionError(f"{self.name} ended: {self.tail()}")
        return line

    def port(self) -> int:
        """The port named by its first line, `{"port": N}`."""
        return json.loads(self.line())["port"]

    def tail(self) -> str:
        """The end of what it wrote to its error output."""
        return self.log.read_text(errors="replace")[-2000:]

    def write(self, line: str) -> None:
        """Sends one line to its input."""
        try:
            self.child.stdin.write(line + "\n")
        except BrokenPipeError:
            raise AssertionError(f"{self.name} ended: {self.tail()}") from None

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.child.poll() is None

    def stop(self) -> int:
        """Asks it to end, then ends it; gives its exit status."""
        if self.running():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
        status = self.child.wait()
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass
        return status

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
