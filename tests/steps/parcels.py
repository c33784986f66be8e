"""What a shipment test does and looks at: orders that leave the warehouse, and what both systems say of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from stage import Stage
from steps.looking import PLAYBOOK, TEXT, book, run_feed

from integration.domain.order import Key
from integration.sandbox.centra_orders import BasketLine
from integration.store import effects, ledger, proofs
from integration.store.tables import attempt, job, unit

LINKS = ("take", "create", "capture", "complete", "prove")


def bought(stage: Stage, *pieces: int, **terms: Any) -> str:
    """An order of so many pieces of SKU after SKU, proved in the ERP."""
    lines = [BasketLine(stage.sku(n), quantity) for n, quantity in enumerate(pieces or (2,))]
    number = stage.order(lines=lines, **terms)
    stage.hint(number)
    stage.work()
    assert stage.row(number).state == "proven", stage.row(number).reason
    stage.clock.sleep(2)
    return number


def leave(
    stage: Stage,
    number: str,
    lines: Mapping[int, int] | None = None,
    tracking: Sequence[str] = ("1Z9",),
    service: str | None = None,
) -> str:
    """An order, or these pieces of it (by the SKU's place), leaves the warehouse; its newest dispatch's number in our ledger."""
    wanted = None if lines is None else {stage.sku(n): float(quantity) for n, quantity in lines.items()}
    (made,) = stage.fulfil.ship(f"centra-{number}", wanted, tracking, service)
    return f"fulfil-{made}"


def shipped(stage: Stage, number: str, lines: Mapping[int, int] | None = None, **terms: Any) -> str:
    """The same, and everything that follows from it has been done."""
    made = leave(stage, number, lines, **terms)
    follow(stage)
    return made


def follow(stage: Stage, times: int = 3) -> None:
    """The ERP is asked what left, and what is due is done."""
    run_feed(stage, "dispatches", "fulfil")
    stage.sweep(times, every=5)


def parcel(stage: Stage, made: str) -> Any:
    """The job row of a dispatch."""
    with stage.store.read() as tx:
        return ledger.find(tx, Key("brand", "shipment", made))


def case_of(stage: Stage, made: str, type: str) -> Any:
    """The one open case of a dispatch, which has this type and the playbook's owner and clock."""
    (found,) = [row for row in stage.open_cases() if row.number == made]
    rule = PLAYBOOK.rule(type)
    assert (found.type, found.owner) == (type, rule.owner), found.message
    return found


def dead(stage: Stage, made: str, type: str) -> Any:
    """The same for a dispatch that stands still."""
    assert parcel(stage, made).state == "dead", parcel(stage, made).reason
    return case_of(stage, made, type)


def told(stage: Stage, *mades: str) -> None:
    """Each dispatch is shown in Centra, equal, and nothing is open about it."""
    opened = {row.number: row.message for row in stage.open_cases()}
    for made in mades:
        row = parcel(stage, made)
        assert row.state == "proven", f"{made}: {row.state}: {row.reason}"
        with stage.store.read() as tx:
            assert proofs.latest(tx, row.id).equal
        assert made not in opened, opened[made]


def shown(stage: Stage, number: str) -> list[dict[str, Any]]:
    """Centra's own shipments of an order."""
    found: list[dict[str, Any]] = book(stage, number)["shipments"]
    return found


def goods(stage: Stage, number: str) -> list[dict[str, int]]:
    """SKU to pieces of each shipment of an order in Centra."""
    return [{line["sku"]: line["quantity"] for line in made["lines"]} for made in shown(stage, number)]


def mails(stage: Stage, number: str) -> int:
    """How often the customer was told that something left."""
    return sum(mail["kind"] == "shipped" for mail in book(stage, number)["emails"])


def taken(stage: Stage, number: str) -> list[int]:
    """Amounts that the provider took or is asked for, in minor units."""
    return [c["amount"] for c in book(stage, number)["captures"] if c["status"] != "FAILED"]


def asked(stage: Stage, operation: str) -> int:
    """How often Centra was asked for something."""
    return int(stage.centra.requests[operation])


def units(stage: Stage, made: str) -> dict[str, int]:
    """The pieces that the ledger counts for a dispatch."""
    id = parcel(stage, made).id
    with stage.store.read() as tx:
        rows = tx.execute(select(unit).where(unit.c.job_id == id))
        return {row.sku: row.quantity for row in rows}


def effect_of(stage: Stage, made: str, name: str) -> Any:
    id = parcel(stage, made).id
    with stage.store.read() as tx:
        return effects.of(tx, id, name)


def tried(stage: Stage, made: str) -> list[tuple[str, str]]:
    """(link, outcome) of every attempt at a dispatch, in order."""
    id = parcel(stage, made).id
    with stage.store.read() as tx:
        rows = tx.execute(select(attempt).where(attempt.c.job_id == id).order_by(attempt.c.id))
        return [(row.link, row.outcome) for row in rows]


def with_rule(line: str, *, text: str = TEXT) -> str:
    """The mapping with one line of [shipments] replaced: `capture = "elsewhere"`."""
    name = line.partition(" = ")[0]
    head, mark, rest = text.partition("\n[shipments]\n")
    lines = rest.splitlines(keepends=True)
    at = next(i for i, told_line in enumerate(lines) if told_line.startswith(f"{name} ="))
    return head + mark + "".join([*lines[:at], f"{line}\n", *lines[at + 1 :]])


def stand(stage: Stage, number: str, **columns: Any) -> None:
    """Put a job row where a test needs it to stand."""
    with stage.store.write() as tx:
        tx.execute(update(job).where(job.c.number == number).values(**columns))
