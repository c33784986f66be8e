"""Fulfil's inventory webhook at the receiver: proof, shape, and that a message is a hint and never a figure."""

import base64
import hashlib
import hmac
import io
import json

import pytest
from fulfil_client import verify_webhook
from sqlalchemy import select
from stage import Stage

from integration.erp.fulfil import webhooks
from integration.store import _engine
from integration.store.tables import level
from integration.web import Receiver

SECRET, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (7, 9))
SKU = "LS101NVS"


def stage_with(**more):
    return Stage(stock=True, **{"LOCKSTEP_FULFIL_WEBHOOK_SECRETS": SECRET, **more})


@pytest.fixture(scope="module")
def shared():
    """A stage for tests that leave no row behind."""
    return stage_with()


@pytest.fixture
def stage():
    return stage_with()


def sign(body, secret=SECRET):
    return base64.b64encode(hmac.new(base64.b64decode(secret), body, hashlib.sha256).digest()).decode()


def told_of(*skus, available=3):
    events = [
        {
            "timestamp": "2026-05-04T09:00:00.296368",
            "product_id": 3697 + n,
            "product_code": sku,
            "warehouse_quantities": [
                {"warehouse_id": 4, "warehouse_code": "LON", "quantity_on_hand": 9, "quantity_available": available}
            ],
            "listing_quantities": [],
        }
        for n, sku in enumerate(skus)
    ]
    return json.dumps(events).encode()


def post(stage, body, signature=None, *, path="/fulfil/fulfil", method="POST", event=webhooks.EVENT, receiver=None):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO(body)}
    environ |= {"CONTENT_LENGTH": str(len(body)), "HTTP_X_FULFIL_EVENT": event}
    if signature is not None:
        environ["HTTP_X_FULFIL_HMAC_SHA256"] = signature
    told = []
    answer = b"".join((receiver or Receiver(stage.world))(environ, lambda status, headers: told.append(status)))
    return int(told[0].split()[0]), answer


def code(*args, **terms):
    return post(*args, **terms)[0]


def hinted(stage):
    with stage.store.read() as tx:
        return {row.sku for row in tx.execute(select(level.c.sku))}


def test_the_vendors_own_client_agrees_with_our_signature():
    body = told_of(SKU)
    assert verify_webhook(body.decode(), SECRET, sign(body))
    webhooks.verify(sign(body).encode(), body, [SECRET], unsigned=False)
    for wrong in (body + b" ", body[:-1], body.replace(b"3", b"4")):
        with pytest.raises(webhooks.Forged):
            webhooks.verify(sign(body).encode(), wrong, [SECRET], unsigned=False)


def test_a_signed_hint_is_committed_before_it_is_answered_and_rung_after(stage):
    body = told_of(SKU, "LS106NVM")
    passed = []
    stage.world.point = lambda name: passed.append((name, hinted(stage), len(stage.queue)))
    assert code(stage, body, sign(body)) == 200
    assert passed == [("webhook.committed", {SKU, "LS106NVM"}, 0)]
    assert [(link, key.kind, key.number) for link, key in stage.queue] == [("take", "stock", "fulfil")]


@pytest.mark.parametrize(
    "signature",
    [None, "", "x", "a" * 44, sign(b"other"), sign(told_of(SKU), OTHER), "é" * 44, sign(told_of(SKU)) + " x"],
)
def test_a_signature_that_is_not_exactly_right_is_refused_alike(shared, signature):
    assert post(shared, told_of(SKU), signature) == (401, b"not authorised\n")
    assert hinted(shared) == set()
    assert not shared.queue


def test_several_secrets_are_taken_while_one_is_being_changed():
    stage = stage_with(LOCKSTEP_FULFIL_WEBHOOK_SECRETS=f"not-base64! {SECRET} {OTHER}")
    body = told_of(SKU)
    assert [code(stage, body, sign(body, secret)) for secret in (SECRET, OTHER)] == [200, 200]
    assert code(stage, body, sign(body, base64.b64encode(b"third").decode())) == 401


def test_an_unsigned_message_is_taken_only_where_the_connection_says_so_and_a_wrong_signature_never_is():
    body = told_of(SKU)
    assert code(stage_with(LOCKSTEP_FULFIL_UNSIGNED_WEBHOOKS="no"), body) == 401
    loose = stage_with(LOCKSTEP_FULFIL_UNSIGNED_WEBHOOKS="yes")
    assert code(loose, body) == 200
    assert code(loose, body, sign(body, OTHER)) == 401
    without = stage_with(LOCKSTEP_FULFIL_UNSIGNED_WEBHOOKS="yes", LOCKSTEP_FULFIL_WEBHOOK_SECRETS="")
    assert [code(without, body), code(without, body, sign(body))] == [200, 401]


