"""Rows A1 to A26 of the fault catalogue, as far as they concern one exchange."""

import gzip
import socket
import struct
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses import matchers

from integration import http
from integration.errors import Unavailable, Unknown
from integration.http import Http, Refused, Timeouts, new_session, retry_after, safe_base

BASE = "https://remote.test"
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
def remote(gate, clock):
    return Http(BASE, headers={}, session=new_session(), gate=gate, sleep=clock.sleep)


@pytest.fixture
def wire():
    with responses.RequestsMock() as mock:
        yield mock


def ask(remote, *, writes=False, body=None):
    return remote.call("POST", "/x", {"a": 1} if body is None else body, lane="orders", writes=writes, costs={})


def fails(remote, *, reading=Unavailable, writing=Unknown):
    """A read and a write fail as they should."""
    with pytest.raises(reading) as read:
        ask(remote)
    with pytest.raises(writing) as write:
        ask(remote, writes=True)
    return read.value, write.value


# ------------------------------------------------------------------------------------------------ what a status means


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 599, 408, 425, 301, 302, 303, 307, 308, 304, 300])
def test_an_answer_that_proves_nothing_is_unavailable_for_a_read_and_unknown_for_a_write(remote, wire, status):
    wire.post(f"{BASE}/x", status=status, body="<h1>oops</h1>")
    fails(remote)


@pytest.mark.parametrize(
    "body",
    [
        "<html><body>Log in</body></html>",
        "{",
        '{"a": NaN}',
        '{"a":1,"a":2}',
        "1" * 5000,
        "[" * 200000,
        "\ufeff{}",
        "1e99999999999999999999",
    ],
)
def test_a_200_without_honest_json_is_no_answer(remote, wire, body):
    wire.post(f"{BASE}/x", status=200, body=body)
    for error in fails(remote):
        assert "not JSON" in str(error)
        assert body[:30] not in str(error)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_2xx_with_json_is_an_answer(remote, wire, status):
    wire.post(f"{BASE}/x", status=status, json={"id": 1})
    assert ask(remote).document == {"id": 1}


@pytest.mark.parametrize("status", [200, 201, 204])
def test_a_2xx_without_a_body_is_an_answer_that_says_nothing(remote, wire, status):
    wire.post(f"{BASE}/x", status=status, body=b"")
    assert ask(remote, writes=True).document is None


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 409, 410, 413, 422, 451, 499])
def test_other_4xx_are_for_the_adapter_to_read(remote, wire, status):
    wire.post(f"{BASE}/x", status=status, json={"message": "no"})
    error = fails(remote, reading=Refused, writing=Refused)[0]
    assert (error.status, error.document) == (status, {"message": "no"})
    assert str(error) == f"HTTP {status}"


def test_a_4xx_that_is_not_json_is_for_the_adapter_too_and_cut_short(remote, wire):
    wire.post(f"{BASE}/x", status=400, body="x" * 10_000)
    error = fails(remote, reading=Refused, writing=Refused)[0]
    assert (error.document, len(error.text)) == (None, 2_000)


def test_a_401_is_a_matter_of_the_connection_and_surely_did_nothing(remote, wire):
    wire.post(f"{BASE}/x", status=401, body="<h1>who?</h1>")
    with pytest.raises(Unavailable) as raised:
        ask(remote, writes=True)
    assert raised.value.connection_wide == "CONNECTION_AUTH"
    with pytest.raises(Unavailable, match="no call before"):
        ask(remote)
    assert len(wire.calls) == 1  # the second never left


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7), (" 7 ", 7), ("0", 1), ("999999", 3600), ("9999999999", 3600), ("-5", 5), ("1.5", 5), ("soon", 5),
        ("", 5), (None, 5), ("NaN", 5), ("1e3", 5), ("٧", 5), ("²", 5),
        (str(int(NOW.timestamp()) + 30), 30), (str(int(NOW.timestamp()) - 30), 1),
        ("Mon, 04 May 2026 09:00:20 GMT", 20), ("Mon, 04 May 2026 08:59:00 GMT", 1), ("Mon, 04 May 2099 09:00:00 GMT", 3600),
        ("Monday, 04-May-26 09:00:20 GMT", 20), ("2026-05-04T09:00:20Z", 20), ("2026-05-04T11:00:20+02:00", 20),
        ("2026-05-04T09:00:20", 20), ("Mon, 99 May 2026 09:00:20 GMT", 5),
    ],
)  # fmt: skip
def test_a_429_closes_the_gate_for_as_long_as_it_asks_within_a_second_and_an_hour(remote, wire, clock, header, seconds):
    headers = {} if header is None else {"Retry-After": header.encode("utf-8").decode("latin-1")}
    wire.post(f"{BASE}/x", status=429, json={"message": "Too many requests"}, headers=headers)
    with pytest.raises(Unavailable) as raised:
        ask(remote, writes=True)
    assert raised.value.retry_after == timedelta(seconds=seconds)
    assert not raised.value.connection_wide
    clock.instant += timedelta(seconds=seconds, milliseconds=-1)
    with pytest.raises(Unavailable, match="throttling: no call"):
        remote.gate.enter("orders", {})
    clock.instant += timedelta(milliseconds=1)
    remote.gate.enter("orders", {})


