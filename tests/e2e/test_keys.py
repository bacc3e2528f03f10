"""The provider's keys change, and the provider goes away."""

import threading
import time
from collections import Counter

import httpx
import jwt
from gate import FAST_KEYS, Gate
from keys import Key, claims
from policies import POLICY
from processes import wait_for
from wire import call_message, post

CALL = call_message("list_notes")
THREADS = 4
REQUESTS_BETWEEN = 100
LONG_REFRESH = {"refresh": "1h", "stale_max": "6h", "min_interval": "1s"}


class Load:
    """Calls without end from several threads, with the newest of the tokens it is given."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.tokens = [token]
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(THREADS)]

    def _run(self) -> None:
        with httpx.Client(timeout=10) as http:
            while not self.done.is_set():
                try:
                    response = post(http, self.url, self.tokens[-1], CALL)
                    status, body = response.status_code, response.text
                except httpx.TransportError as error:
                    status, body = 0, repr(error)
                self.statuses[status] += 1
                if status != 200:
                    self.failures.append(body)

    def more(self) -> None:
        """Waits until many more requests were answered."""
        goal = self.statuses.total() + REQUESTS_BETWEEN
        wait_for("load", lambda: self.statuses.total() >= goal)

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        for thread in self.threads:
            thread.join()


def kid(token: str) -> str:
    """The id of the key that signed a token."""
    return jwt.get_unverified_header(token)["kid"]


def test_rotation_under_load_fails_no_request(own, upstreams, provider):
    with Gate(own, upstreams, POLICY, provider.issuer, keys=LONG_REFRESH) as gate:
        url = gate.url("ts2")
        with Load(url, provider.token(url)) as load:
            for generation in (1, 2, 3):
                load.more()
                # The old key stays published for the tokens it signed. The new one signs at once:
                # the service meets an unknown key id under load, long before any refresh.
                provider.publish([Key(f"generation-{generation}"), provider.keys[0]])
                token = provider.token(url)
                assert kid(token) == f"generation-{generation}"
                load.tokens.append(token)
                load.more()
                # min_interval lets one fetch per second through; the next rotation waits for that.
                until = time.monotonic() + 1.1
                wait_for("the fetch interval", lambda: time.monotonic() > until)
        assert load.statuses.keys() == {200}, (load.statuses, load.failures[:3])


def test_a_published_key_is_fetched_ahead_of_need(own, upstreams, provider):
    with Gate(own, upstreams, POLICY, provider.issuer, keys=FAST_KEYS) as gate:
        url = gate.url("ts2")
        old = provider.keys[0]
        fresh = Key("published-ahead")
        provider.publish([old, fresh])
        wait_for("a refresh", lambda: provider.fetched(fresh), seconds=5)
        token = fresh.sign(claims(provider.issuer, url))
        with httpx.Client() as http:
            wait_for("a call", lambda: post(http, url, token, CALL).status_code == 200, seconds=2)
            # A key that is gone from the set verifies nothing any more, remembered tokens included.
            old_token = old.sign(claims(provider.issuer, url))
            assert post(http, url, old_token, CALL).status_code == 200
            provider.publish([fresh])
            wait_for(
                "the end of a key", lambda: post(http, url, old_token, CALL).status_code == 401
            )
            assert post(http, url, token, CALL).status_code == 200


def test_an_outage_is_bridged_then_503_then_well_again(own, upstreams, provider):
    with Gate(own, upstreams, POLICY, provider.issuer, keys=FAST_KEYS) as gate:
        url = gate.url("ts2")
        token = provider.token(url)
        with httpx.Client() as http:
            seen: list[int] = []

            def status() -> int:
                response = post(http, url, token, CALL)
                seen.append(response.status_code)
                if response.status_code == 503:
                    assert response.headers["retry-after"]
                    assert response.json()["jsonrpc"] == "2.0"
                return response.status_code

            assert status() == 200
            provider.stop()
            away = time.monotonic()
            # Three refreshes fail in this time, and none of it is stale_max.
            while time.monotonic() < away + 3:
                assert status() == 200
            wait_for("503 past stale_max", lambda: status() == 503, seconds=10)
            assert time.monotonic() - away > 3.5
            provider.start()
            wait_for("recovery", lambda: status() == 200, seconds=15)
        assert set(seen) == {200, 503}, Counter(seen)


def test_an_issuer_that_is_away_at_the_start_is_waited_for(own, upstreams, provider):
    provider.stop()
    gate = Gate(own, upstreams, POLICY, provider.issuer, keys=FAST_KEYS)
    url = gate.url("ts2")
    token = provider.keys[0].sign(claims(provider.issuer, url))
    try:
        gate.start()
        with httpx.Client() as http:

            def status() -> int:
                return post(http, url, token, CALL).status_code

            wait_for("Envoy", lambda: _answers(status))
            assert {status() for _ in range(20)} == {503}
            assert gate.authz.running()
            provider.start()
            gate.wait_ready()
            assert status() == 200
    finally:
        gate.stop()


def _answers(status) -> bool:
    try:
        return bool(status())
    except httpx.TransportError:
        return False
