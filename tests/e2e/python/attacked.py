"""What all Python servers under attack share: tools and resources that tell what ran.

Each answers with JSON text: what ran, and the values that its handler received. A tool takes one
argument in one of the ways in which servers declare it, so some convert what they are sent.
"""

import json
import socket
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import uvicorn
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

Register = Callable[[Callable[..., str]], Any]
LEAVES = "leaf://{dir}/{name}"
EXACT = {
    "secret": "note://secret/x",
    "pub": "note://pub/x",
    "intra": "https://intra.corp/x",
    "open": "https://pub.corp/x",
    "local": "http://127.0.0.1/admin",
    "passwd": "file:///etc/passwd",
    "readme": "file:///pub/readme",
    "blank": "doc://top/a%20b",
    "cafe": "doc://top/caf%C3%A9",
}


def plain(value: Any) -> Any:
    """A received value as JSON, or as text where JSON has no form for it."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(member) for member in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def tell(what: str, /, **got: Any) -> str:
    """Says what ran, and with what."""
    return json.dumps({"ran": what, "got": plain(got)})


class Options(BaseModel):
    """Members that convert as arguments do."""

    force: bool = False
    owner: str = ""
    n: int = 0


class Aliased(BaseModel):
    """A member that has another name in JSON, and its own as well."""

    model_config = ConfigDict(populate_by_name=True)
    dry_run: bool = Field(default=False, alias="dryRun")


Lower = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]
Folded = Annotated[str, AfterValidator(lambda text: text.strip().casefold())]
Composed = Annotated[str, AfterValidator(lambda text: unicodedata.normalize("NFKC", text))]
Numbers = Annotated[str, Field(coerce_numbers_to_str=True)]


def tools() -> list[Callable[..., str]]:
    """One function for each way to declare an argument."""

    def flag(force: bool) -> str:
        return tell("flag", force=force)

    def flag_opt(force: bool | None = None) -> str:
        return tell("flag_opt", force=force)

    def flag_strict(force: StrictBool) -> str:
        return tell("flag_strict", force=force)

    def flag_any(force: Any) -> str:
        return tell("flag_any", force=force)

    def level(n: int) -> str:
        return tell("level", n=n)

    def level_opt(n: int | None = None) -> str:
        return tell("level_opt", n=n)

    def level_float(n: float) -> str:
        return tell("level_float", n=n)

    def level_decimal(n: Decimal) -> str:
        return tell("level_decimal", n=n)

    def level_enum(n: Literal[5, 7]) -> str:
        return tell("level_enum", n=n)

    def owner(owner: str) -> str:
        return tell("owner", owner=owner)

    def owner_opt(owner: str | None = None) -> str:
        return tell("owner_opt", owner=owner)

    def owner_any(owner: str | list[str]) -> str:
        return tell("owner_any", owner=owner)

    def owner_lower(owner: Lower) -> str:
        return tell("owner_lower", owner=owner)

    def owner_folded(owner: Folded) -> str:
        return tell("owner_folded", owner=owner)

    def owner_composed(owner: Composed) -> str:
        return tell("owner_composed", owner=owner)

    def owner_enum(owner: Literal["root", "guest"]) -> str:
        return tell("owner_enum", owner=owner)

    def owner_number(owner: Numbers) -> str:
        return tell("owner_number", owner=owner)

    def tags(tags: list[str]) -> str:
        return tell("tags", tags=tags)

    def tags_lower(tags: list[Lower]) -> str:
        return tell("tags_lower", tags=tags)

    def tags_any(tags: Any) -> str:
        return tell("tags_any", tags=tags)

    def ids(ids: list[int]) -> str:
        return tell("ids", ids=ids)

    def day(day: date) -> str:
        return tell("day", day=day)

    def options(opts: Options) -> str:
        return tell("options", opts=opts)

    def rows(rows: list[Options]) -> str:
        return tell("rows", rows=rows)

    def aliased(opts: Aliased) -> str:
        return tell("aliased", opts=opts)

    found = list(locals().values())
    found.extend(_numbered(number) for number in range(20))
    return found


def _numbered(number: int) -> Callable[..., str]:
    def run() -> str:
        return tell(run.__name__)

    run.__name__ = f"step_{number}"
    return run


def register_tools(register: Register) -> None:
    """Registers all tools."""
    for function in tools():
        register(function)


def register_prompts(prompt: Callable[[], Register]) -> None:
    """Registers prompts."""

    @prompt()
    def ask_owner(owner: str) -> str:
        return tell("ask_owner", owner=owner)

    @prompt()
    def ask_owner_lower(owner: Lower) -> str:
        return tell("ask_owner_lower", owner=owner)


def register_resources(
    resource: Callable[[str], Register], greedy: str | None, query: bool
) -> None:
    """Registers resources; `greedy` is how this SDK writes a variable that crosses slashes."""
    for name, uri in EXACT.items():
        resource(uri)(_exact(name))

    @resource("leaf://{dir}/{name}")
    def leaf(dir: str, name: str) -> str:
        return tell("leaf", dir=dir, name=name)

    @resource("item://{id}")
    def item(id: str) -> str:
        return tell("item", id=id)

    @resource("https://{host}/{name}")
    def web(host: str, name: str) -> str:
        return tell("web", host=host, name=name)

    if greedy is not None:

        @resource(f"tree://root/{greedy}")
        def tree(path: str) -> str:
            return tell("tree", path=path)

    if query:

        @resource("logs://api{?level}")
        def logs(level: str = "") -> str:
            return tell("logs", level=level)


def _exact(name: str) -> Callable[[], str]:
    def read() -> str:
        return tell(name)

    read.__name__ = f"read_{name}"
    return read


def told_completion(ref: Any, argument: Any, context: Any) -> list[str]:
    """What a completion ran for: the template, the argument, and the arguments known already."""
    known = dict(getattr(context, "arguments", None) or {})
    uri = getattr(ref, "uri", None)
    if str(uri) != LEAVES:
        return []
    return [tell("complete", argument=argument.name, value=argument.value, known=known)]


def serve(app: Any) -> None:
    """Serves `app` on a port of 127.0.0.1 that the kernel chooses, and prints it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])
