"""The sandbox without sockets: the client's real request, handed to a WSGI app; its faults become the network's."""

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3.response import HTTPResponse

from integration.sandbox.faults import Drop, Hang

App = Callable[..., Any]


class WsgiTransport(BaseAdapter):
    """Sends requests to `apps` by host name. `wait(seconds)` lets a client's read time-out pass.

    `around(request)` is called before each request and may raise a `requests` exception: a host that is away.
    """

    def __init__(
        self,
        apps: dict[str, App],
        wait: Callable[[float], None] = lambda seconds: None,
        around: Callable[[requests.PreparedRequest], None] = lambda request: None,
    ) -> None:
        super().__init__()
        self.apps = apps
        self.wait = wait
        self.around = around
        self.requests = 0

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self.around(request)
        self.requests += 1
        parts = urlsplit(str(request.url))
        body = request.body.encode() if isinstance(request.body, str) else (request.body or b"")
        timeout = options.get("timeout")
        read = timeout[1] if isinstance(timeout, tuple) else timeout
        try:
            status, headers, content = _call(self.apps[str(parts.hostname)], request, parts, body)
        except Hang as hang:
            self.wait(read if read is not None else hang.seconds)
            raise requests.exceptions.ReadTimeout("no answer", request=request) from hang
        except Drop as drop:
            raise requests.exceptions.ChunkedEncodingError("cut in mid-body", request=request) from drop
        return self._response(request, status, headers, content)

    def _response(
        self, request: requests.PreparedRequest, status: str, headers: list[tuple[str, str]], content: bytes
    ) -> requests.Response:
        response = requests.Response()
        response.status_code = int(status.split(maxsplit=1)[0])
        response.headers.update(dict(headers))
        response.raw = HTTPResponse(
            body=io.BytesIO(content), headers=headers, status=response.status_code, preload_content=False
        )
        response.request = request
        response.url = str(request.url)
        return response

    def close(self) -> None:
        """Nothing is held open."""


def _call(
    app: App, request: requests.PreparedRequest, parts: Any, body: bytes
) -> tuple[str, list[tuple[str, str]], bytes]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": parts.path,
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        told[:] = [status, headers]

    chunks = app(environ, start_response)
    content = b"".join(chunks)
    return told[0], told[1], content
