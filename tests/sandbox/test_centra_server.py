"""Centra on a real port, with real sockets."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from integration.sandbox.centra import Centra
from integration.sandbox.clock import RealClock
from integration.sandbox.generator import Generator
from integration.sandbox.serve import Server

TOKEN = {"Authorization": "Bearer sandbox-centra-token"}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def served():
    centra = Centra(RealClock())
    centra.place_order(Generator(1).basket())
    with Server(centra.app, centra.clock, longest_hang=0.5) as server:
        yield centra, server.url


def ask(url, timeout=5.0, fault=""):
    words = {"query": "{ orders { number } }"}
    return requests.post(f"{url}/graphql", json=words, headers={**TOKEN, "X-Sandbox-Fault": fault}, timeout=timeout)


def test_a_real_client_gets_an_answer(served):
    _, url = served
    assert ask(url).json()["data"] == {"orders": [{"number": 1}]}


def test_a_hanging_call_times_out_or_ends_without_an_answer(served):
    _, url = served
    with pytest.raises(requests.exceptions.ReadTimeout):
        ask(url, timeout=0.2, fault="timeout-after")
    with pytest.raises(requests.exceptions.ConnectionError):
        ask(url, timeout=5, fault="timeout-before")


def test_a_dropped_answer_is_cut_in_mid_body(served):
    _, url = served
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        ask(url, fault="drop-after")


def test_a_webhook_really_arrives(served):
    centra, _ = served
    received = []

    def app(environ, start_response):
        received.append((environ["wsgi.input"].read(), environ["HTTP_X_CENTRA_SIGNATURE"]))
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]

    with Server(app, centra.clock) as receiver:
        centra.switches.webhook_delay = 0.01
        centra.register_webhook(f"{receiver.url}/hook", "secret", store=1)
        centra.place_order(Generator(2).basket(market_id=1))
        until = time.monotonic() + 5
        while not received and time.monotonic() < until:
            time.sleep(0.02)
    body, header = received[0]
    assert body.startswith(b"payload=")
    assert header.startswith("t=")


def test_the_command_prints_its_addresses_and_stops_when_told(tmp_path):
    command = [
        sys.executable,
        "-m",
        "integration.sandbox.serve",
        "--orders",
        "3",
        "--journal",
        str(tmp_path / "j.jsonl"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        ready = json.loads(process.stdout.readline())
        assert ask(ready["centra"]["url"]).json()["data"]["orders"][2] == {"number": 3}
        assert ready["centra"]["token"] == "sandbox-centra-token"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        process.stdout.close()
    assert len((tmp_path / "j.jsonl").read_text("utf-8").splitlines()) == 6