@pytest.mark.parametrize("message", ["Page size cannot exceed 500", "limit is invalid", "value cannot exceed 10"])
def test_a_429_that_is_a_complaint_about_the_request_is_never_retried(remote, wire, message):
    wire.post(f"{BASE}/x", status=429, json={"message": message})
    error = fails(remote, reading=Refused, writing=Refused)[0]
    assert error.status == 429


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("0", 1), ("-1", None), ("99999999", 3600), ("soon", None)])
def test_a_503_is_waited_for_as_it_asks_but_never_for_longer_than_an_hour(remote, wire, header, seconds):
    wire.post(f"{BASE}/x", status=503, body="", headers={"Retry-After": header})
    with pytest.raises(Unavailable) as raised:
        ask(remote)
    assert raised.value.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,5} [0-9:]{1,9} [A-Z+0-9-]{1,6}"))
def test_no_retry_after_header_can_hurt(header):
    found = retry_after(header, NOW)
    assert found is None or isinstance(found, timedelta)


@given(st.integers(0, 10**10 - 1))
def test_a_number_is_a_wait_or_an_instant_by_its_size(number):
    wait = retry_after(str(number), NOW)
    if number < 10**9:
        assert wait == timedelta(seconds=number)
    else:
        assert abs(NOW + wait - datetime.fromtimestamp(number, UTC)) < timedelta(milliseconds=1)


# --------------------------------------------------------------------------------------------- where nothing comes back


@pytest.mark.parametrize(
    "raised",
    [
        requests.exceptions.ReadTimeout("slow"),
        requests.exceptions.ConnectionError("reset"),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.ContentDecodingError("no gzip"),
        requests.exceptions.TooManyRedirects("round and round"),
    ],
)
def test_a_write_whose_connection_broke_is_unknown(remote, wire, raised):
    wire.post(f"{BASE}/x", body=raised)
    fails(remote)


def test_a_connect_time_out_surely_sent_nothing(remote, wire):
    wire.post(f"{BASE}/x", body=requests.exceptions.ConnectTimeout("nobody"))
    fails(remote, writing=Unavailable)


def test_a_closed_port_surely_received_nothing(server, http_to):
    client = http_to(server)
    server.close()
    for error in fails(client, writing=Unavailable):
        assert "cannot be reached" in str(error)


def test_a_name_that_does_not_resolve_surely_received_nothing(gate):
    client = Http("https://no-such-host.invalid", headers={}, session=new_session(), gate=gate, sleep=time.sleep)
    fails(client, writing=Unavailable)


def test_a_reset_after_the_request_is_unknown_for_a_write(server, http_to):
    def reset(connection, request):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server.script = reset
    fails(http_to(server))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"id": 12',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n" + b'{"id": 1',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"\r\n\r\n",
        b"not http at all",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n{}",
        b"",
    ],
)
def test_an_answer_cut_short_is_no_answer(server, http_to, answer):
    server.answers(answer)
    fails(http_to(server))


def test_a_body_that_drips_is_given_up_at_the_total_deadline(server, http_to, stopwatch):
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *([b" "] * 200), pause=0.05)
    with pytest.raises(Unknown):
        ask(http_to(server, timeouts=Timeouts(1, 1, 0.4)), writes=True)
    assert 0.3 < stopwatch() < 1.5


def test_a_chunked_body_without_an_end_is_given_up_at_the_total_deadline(server, http_to, stopwatch):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.answers(head, *([b"1\r\n \r\n"] * 200), pause=0.05)
    with pytest.raises(Unavailable):
        ask(http_to(server, timeouts=Timeouts(1, 1, 0.4)))
    assert stopwatch() < 1.5


