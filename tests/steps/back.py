"""What a test of returns and refunds does and looks at: goods and money that come back, and what both systems say of them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from stage import Stage
from steps.looking import PLAYBOOK, TEXT, book, run_feed
from steps.parcels import bought, shipped

from integration.domain.order import Key
from integration.store import effects, ledger, proofs
from integration.store.tables import arrival, attempt, job, unit


def sold(stage: Stage, *pieces: int, **terms: Any) -> str:
    """An order of so many pieces of SKU after SKU that has left the warehouse, been shown and been paid for."""
    number = bought(stage, *pieces, **terms)
    shipped(stage, number)
    stage.clock.sleep(10)
    follow(stage)
    return number


def follow(stage: Stage, times: int = 3) -> None:
    """Everybody is asked what came back, and what is due is done."""
    for feed, system in (("announced", "brand"), ("receipts", "fulfil"), ("refunds", "brand"), ("memos", "fulfil")):
        run_feed(stage, feed, system)
    stage.sweep(times, every=5)


def send_back(stage: Stage, number: str, items: Mapping[int, int] | None = None, **terms: Any) -> str:
    """The customer announces pieces of an order (by the SKU's place; one of the first); the return's number."""
    wanted = {stage.sku(n): quantity for n, quantity in (items or {0: 1}).items()}
    (made,) = stage.centra.return_items(int(number), wanted, **terms)
    return str(made)


def come_back(stage: Stage, number: str, dispositions: Any = "restock", **terms: Any) -> None:
    """The warehouse receives a return and inspects it at once; the ledger hears of it."""
    stage.fulfil.receive_return(f"return-{number}", dispositions, **terms)
    follow(stage)


def paid_back(stage: Stage, number: str, amount: str, note: str = "goodwill") -> None:
    """Money without goods, and it has settled."""
    stage.centra.refund(int(number), Decimal(amount), note)
    stage.clock.sleep(10)


def refund_return(stage: Stage, made: str) -> None:
    stage.centra.refund_return(int(made))
    stage.clock.sleep(10)


def at_the_provider(stage: Stage, number: str, kind: str, amount: str) -> None:
    """Money that moved without Centra's doing and stands in its history; nobody is told."""
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        stage.centra.book.payments.entry(order, kind, "SUCCESS", Decimal(amount))
        stage.centra.book.note(order, f"{kind} {amount}")


def fail(stage: Stage, number: str) -> None:
    """The provider takes back what it said of an order's refunds."""
    order = stage.centra.book.find(int(number))
    with stage.centra.guard:
        for entry in order.payments:
            if entry.entry_type.startswith("REFUND"):
                entry.status = "FAILED"
        stage.centra.book.note(order, "refund failed")
    stage.clock.sleep(60)


def row_of(stage: Stage, kind: str, number: str) -> Any:
    with stage.store.read() as tx:
        return ledger.find(tx, Key("brand", kind, number))


def goods_row(stage: Stage, number: str) -> Any:
    """The job row of a return."""
    return row_of(stage, "return", number)


def money_rows(stage: Stage, order_number: str) -> list[Any]:
    """The job rows of an order's refunds, oldest first."""
    these = (job.c.kind == "refund", job.c.order_number == order_number)
    with stage.store.read() as tx:
        return list(tx.execute(select(job).where(*these).order_by(job.c.occurred_at, job.c.id)).all())


def money_row(stage: Stage, order_number: str) -> Any:
    """The one refund of an order."""
    (found,) = money_rows(stage, order_number)
    return found


def cases_of(stage: Stage, row: Any) -> list[Any]:
    return [case for case in stage.open_cases() if case.job_id == row.id]


def the_case(stage: Stage, row: Any, type: str) -> Any:
    """The one open case of a row: of this type, with the playbook's owner and clock."""
    (found,) = cases_of(stage, row)
    rule = PLAYBOOK.rule(type)
    assert (found.type, found.owner) == (type, rule.owner), found.message
    assert (found.act_by - found.opened_at).total_seconds() == rule.act_within_minutes * 60
    return found


def dead(stage: Stage, row: Any, type: str) -> Any:
    """The same for a row that stands still."""
    assert row.state == "dead", row.reason
    return the_case(stage, row, type)


def back(stage: Stage, *numbers: str) -> None:
    """Each return is done, and nothing is open about it."""
    for number in numbers:
        row = goods_row(stage, number)
        assert row.state == "proven", f"return {number}: {row.state}: {row.reason}"
        assert cases_of(stage, row) == []


def credited(stage: Stage, row: Any, amount: str) -> dict[str, Any]:
    """The refund is one posted memo of this amount, proved part by part, and nothing is open about it; Fulfil's own book."""
    assert row.state == "proven", f"{row.number}: {row.state}: {row.reason}"
    (memo,) = memos(stage, row.number)
    assert (memo["state"], Decimal(memo["total"])) == ("posted", -Decimal(amount))
    assert row.erp_ref == str(memo["id"])
    with stage.store.read() as tx:
        assert proofs.latest(tx, row.id).equal
        assert proofs.broken(tx) == []
    assert cases_of(stage, row) == []
    return memo


def memos(stage: Stage, refund_number: str) -> list[dict[str, Any]]:
    """Fulfil's own books of the memos under our reference, cancelled ones left out."""
    invoices = stage.fulfil.books()["invoices"]
    return [i for i in invoices if i["reference"] == f"refund-{refund_number}" and i["state"] != "cancel"]


def all_memos(stage: Stage) -> list[dict[str, Any]]:
    """Every credit that Fulfil has booked or drafted, whoever made it."""
    invoices = stage.fulfil.books()["invoices"]
    return [i for i in invoices if Decimal(i["total"]) < 0 and i["state"] != "cancel"]


def return_sales(stage: Stage, number: str) -> list[dict[str, Any]]:
    """Fulfil's own books of the return sales under our reference."""
    return [s for s in stage.fulfil.books()["sales"] if s["channel_identifier"] == f"return-{number}"]


def centra_return(stage: Stage, order_number: str, number: str) -> dict[str, Any]:
    """Centra's own book of a return."""
    return next(made for made in book(stage, order_number)["returns"] if str(made["id"]) == number)


def completed(stage: Stage, order_number: str, number: str) -> bool:
    return bool(centra_return(stage, order_number, number)["completed_at"])


def in_centra(stage: Stage, n: int = 0) -> int:
    """Pieces of a SKU that Centra counts as physically there, over all its warehouses."""
    return int(stage.centra.ledger()["stock"][stage.sku(n)]["physical"])


def in_fulfil(stage: Stage, n: int = 0, figure: str = "available") -> float:
    """Pieces of a SKU that Fulfil has, over all its warehouses."""
    return float(stage.fulfil.books()["stock"][stage.sku(n)][figure])


def units(stage: Stage, row: Any) -> dict[str, int]:
    """The pieces that the ledger counts for a row."""
    with stage.store.read() as tx:
        rows = tx.execute(select(unit).where(unit.c.job_id == row.id))
        return {each.sku: each.quantity for each in rows}


def effect_of(stage: Stage, row: Any, name: str) -> Any:
    with stage.store.read() as tx:
        return effects.of(tx, row.id, name)


def tried(stage: Stage, row: Any) -> list[tuple[str, str]]:
    """(link, outcome) of every attempt at a row, in order."""
    with stage.store.read() as tx:
        rows = tx.execute(select(attempt).where(attempt.c.job_id == row.id).order_by(attempt.c.id))
        return [(each.link, each.outcome) for each in rows]


def stand(stage: Stage, key: Key, **columns: Any) -> None:
    """Put a row where a test needs it to stand."""
    with stage.store.write() as tx:
        tx.execute(update(job).where(job.c.kind == key.kind, job.c.number == key.number).values(**columns))


def run_link(stage: Stage, link: str, key: Key) -> None:
    """One link of a document's chain, and no other."""
    from tasks import step

    step.run(step.LINKS[key.kind, link], key, stage.world, task_id=f"{link}-{key.number}")


def by_hand(stage: Stage, model: str, id: object, act: str, words: dict[str, Any] | None = None) -> Any:
    """What a person does in the ERP, by the same door as everybody."""
    return stage.world.erp("fulfil").client.act(model, str(id), act, words, lane="finance")


def goods_line(stage: Stage, number: str) -> Any:
    """The ERP's id of the first line of goods of an order."""
    client = stage.world.erp("fulfil").client
    domain = [["sale", "=", stage.sales(number)[0]["id"]], ["product", "!=", None]]
    return next(client.search_read("sale.line", domain, ("quantity",), lane="finance"))["id"]


def told_by(stage: Stage, row: Any) -> set[str]:
    """Who told of a row."""
    with stage.store.read() as tx:
        return set(tx.execute(select(arrival.c.source).where(arrival.c.job_id == row.id)).scalars())


def with_rule(table: str, line: str, *, text: str = TEXT) -> str:
    """The mapping with one line of a table replaced: `announce = "off"` of [returns]."""
    name = line.partition(" = ")[0]
    head, mark, rest = text.partition(f"\n[{table}]\n")
    lines = rest.splitlines(keepends=True)
    at = next(i for i, told in enumerate(lines) if told.startswith(f"{name} ="))
    return head + mark + "".join([*lines[:at], f"{line}\n", *lines[at + 1 :]])
