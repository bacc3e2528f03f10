"""The person at the browser: follows an authorization URL until it leads back to the client."""

from urllib.parse import parse_qs, urljoin, urlsplit

try:
    import httpx
except ImportError:  # where FastMCP 4.x is, there is its successor alone
    import httpx2 as httpx

REDIRECT_URI = "http://127.0.0.1:1/callback"
HOPS_MAX = 12


async def authorize(url: str) -> dict[str, str]:
    """The parameters with which the authorization server redirects to `REDIRECT_URI`."""
    async with httpx.AsyncClient() as browser:
        for _ in range(HOPS_MAX):
            response = await browser.get(url)
            if not response.has_redirect_location:
                raise RuntimeError(f"{response.status_code} from {url}: {response.text}")
            url = urljoin(url, response.headers["location"])
            if url.startswith(REDIRECT_URI):
                return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    raise RuntimeError("too many redirects")