@pytest.mark.parametrize(
    "path",
    ["/fulfil/", "/fulfil", "/fulfil/other", "/fulfil/brand", "/fulfil/Fulfil", "/fulfil/fulfil/", "/fulfil/../fulfil"],
)
def test_a_door_that_nobody_opened_is_not_there(shared, path):
    body = told_of(SKU)
    assert code(shared, body, sign(body), path=path) == 404
    assert code(Stage(), body, sign(body)) == 404  # neither a secret nor the word that none is needed


def test_a_setting_that_cannot_be_read_closes_the_door(shared):
    stage = stage_with(LOCKSTEP_FULFIL_UNSIGNED_WEBHOOKS="perhaps")
    assert code(stage, told_of(SKU), sign(told_of(SKU))) == 404


def test_only_post_is_taken(shared):
    assert code(shared, b"", method="GET") == 405


MALFORMED = {
    "not JSON": b"[{",
    "an object": b'{"product_code": "LS101NVS"}',
    "not an event": b'["LS101NVS"]',
    "no code": b'[{"product_id": 1}]',
    "a number": b'[{"product_code": 12}]',
    "empty": b'[{"product_code": ""}]',
    "endless": json.dumps([{"product_code": "x" * 129}]).encode(),
    "NUL": b'[{"product_code": "a\\u0000b"}]',
    "half a character": b'[{"product_code": "\\ud800"}]',
    "too many": json.dumps([{"product_code": "x"}] * 1001).encode(),
    "twice": b'[{"product_code": "a", "product_code": "b"}]',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_signed_and_unreadable_is_400_and_leaves_nothing(shared, name):
    body = MALFORMED[name]
    if name == "no code":
        assert code(shared, body, sign(body)) == 200  # a product without a code has no level of ours
    else:
        assert code(shared, body, sign(body)) == 400
    assert hinted(shared) == set()


def test_a_body_larger_than_any_webhook_is_not_read(shared):
    body = b" " * (webhooks.MAX_BODY + 1)
    assert code(shared, body, sign(body)) == 413


def test_another_event_is_acknowledged_and_marks_nothing(shared):
    body = told_of(SKU)
    assert code(shared, body, sign(body), event="sale.sale.created") == 200
    assert code(shared, b"[]", sign(b"[]")) == 200
    assert hinted(shared) == set()


def test_while_the_ledger_is_away_the_message_is_to_come_again(stage):
    engine = stage.store.engine
    stage.store.engine = _engine("sqlite:////nowhere/at/all.db")
    body = told_of(SKU)
    assert code(stage, body, sign(body)) == 503
    assert not stage.queue
    stage.store.engine = engine
    assert code(stage, body, sign(body)) == 200
    assert hinted(stage) == {SKU}


@pytest.mark.scenario("STK-04")
def test_messages_in_any_order_and_twice_are_one_look_and_no_figure_of_theirs_is_kept(stage):
    receiver = Receiver(stage.world)
    for available in (5, 9, 9):
        body = told_of(SKU, available=available)
        assert code(stage, body, sign(body), receiver=receiver) == 200
    with stage.store.read() as tx:
        rows = tx.execute(select(level).where(level.c.sku == SKU)).all()
    assert rows
    assert {(row.state, row.figure, row.physical, row.desired, row.pushed) for row in rows} == {("hinted", *[None] * 4)}
    assert len({key for _, key in stage.queue}) == 1


def test_the_sandboxs_own_deliveries_are_taken(stage):
    receiver, answers = Receiver(stage.world), []

    def deliver(url, body, headers, timeout):
        answers.append(
            code(stage, body, headers.get("X-Fulfil-Hmac-SHA256"), event=headers["X-Fulfil-Event"], receiver=receiver)
        )
        return answers[-1]

    stage.fulfil._webhooks._deliver = deliver
    erp = stage.world.erp("fulfil")
    hook = {"event": webhooks.EVENT, "url": "https://us.test/fulfil/fulfil", "secret": SECRET}
    erp.client.call("ir.webhook", "create", [[hook]], lane="stock", writes=True)
    stage.fulfil.adjust(SKU, 7, 4)
    stage.fulfil.faults.plan("webhook-forged", operation="webhook")
    stage.fulfil.adjust("LS106NVM", 5, 4)
    stage.clock.sleep(10)
    assert sorted(answers) == [200, 200, 401]
    assert hinted(stage) == {SKU, "LS106NVM"}
