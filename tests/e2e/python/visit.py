"""The browser of clients that start one: follows a URL, and every redirect, to its end.

Usage: visit.py URL. The client may listen for its callback only once the browser is started, so a
connection that is refused is tried again for a while.
"""

import sys
import time
from urllib.parse import urljoin

import httpx

HOPS_MAX = 12
TRY_SECONDS = 10


def visit(url: str) -> None:
    """Goes where `url` leads."""
    with httpx.Client(timeout=TRY_SECONDS) as browser:
        for _ in range(HOPS_MAX):
            response = get(browser, url)
            print(response.status_code, url.partition("?")[0], flush=True)
            if not response.has_redirect_location:
                return
            url = urljoin(url, response.headers["location"])
    raise RuntimeError("too many redirects")


def get(browser: httpx.Client, url: str) -> httpx.Response:
    """What a URL answers, once somebody listens there."""
    deadline = time.monotonic() + TRY_SECONDS
    while True:
        try:
            return browser.get(url)
        except httpx.ConnectError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


visit(sys.argv[1])
