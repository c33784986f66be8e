"""Calls a WSGI app of the sandbox inside this process, as a client on the wire would. Faults come out as they are."""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: Callable[[Any, Any], Iterable[bytes]],
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request; `path` may carry a query string. Raises `Hang` or `Drop` where a server would not answer."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    started: list[tuple[str, list[tuple[str, str]]]] = []
    chunks = app(environ, lambda status, pairs: started.append((status, pairs)))
    found = b"".join(chunks)
    status, pairs = started[-1]
    return Answer(int(status.split()[0]), {name.lower(): value for name, value in pairs}, found)


def graphql(
    app: Callable[[Any, Any], Iterable[bytes]],
    text: str,
    variables: Mapping[str, Any] | None = None,
    token: str = "sandbox-centra-token",  # noqa: S107  # the sandbox's open secret
    **headers: str,
) -> Answer:
    """One GraphQL request to Centra."""
    body = json.dumps({"query": text, "variables": variables or {}}).encode()
    return call(app, "POST", "/graphql", body, {"Authorization": f"Bearer {token}", **headers})
