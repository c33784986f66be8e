"""One customer with unique words in every field goes through everything that can go wrong: they are found in the vault only."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import select, text
from stage import Stage

from integration import telemetry
from integration.sandbox.centra_orders import ADDRESS_FIELDS
from integration.store import documents, exceptions
from integration.store.tables import document, job, metadata
from tasks import feed

CANARIES = {name: f"canary-{name.lower()}-7f3a9" for name in ADDRESS_FIELDS} | {
    "email": "canary-email-7f3a9@example.com",
    "comment": "canary-comment-7f3a9",
}
WORDS = sorted({*CANARIES.values(), "canary-customer-7f3a9@example.com", "canary-second-7f3a9"})


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Every log line, as production writes it."""
    out = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield out
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def listen(stage: Stage, out: io.StringIO) -> None:
    telemetry.configure(stage.settings, level=logging.DEBUG)
    (handler,) = logging.getLogger().handlers
    handler.setStream(out)


def place(stage: Stage, **terms: object) -> str:
    address = {name: CANARIES[name] for name in ADDRESS_FIELDS}
    more = {"address": address, "email": "canary-customer-7f3a9@example.com", "comment": CANARIES["comment"]}
    return stage.order(**(more | terms))


def everything_that_can_go_wrong(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Orders of the one customer: proven, refused with evidence, bug, in doubt, edited, cancelled, inconsistent."""
    faults = stage.fulfil.faults
    numbers = []

    def play(fault: str = "", **terms: object) -> str:
        if fault:
            faults.plan(fault, operation="create_order")
        numbers.append(place(stage, **terms))
        stage.hint(numbers[-1])
        stage.work()
        if fault:
            assert faults.fired[fault]
        return numbers[-1]

    play()
    edited, cancelled = play(), play()
    for fault in ("user-error", "timeout-after", "error-before", "channel-exception", "recalculated"):
        play(fault)
    play(off_by=1)
    play(market_id=7, country="NO")
    with monkeypatch.context() as broken:

        def echo(store: object, erp: object, skus: object) -> None:
            raise ValueError(f"cannot deliver to {' '.join(WORDS)}")

        broken.setattr("integration.items.require", echo)
        play()
        stage.sweep(2)
    refused = stage.fulfil._routes._orders._form.read

    def rude(channel: object, order: object) -> object:
        from integration.sandbox.fulfil_wire import user_error

        raise user_error(f"Cannot ship to {json.dumps(order, default=str)}")

    stage.fulfil._routes._orders._form.read = rude
    play()
    stage.fulfil._routes._orders._form.read = refused
    stage.clock.sleep(5)
    stage.centra.edit(int(edited), shippingAddress={"city": "canary-second-7f3a9"})
    stage.centra.cancel(int(cancelled), "canary-comment-7f3a9")
    stage.hint(edited, cancelled)
    stage.work()
    stage.sweep(12)
    with stage.store.read() as tx:
        found = {row.type for row in exceptions.listed(tx)}
    assert found >= {"ORDER_REJECTED_BY_ERP", "DEAD_LETTER", "ORDER_EDIT_BLOCKED", "ORDER_TOTAL_INCONSISTENT"}
    assert {stage.row(number).state for number in numbers} >= {"proven", "dead", "cancelled"}
    return numbers


def traces(haystack: str | bytes) -> list[str]:
    raw = haystack.lower() if isinstance(haystack, bytes) else haystack.lower().encode()
    return [word for word in WORDS if word.encode() in raw]


@pytest.mark.scenario("SEC-02")
def test_a_customers_words_are_found_in_the_vault_and_nowhere_else(
    tmp_path: Path, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    listen(stage, lines)
    rung: list[str] = []
    ring = stage.world.ring
    stage.world.ring = lambda link, key: (rung.append(f"{link} {key!r}"), ring(link, key))[1]
    numbers = everything_that_can_go_wrong(stage, monkeypatch)

    for path in tmp_path.glob("lockstep.db*"):  # the main file, the log and its index, as bytes
        assert traces(path.read_bytes()) == [], path.name
    with stage.store.read() as tx:
        for table in metadata.sorted_tables:
            for row in tx.execute(select(table)):
                assert traces(repr(tuple(row))) == [], f"{table.name}: {row}"
    logged = lines.getvalue()
    assert logged.count("\n") > 30
    assert '"link"' in logged
    assert traces(logged) == []
    assert len(rung) > 10
    assert traces("\n".join(rung)) == []
    _open_the_vault(stage, numbers)
    stage.store.close()


def _open_the_vault(stage: Stage, numbers: list[str]) -> None:
    """It does hold them: every field of every order, and what Fulfil and our own bug said about it."""
    opened = b""
    with stage.store.read() as tx:
        rows = tx.execute(select(document.c.id, document.c.kind, job.c.number).join(job, job.c.id == document.c.job_id))
        kinds: dict[str, set[str]] = {}
        for id, kind, number in rows.all():
            opened += documents.by_id(tx, stage.world.vault, id)
            kinds.setdefault(kind, set()).add(number)
    assert kinds["order"] == set(numbers)
    assert kinds["evidence"]
    carried = {
        "firstName",
        "lastName",
        "companyName",
        "address1",
        "address2",
        "city",
        "zipCode",
        "email",
        "phoneNumber",
    }
    for name in sorted(carried):
        assert CANARIES[name].encode() in opened, name
    assert b"canary-second-7f3a9" in opened
    assert b"Cannot ship to" in opened  # Fulfil's words, which name the customer
    assert b"cannot deliver to canary" in opened  # our own error's words


def test_a_customers_words_are_in_no_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = pytest.importorskip("tasks.desk.figures")
    stage = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    everything_that_can_go_wrong(stage, monkeypatch)
    reading = figures.read_figures(stage.world)
    assert reading.open_cases > 3
    assert "DEAD_LETTER" in repr(reading)
    assert traces(repr(reading)) == []
    stage.store.close()


def test_a_feed_that_stumbles_over_a_customers_words_does_not_repeat_them(
    tmp_path: Path, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    listen(stage, lines)

    def broken(*_: object) -> None:
        raise KeyError(" ".join(WORDS))

    monkeypatch.setattr("integration.intake.poll", broken)
    with pytest.raises(Exception) as raised:
        feed.run_feed(feed.FEEDS["poll"], "brand", stage.world)
    (case,) = stage.open_cases()
    assert case.type == "DEAD_LETTER"
    assert traces(repr(tuple(case))) == []
    assert traces(lines.getvalue()) == []
    assert traces(repr(raised.value)) == []  # it becomes a line of the worker's log and an event for Flower
    stage.store.close()


@pytest.mark.scenario("SEC-02")
def test_the_database_is_searched_rightly(tmp_path: Path) -> None:
    """The search would find a leak: one word is planted in plain sight."""
    stage = Stage(f"sqlite:///{tmp_path / 'lockstep.db'}")
    with stage.store.write() as tx:
        tx.execute(text("INSERT INTO heartbeat (process, at, note) VALUES ('x', '2026-01-01', 'canary-city-7f3a9')"))
    assert any(traces(path.read_bytes()) for path in tmp_path.glob("lockstep.db*"))
    stage.store.close()
