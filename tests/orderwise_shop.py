"""Our doors as an e-commerce session of the sandbox's OrderWise calls them: a shop whose orders it fetches."""

import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from stage import Stage, example

from integration.sandbox.orderwise_web_service import Paths, Run
from integration.web import Receiver

SESSION = 28
LOGIN = "orderwise:a-long-password"
PATHS = Paths("/orders", "/success", "/despatch", "/stock")


def session_text(stock: bool = False) -> str:
    """The example mapping with its orders fetched by a session."""
    return example("orderwise", stock=stock).replace('transport = "api"', 'transport = "session"')


def session_stage(opens: Callable[..., Stage] = Stage, *, stock: bool = False) -> Stage:
    """A stage, opened by `opens`, whose door has the login."""
    made = opens(erps=("orderwise",), stock=stock, LOCKSTEP_ORDERWISE_WEBHOOK_SECRETS=LOGIN)
    made.apply(session_text(stock), "orderwise")
    made.orderwise.add_discount("Handling")
    return made


class Shop:
    """`shop.run()` is one run of a session against our doors; `answers` are those of all calls: status, headers, body."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.receiver = stage, Receiver(stage.world)
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def call(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
        environ["CONTENT_LENGTH"] = str(len(body))
        environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in (headers or {}).items()}
        told: list[Any] = []
        answer = b"".join(self.receiver(environ, lambda status, headers: told.append((status, dict(headers)))))
        self.answers.append((int(told[0][0].split()[0]), told[0][1], answer))
        return self.answers[-1]

    def send(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        status, _, answer = self.call(method, urlsplit(address).path, body, headers)
        return status, answer

    def run(self, session: int = SESSION, login: str = LOGIN, **terms: Any) -> Run:
        address = f"https://shop.test/orderwise/orderwise/{session}"
        return self.stage.orderwise.run_session(
            address, session, send=self.send, **({"paths": PATHS, "login": login} | terms)
        )