def test_silence_is_given_up_at_the_read_time_out(server, http_to, stopwatch):
    server.answers(b"", pause=5)
    with pytest.raises(Unknown):
        ask(http_to(server, timeouts=Timeouts(1, 0.3, 2)), writes=True)
    assert stopwatch() < 1.5


def test_a_gzip_bomb_is_given_up_at_the_size_cap(server, http_to, monkeypatch):
    monkeypatch.setattr(http, "MAX_BYTES", 1_000_000)
    bomb = gzip.compress(b" " * 100_000_000)
    assert len(bomb) < 200_000
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    server.answers(head + bomb)
    with pytest.raises(Unavailable, match="_Overlong"):
        ask(http_to(server, timeouts=Timeouts(1, 5, 30)))


def test_an_endless_body_is_given_up_at_the_size_cap(server, http_to, monkeypatch):
    monkeypatch.setattr(http, "MAX_BYTES", 300_000)
    server.answers(b"HTTP/1.1 200 OK\r\n\r\n", *([b" " * 100_000] * 50))
    fails(http_to(server))


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_large_honest_body_is_read_whole(server, http_to, encoding):
    body = b'{"rows": [' + b",".join(b'{"id": %d}' % n for n in range(100_000)) + b"]}"
    told = gzip.compress(body) if encoding == "gzip" else body
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(told)}\r\n\r\n".encode()
    server.answers(head + told)
    assert len(ask(http_to(server)).document["rows"]) == 100_000


def test_a_chunked_body_is_read_whole(server, http_to):
    server.answers(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n')
    assert ask(http_to(server)).document == {"a": 1}


def test_a_connection_is_kept_for_the_next_call(server, http_to):
    def twice(connection, request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    server.script = twice
    client = http_to(server)
    assert ask(client).document == ask(client).document == {}
    assert server.connections == 1


# --------------------------------------------------------------------------------------------- credentials and addresses


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["same", "http://169.254.169.254/latest", "http://elsewhere.invalid/"])
def test_a_redirect_is_never_followed_and_credentials_go_nowhere_else(server, http_to, status, target):
    location = f"http://127.0.0.1:{server.port}/elsewhere" if target == "same" else target
    server.answers(f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
    with pytest.raises(Unknown):
        ask(http_to(server), writes=True)
    assert [r.split(b" ")[1] for r in server.requests] == [b"/x"]


def test_no_proxy_of_the_environment_is_used(server, http_to, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert ask(http_to(server)).document == {}


def test_no_netrc_of_the_environment_is_used(server, http_to, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    ask(http_to(server))
    assert b"authorization" not in server.requests[0].lower()
    assert b"X-API-KEY: key-of-ours" in server.requests[0]


@pytest.mark.parametrize(
    ("base", "safe"),
    [
        ("https://api.example.com", True), ("http://127.0.0.1:8080", True), ("http://localhost", True),
        ("http://[::1]:80", True), ("http://api.example.com", False), ("http://127.0.0.1.evil.test", False),
        ("http://localhost.evil.test", False), ("http://evil.test/127.0.0.1", False), ("http://127.0.0.1@evil.test", False),
        ("ftp://127.0.0.1", False), ("file:///etc/passwd", False), ("127.0.0.1", False), ("", False), ("http://0.0.0.0", False),
    ],
)  # fmt: skip
def test_only_https_or_this_machine_is_spoken_to(gate, base, safe):
    assert safe_base(base) is safe
    if not safe:
        with pytest.raises(ValueError, match="neither https nor a loopback"):
            Http(base, headers={}, session=new_session(), gate=gate, sleep=time.sleep)


def test_what_is_sent_is_compact_utf_8_json(remote, wire):
    body = {"name": "Zoë O'Brien 😀", "n": 1}
    wire.post(f"{BASE}/x", json={}, match=[matchers.header_matcher({"Content-Type": "application/json"})])
    ask(remote, body=body)
    assert wire.calls[0].request.body == '{"name":"Zoë O\'Brien 😀","n":1}'.encode()


# --------------------------------------------------------------------------------------------- the points of a crash


def test_the_points_before_and_after_a_call_are_passed_in_order(gate, wire):
    passed = []
    wire.post(f"{BASE}/x", json={})
    client = Http(BASE, headers={}, session=new_session(), gate=gate, sleep=time.sleep, point=passed.append)
    ask(client)
    assert passed == ["http.before-send", "http.after-receive"]
