"""What every page of the desk has in common: who is asking, what a browser may do with it, and where SQL runs."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from flower.views import BaseHandler
from tornado.web import HTTPError, RequestHandler, authenticated

from integration.settings import SettingsError
from integration.store import StoreDown
from tasks.celery import world
from tasks.desk import words

T = TypeVar("T")
log = structlog.get_logger()

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline and nothing from elsewhere; `data:` is Bootstrap's own icons."""

AWAY = "The ledger cannot be used at the moment."
FLASH = "desk_said"
LONGEST_ACTOR = 64
LONGEST_WORDS = 2000
"""A comment is a note, not a document."""


class Page(BaseHandler):
    """A page that needs a name, asks the store in a thread and says what it did after a redirect."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Security-Policy", CONTENT_POLICY)
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")

    def get_current_user(self) -> str | None:
        """The name behind the request. Raises 401 where Flower would let somebody in without one."""
        options = self.application.options
        if not options.basic_auth and not options.auth:
            raise HTTPError(401)
        who = super().get_current_user()
        if who is True:  # Flower checked the header and forgot the name
            scheme_and_credentials = self.request.headers["Authorization"].split()
            who = b64decode(scheme_and_credentials[1]).decode().partition(":")[0]
        return who[:LONGEST_ACTOR] if who else None

    @property
    def actor(self) -> str:
        """Who is asking, by the name that history and audit keep."""
        return str(self.current_user)

    def check_xsrf_cookie(self) -> None:
        """Flower trusts a header without a token; a browser sends that header by itself, so we ask for the token too."""
        if not self.current_user:
            raise HTTPError(401)
        super().check_xsrf_cookie()
        try:
            RequestHandler.check_xsrf_cookie(self)
        except HTTPError as error:
            raise HTTPError(
                403, "This form is old, or not from this desk. Go back, reload the page, send it again."
            ) from error

    @authenticated
    def prepare(self) -> None:
        if self.request.method == "POST" and self.application.options.read_only:
            raise HTTPError(403, "This desk is read-only: it was started with --read_only.")

    async def ask(self, question: Callable[..., T], *args: Any, **told: Any) -> T:
        """`question(world, …)` in a thread: no SQL on the loop that serves everybody. A ledger that is away is a 503."""
        loop = self.application.io_loop
        try:
            return await loop.run_in_executor(None, lambda: question(world(), *args, **told))
        except StoreDown as error:
            log.warning("desk.ledger-away", error=str(error))
            raise HTTPError(503, f"{AWAY} Nothing was changed; try again soon.") from error
        except SettingsError as error:
            log.warning("desk.not-set-up", error=str(error))
            raise HTTPError(503, f"{AWAY} {error}") from error

    def word(self, name: str, default: str = "") -> str:
        """An argument as it was typed; Flower's own reader escapes, and the templates do that."""
        return str(self.get_argument(name, default, escape=False) or default)[:LONGEST_WORDS]

    def number(self, name: str, default: int) -> int:
        """A whole number, not negative; anything else is the default."""
        told = self.word(name)
        return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else default

    def say(self, text: str, *, failed: bool = False) -> None:
        """Tell the next page what happened. Never holds more than numbers and states."""
        self.set_secure_cookie(FLASH, f"{'!' if failed else '.'}{text[:600]}", expires_days=None)

    def said(self) -> tuple[str, bool] | None:
        """What the last page had to say, once: (text, whether it failed)."""
        told = self.get_secure_cookie(FLASH)
        if not told:
            return None
        self.clear_cookie(FLASH)
        text = told.decode()
        return text[1:], text[0] == "!"

    def show(self, template: str, **facts: Any) -> None:
        self.render(
            template,
            words=words,
            flash=self.said(),
            read_only=self.application.options.read_only,
            **facts,
        )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say it calmly on a page of ours; who is not known gets Flower's bare 401."""
        error = kwargs.get("exc_info", (None, None))[1]
        if status_code == 401:
            super().write_error(status_code, **kwargs)
            return
        if not hasattr(self, "_current_user"):
            self.current_user = None
        told = error.get_message() if isinstance(error, HTTPError) else ""
        self.render("desk-error.html", words=words, status=status_code, message=told, flash=None, read_only=True)
