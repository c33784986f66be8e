"""A gate on a store of its own, a clock the test moves, and a server that says exactly the bytes it is told to."""

import contextlib
import hashlib
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from wsgi_transport import WsgiTransport

from integration.budget import Gate
from integration.centra.adapter import Centra
from integration.centra.client import CentraClient
from integration.http import Http, Timeouts, new_session
from integration.sandbox import centra as sandbox
from integration.sandbox.clock import HandClock
from integration.store import Store

START = datetime(2026, 5, 4, 9, tzinfo=UTC)


class TestClock:
    """Stands still until `sleep`."""

    __test__ = False

    def __init__(self):
        self.instant = START
        self.slept = []

    def now(self):
        return self.instant

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.instant += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return TestClock()


@pytest.fixture
def store(clock):
    made = Store("sqlite://", clock)
    made.create()
    yield made
    made.close()


@pytest.fixture
def gate(store):
    return Gate(store, "remote")


class Server:
    """Accepts connections and plays `script(connection, request)` for each; keeps the requests it read."""

    def __init__(self, context=None):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.requests = []
        self.connections = 0
        self.script = lambda connection, request: None
        self.context = context
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def answers(self, *parts, pause=0.0):
        """Every request is answered with these bytes, `pause` seconds apart; then the connection is closed."""

        def play(connection, request):
            for part in parts:
                connection.sendall(part)
                if pause and self._over.wait(pause):
                    return

        self.script = play

    def _serve(self):
        while not self._over.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with contextlib.suppress(OSError), contextlib.closing(connection):
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            request = _read_request(connection)
            self.requests.append(request)
            self.script(connection, request)
            connection.close()

    def close(self):
        if self._over.is_set():
            return
        self._over.set()
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which `close` alone does not
        self.socket.close()
        self._thread.join(2)


def _read_request(connection):
    told = b""
    while b"\r\n\r\n" not in told:
        told += connection.recv(65_536)
    head, _, body = told.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def server():
    made = Server()
    yield made
    made.close()


@pytest.fixture
def http_to(gate, clock):
    """`http_to(server, **terms)`: our client for a server, with short time-outs."""

    def make(server, scheme="http", host="127.0.0.1", **terms):
        terms = {"timeouts": Timeouts(1, 1, 2), "session": new_session(), "sleep": clock.sleep, **terms}
        return Http(f"{scheme}://{host}:{server.port}", headers={"X-API-KEY": "key-of-ours"}, gate=gate, **terms)

    return make


@pytest.fixture
def stopwatch():
    began = time.monotonic()
    return lambda: time.monotonic() - began


@pytest.fixture
def shop(clock):
    """A Centra of its own."""
    return sandbox.Centra(HandClock(clock.now()))


@pytest.fixture
def centra(shop, gate, clock):
    """Our adapter for `shop`, through the transport that carries its requests there."""
    transport = WsgiTransport({"brand.test": shop.app}, wait=clock.sleep)
    headers = {"Authorization": "Bearer sandbox-centra-token"}
    http = Http("https://brand.test", headers=headers, session=new_session(transport), gate=gate, sleep=clock.sleep)
    return Centra("brand", CentraClient(http), fingerprint=lambda content: hashlib.sha256(content).hexdigest())


@pytest.fixture
def lonely_centra(gate, clock):
    """Our adapter for a Centra that `responses` plays."""
    http = Http("https://brand.test", headers={}, session=new_session(), gate=gate, sleep=clock.sleep)
    return Centra("brand", CentraClient(http), fingerprint=lambda content: hashlib.sha256(content).hexdigest())
