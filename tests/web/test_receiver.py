"""The webhook receiver as a WSGI app: rows C1 to C22 of the fault catalogue."""

import hashlib
import hmac
import io
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage import Stage

from integration.centra import webhooks
from integration.web import Receiver

SECRET = "stage-webhook-secret"
VECTOR = "0b9cd84f5d583e5e1aadfb9f160aa8080b51d5b85ff85808d6b75bdac356c549"


@pytest.fixture(scope="module")
def shared():
    """A stage for tests that leave no row behind."""
    return Stage()


@pytest.fixture
def stage():
    return Stage()


def sign(body, at, secret=SECRET):
    stamp = str(int(at.timestamp()) if isinstance(at, datetime) else at).encode()
    return b"t=%s,v1=%s" % (stamp, hmac.new(secret.encode(), stamp + b"." + body, hashlib.sha256).hexdigest().encode())


def hook(*numbers, kind="order"):
    events = [{"id": n, "type": kind, "action": "update"} for n in numbers]
    return urlencode({"payload": json.dumps({"events": events})}).encode()


def post(stage, body, header, *, path="/centra/brand", method="POST", length="", receiver=None):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
    environ["CONTENT_LENGTH"] = str(len(body)) if length == "" else length
    if header is not None:
        environ["HTTP_X_CENTRA_SIGNATURE"] = header.decode("latin-1") if isinstance(header, bytes) else header
    told = []
    receiver = receiver or Receiver(stage.world)
    answer = b"".join(receiver(environ, lambda status, headers: told.append((status, dict(headers)))))
    assert told[0][1]["Content-Length"] == str(len(answer))
    return int(told[0][0].split()[0]), told[0][1], answer


def code(*args, **terms):
    return post(*args, **terms)[0]


def test_the_vendors_own_vector_is_verified():
    body = b"payload=%7B%22x%22%3A%22test%22%7D"
    header = f"t=12345678,v1={VECTOR}".encode()
    webhooks.verify(header, body, ["test123"], datetime.fromtimestamp(12345678, UTC))
    assert sign(body, 12345678, "test123") == header
    for wrong in (b"payload=%7B%22x%22%3A%22test%22%7d", body + b"&", body[:-1]):
        with pytest.raises(webhooks.Forged):
            webhooks.verify(header, wrong, ["test123"], datetime.fromtimestamp(12345678, UTC))


def test_a_signed_hint_is_committed_before_it_is_answered_and_rung_after(stage):
    body = hook("1001", 1002)
    passed = []
    stage.world.point = lambda name: passed.append((name, len(stage.rows()), len(stage.queue)))
    assert code(stage, body, sign(body, stage.clock.now())) == 200
    assert passed == [("webhook.committed", 2, 0)]
    assert [key.number for _, key in stage.queue] == ["1001", "1002"]


