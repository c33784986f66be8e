"""What a step test looks at: the open case of an order, the calls a system got, and the mapping with a row missing."""

from decimal import Decimal
from typing import Any

from sqlalchemy import select
from stage import MAPPINGS, Stage, example

from integration.domain.order import Key
from integration.store import documents, effects, exceptions, ledger, proofs
from integration.store.tables import arrival, attempt
from mappings import playbook

TEXT = example(stock=False)
PLAYBOOK = playbook(MAPPINGS)


def case_of(stage: Stage, number: str) -> Any:
    """The one open case of an order."""
    (found,) = [row for row in stage.open_cases() if row.number == number]
    return found


def assert_case(stage: Stage, number: str, type: str) -> Any:
    """The order is dead, and its one open case has this type and the playbook's owner and clock."""
    found = case_of(stage, number)
    assert (found.type, stage.row(number).state) == (type, "dead"), found.message
    rule = PLAYBOOK.rule(type)
    assert found.owner == rule.owner
    assert (found.act_by - found.opened_at).total_seconds() == rule.act_within_minutes * 60
    return found


def assert_proven(stage: Stage, *numbers: str) -> None:
    """Each order is one living sale of the same amount, with an equal proof, and no case is open for it."""
    opened = {row.number: row.message for row in stage.open_cases()}
    for number in numbers:
        row = stage.row(number)
        assert row.state == "proven", f"{number}: {row.state}: {row.reason}"
        (sale,) = [s for s in stage.sales(number) if s["state"] != "cancel"]
        assert row.erp_ref == str(sale["id"])
        with stage.store.read() as tx:
            assert proofs.latest(tx, row.id).equal
            assert proofs.broken(tx) == []
        assert number not in opened


def run_feed(stage: Stage, name: str, system: str = "brand") -> None:
    from tasks import feed

    feed.run_feed(feed.FEEDS[name], system, stage.world)


def created(stage: Stage, number: str) -> int:
    """How often Fulfil's books say that a sale was made for an order."""
    made = stage.fulfil.books()["effects"]
    return sum(e["model"] == "sale.sale" and e["channel_identifier"] == f"centra-{number}" for e in made)


def asked_to_create(stage: Stage) -> int:
    """How often create_order was called at all."""
    return int(stage.fulfil.requests["create_order"])


def book(stage: Stage, number: str) -> dict[str, Any]:
    """Centra's own book of an order."""
    return next(b for b in stage.centra.books() if str(b["number"]) == number)


def total(stage: Stage, number: str) -> Decimal:
    """What Fulfil's one sale of an order comes to."""
    (sale,) = stage.sales(number)
    return Decimal(sale["total"])


def arrivals(stage: Stage, number: str) -> dict[str, int]:
    with stage.store.read() as tx:
        job = ledger.find(tx, Key("brand", "order", number))
        return {row.source: row.count for row in tx.execute(select(arrival).where(arrival.c.job_id == job.id))}


def attempts(stage: Stage, number: str) -> list[tuple[str, str]]:
    """(link, outcome) of every attempt at an order, in order."""
    with stage.store.read() as tx:
        job = ledger.find(tx, Key("brand", "order", number))
        rows = tx.execute(select(attempt).where(attempt.c.job_id == job.id).order_by(attempt.c.id))
        return [(row.link, row.outcome) for row in rows]


def sent(stage: Stage, number: str) -> Any:
    """The effect row of an order's sale."""
    job = stage.row(number)
    with stage.store.read() as tx:
        return effects.of(tx, job.id, "sales order")


def evidence(stage: Stage, case: Any) -> str:
    """The other system's own words about a case, from the vault."""
    with stage.store.read() as tx:
        return documents.by_id(tx, stage.world.vault, case.document_id).decode()


def history(stage: Stage, case_id: int) -> list[tuple[str, str]]:
    with stage.store.read() as tx:
        return [(row.verb, row.note) for row in exceptions.timeline(tx, case_id)]


def case_by_id(stage: Stage, case_id: int) -> Any:
    with stage.store.read() as tx:
        return exceptions.one(tx, case_id)


def without(line: str, *, text: str = TEXT) -> str:
    """The mapping without its first line that begins so."""
    lines = text.splitlines(keepends=True)
    at = next(i for i, told in enumerate(lines) if told.startswith(line))
    return "".join(lines[:at] + lines[at + 1 :])


def without_market(name: str, *, text: str = TEXT) -> str:
    """The mapping without a market and its carriers."""
    kept, dropping = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            dropping = line.rstrip() in (f'[markets."{name}"]', f'[carriers."{name}"]')
        if not dropping:
            kept.append(line)
    return "".join(kept)