NOW_HEX = "a" * 64
FORGED = {
    "absent": lambda good: None,
    "empty": lambda good: b"",
    "no hex": lambda good: b"t=1,v1=",
    "no time": lambda good: good.split(b",")[1],
    "no signature": lambda good: good.split(b",")[0],
    "wrong hex": lambda good: good.split(b",")[0] + b",v1=" + NOW_HEX.encode(),
    "upper-case hex": lambda good: good.split(b"v1=")[0] + b"v1=" + good.split(b"v1=")[1].upper(),
    "another version": lambda good: good.replace(b"v1=", b"v0="),
    "another algorithm": lambda good: good.replace(b"v1=", b"sha256="),
    "short hex": lambda good: good[:-1],
    "long hex": lambda good: good + b"0",
    "two times": lambda good: good.split(b",")[0] + b"," + good,
    "six signatures": lambda good: good + (b",v1=" + NOW_HEX.encode()) * 5,
    "one bad signature beside a good one": lambda good: good + b",v1=zz",
    "non-ASCII": lambda good: good + b",v1=\xc3\xa9",
    "non-ASCII digits": lambda good: b"t=\xd9\xa1\xd9\xa2" + good[12:],
    "100 kB": lambda good: good + b",x=" + b"y" * 100_000,
    "NUL": lambda good: good.replace(b"t=", b"t=\x00"),
    "semicolons": lambda good: good.replace(b",", b";"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_signature_that_is_not_exactly_right_is_refused_alike(shared, name):
    body = hook("1001")
    header = FORGED[name](sign(body, shared.clock.now()))
    before = len(shared.rows())
    status, _, answer = post(shared, body, header)
    assert (status, answer) == (401, b"not authorised\n")
    assert len(shared.rows()) == before


@pytest.mark.parametrize("form", [b"%s", b" %s", b"%s ", b"x=1,%s", b"%s,v0=00,future=1", b"%s\r\n"])
def test_spaces_and_pairs_nobody_knows_do_no_harm(stage, form):
    body = hook("1001")
    assert code(stage, body, form % sign(body, stage.clock.now())) == 200


def test_pairs_may_come_in_any_order_and_one_good_signature_of_five_is_enough(stage):
    body = hook("1001")
    stamp, good = sign(body, stage.clock.now()).split(b",")
    bad = b"v1=" + NOW_HEX.encode()
    assert code(stage, body, b",".join([good, stamp])) == 200
    assert code(stage, body, b",".join([stamp, bad, bad, bad, bad, good])) == 200


@pytest.mark.parametrize(
    ("off", "status"), [(0, 200), (300, 200), (-300, 200), (301, 401), (-301, 401), (86_400, 401), (-86_400, 401)]
)
def test_the_time_is_held_in_both_directions(stage, off, status):
    body = hook("1001")
    assert code(stage, body, sign(body, stage.clock.now() + timedelta(seconds=off))) == status
    assert len(stage.rows()) == (status == 200)


@pytest.mark.parametrize(
    "stamp", ["nan", "1e400", "-1", "1" * 20, "0x10", "1_0", "", "1.5", " 1777885200", "+1777885200"]
)
def test_a_time_is_digits_and_nothing_else(shared, stamp):
    body = hook("7777")
    assert code(shared, body, sign(body, stamp)) == 401


def test_both_secrets_are_taken_while_one_is_being_changed():
    stage = Stage(LOCKSTEP_BRAND_WEBHOOK_SECRETS="old-secret-1 new-secret-2")
    body, now = hook("1001"), stage.clock.now()
    assert [code(stage, body, sign(body, now, s)) for s in ("old-secret-1", "new-secret-2", "other")] == [200, 200, 401]
    assert code(stage, body, sign(body, now, "")) == 401


def test_an_instance_without_a_secret_takes_nothing():
    stage = Stage(LOCKSTEP_BRAND_WEBHOOK_SECRETS="")
    body = hook("1001")
    assert code(stage, body, sign(body, stage.clock.now(), "")) == 401
    assert stage.rows() == []


def test_another_instances_secret_opens_nothing():
    stage = Stage(
        LOCKSTEP_CENTRA="brand other",
        LOCKSTEP_OTHER_URL="https://other.test",
        LOCKSTEP_OTHER_TOKEN="t",
        LOCKSTEP_OTHER_WEBHOOK_SECRETS="other-secret",
    )
    body, now = hook("1001"), stage.clock.now()
    assert code(stage, body, sign(body, now, "other-secret"), path="/centra/brand") == 401
    assert code(stage, body, sign(body, now, SECRET), path="/centra/other") == 401
    assert stage.rows() == []
    assert code(stage, body, sign(body, now, "other-secret"), path="/centra/other") == 200
    assert [row.instance for row in stage.rows()] == ["other"]


@pytest.mark.parametrize("encode", [quote, quote_plus, lambda text: quote(text, safe="~!*'()")])
def test_the_bytes_as_received_are_what_was_signed(stage, encode):
    payload = json.dumps({"note": "it's ~5! (*new*) é", "events": [{"id": "1001", "type": "order"}]})
    body = b"payload=" + encode(payload).encode()
    assert code(stage, body, sign(body, stage.clock.now())) == 200
    other = b"payload=" + quote(payload, safe="/ ").encode()
    assert code(stage, other, sign(body, stage.clock.now())) == 401


MALFORMED = [
    b"", b"payload", b"payload=", b"other=1", b"payload=%7B", b"payload=1&payload=2", b"payload=[]", b"payload=null",
    b'payload="x"', b"payload=1", b"payload={}", b'payload={"events":{}}', b'payload={"events":[1]}',
    b'payload={"events":[null]}', b'payload={"events":"x"}', b'{"events":[]}', b"\xff\xfe", b"payload=\xc3\xa9",
    b"payload=" + b"[" * 100_000, b'payload={"events":[],"events":[]}', b'payload={"events":[],"x":NaN}',
    b'payload={"events":[],"x":1e99999999999999999999}', b'payload={"events":[],"x":' + b"1" * 5_000 + b"}",
    b"a=1&b=2&c=3&d=4&payload={}", hook(*range(1, 1_002)),
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_a_signed_body_that_is_no_webhook_is_400_and_leaves_nothing(shared, body):
    before = len(shared.rows())
    assert code(shared, body, sign(body, shared.clock.now())) == 400
    assert len(shared.rows()) == before


BAD_IDS = [
    None, True, False, -1, 1.5, "1.5", "", " ", "../../etc", "1; DROP TABLE job", "1" * 13, 10**12, 10**18, [], {}, "٣", "²",
    "1\u200b", "\u202e1", "1\n", "0x1", "1e3", "x" * 100_000, ["1"], {"id": 1},
]  # fmt: skip


@pytest.mark.parametrize("number", BAD_IDS, ids=range(len(BAD_IDS)))
def test_an_id_that_is_not_an_id_is_refused_with_all_its_company(shared, number):
    before = len(shared.rows())
    body = hook("555", number)
    assert code(shared, body, sign(body, shared.clock.now())) == 400
    assert len(shared.rows()) == before


def test_other_kinds_of_document_are_passed_over(stage):
    body = hook("1001", kind="product")
    assert code(stage, body, sign(body, stage.clock.now())) == 200
    assert stage.rows() == []


def test_a_number_is_the_same_with_leading_zeros(stage):
    body = hook("007", 7, "7")
    assert code(stage, body, sign(body, stage.clock.now())) == 200
    assert [row.number for row in stage.rows()] == ["7"]


def test_a_return_is_marked_and_a_shipment_whose_order_nobody_can_tell_is_passed_over(stage):
    for kind, rows in (("return", 2), ("shipment", 0), ("customer", 0), ("account", 0)):
        body = hook(315, 316, kind=kind)
        assert code(stage, body, sign(body, stage.clock.now())) == 200
        assert len(stage.rows(kind)) == rows
    assert [row.number for row in stage.rows("return")] == ["315", "316"]
    assert {key.kind for _, key in stage.queue} == {"return"}


def test_a_full_webhook_of_a_thousand_events_is_taken(stage):
    body = hook(*range(1, 1_001))
    assert code(stage, body, sign(body, stage.clock.now())) == 200
    assert len(stage.rows()) == 1_000


class Endless:
    """A body that never ends; it says how much of it was read."""

    def __init__(self):
        self.taken = 0

    def read(self, size):
        assert size >= 0
        self.taken += size
        return b"x" * size


@pytest.mark.parametrize("length", [str(webhooks.MAX_BODY + 1), "50000000", "9" * 5_000, "²", "-1", "1.5", "abc"])
def test_a_body_said_to_be_too_large_is_refused_unread(shared, length):
    endless = Endless()
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/centra/brand", "wsgi.input": endless, "CONTENT_LENGTH": length}
    told = []
    list(Receiver(shared.world)(environ, lambda status, headers: told.append(status)))
    assert told[0].startswith("413")
    assert endless.taken == 0


def test_a_body_without_a_length_is_read_no_further_than_the_cap(shared):
    endless = Endless()
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/centra/brand", "wsgi.input": endless}
    told = []
    list(Receiver(shared.world)(environ, lambda status, headers: told.append(status)))
    assert told[0].startswith("413")
    assert endless.taken == webhooks.MAX_BODY + 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.binary(max_size=200), st.booleans())
def test_no_bytes_make_it_fail_or_store_anything(shared, body, header, signed):
    before = len(shared.rows())
    status = code(shared, body, sign(body, shared.clock.now()) if signed else header)
    assert status == (400 if signed else 401)
    assert len(shared.rows()) == before


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["events", "id", "type"]), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_no_signed_json_makes_it_fail(shared, payload):
    body = urlencode({"payload": json.dumps(payload)}).encode()
    assert code(shared, body, sign(body, shared.clock.now())) in (200, 400)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "post", ""])
def test_only_post_is_taken(shared, method):
    body = hook("1001")
    assert code(shared, body, sign(body, shared.clock.now()), method=method) == 405


@pytest.mark.parametrize(
    "path", ["/", "", "/centra", "/centra/", "/centra/nobody", "/centra/brand/", "/centra/brand/x", "/CENTRA/brand"]
)
def test_there_are_no_other_doors(shared, path):
    body = hook("1001")
    assert code(shared, body, sign(body, shared.clock.now()), path=path) == 404


def test_a_thousand_duplicates_are_one_row_and_one_fetch(stage):
    number = stage.order()
    body = hook(number)
    header, receiver = sign(body, stage.clock.now()), Receiver(stage.world)
    for _ in range(1_000):
        assert code(stage, body, header, receiver=receiver) == 200
    assert receiver.counts == {"received": 1_000}
    (row,) = stage.rows()
    assert row.dirty_seq == 1_000
    before = stage.transport.requests
    link, key = stage.queue[0]
    stage.queue.clear()
    stage.queue.append((link, key))
    stage.work()
    assert stage.row(number).clean_seq == 1_000
    assert stage.transport.requests - before == 5  # fetched, SKUs looked up, posted, read back: sale and lines


def broken(stage):
    """A stage whose database is gone, and the way to bring it back."""
    engine = stage.store.engine
    from integration.store import _engine

    stage.store.engine = _engine("sqlite:////nowhere/at/all.db")

    def mend():
        stage.store.engine = engine

    return mend


@pytest.mark.scenario("PLT-16")
def test_without_a_database_nothing_is_promised_and_the_poll_finds_what_was_not(stage):
    number = stage.order()
    body = hook(number)
    mend = broken(stage)
    status, headers, answer = post(stage, body, sign(body, stage.clock.now()))
    assert (status, headers["Retry-After"]) == (503, "10")
    assert b"nowhere" not in answer
    assert code(stage, b"", None, path="/healthz", method="GET") == 503
    assert not stage.queue
    mend()
    assert stage.rows() == []
    stage.sweep(8)
    assert stage.row(number).state == "proven"
    assert len(stage.sales(number)) == 1


def test_health_is_the_ledgers(shared):
    assert post(shared, b"", None, path="/healthz", method="GET")[::2] == (200, b"ok\n")


def test_every_answer_is_counted_by_its_reason(stage):
    receiver, body, now = Receiver(stage.world), hook("1001"), stage.clock.now()
    code(stage, body, sign(body, now), receiver=receiver)
    code(stage, body, b"", receiver=receiver)
    code(stage, b"x", sign(b"x", now), receiver=receiver)
    code(stage, body, b"", method="GET", receiver=receiver)
    code(stage, body, b"", path="/x", receiver=receiver)
    assert receiver.counts == {"received": 1, "forged": 1, "malformed": 1, "method": 1, "no such door": 1}
