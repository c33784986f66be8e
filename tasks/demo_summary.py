"""The demo's end: what happened, held against both systems' own books, for a person and as one JSON object."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from integration.domain.money import Money
from integration.sandbox.catalogue import (
    FULFIL_BUILDINGS,
    FULFIL_WAREHOUSES,
    GOODS,
    UNMAPPED_MARKET,
    WAREHOUSE_OF_MARKET,
)
from integration.store import Store, counts
from integration.store.ledger import LIVES
from mappings import playbook
from tasks.books import Books, Ground
from tasks.inspection import inspect
from tasks.inspection_goods import inspect_goods, late_shipments, oversold, telling_times
from tasks.inspection_money import POSTED, by_currency, inspect_money, money, refunds_without_memo
from tasks.stack import Stack

TOLD_WITHIN = timedelta(minutes=30)
"""How soon a customer must hear of a dispatch, as the sandbox's mapping promises it."""


def ground() -> Ground:
    """The sandbox's own warehouses and bundles."""
    place = {house.id: FULFIL_WAREHOUSES[house.fulfil_id].code for house in FULFIL_BUILDINGS.values()}
    return Ground(
        building={market: place[house] for market, house in WAREHOUSE_OF_MARKET.items() if house in place},
        place=place,
        parts={sku: dict(good.parts) for sku, good in GOODS.items() if good.is_bundle},
        homeless=(UNMAPPED_MARKET,),
    )


def read_books(stack: Stack, store: Store) -> Books:
    """Everything as it stands now."""
    centra = stack.ask(stack.centra_url, "/_sandbox/books")
    whole = stack.ask(stack.centra_url, "/_sandbox/ledger")
    fulfil = stack.ask(stack.fulfil_url, "/_sandbox/books")
    with store.read() as tx:
        jobs, cases = [row for kind in LIVES for row in counts.all_of(tx, kind)], counts.open_cases(tx)
    return Books(centra, whole, fulfil, jobs, cases, ground())


def summary(stack: Stack, store: Store, seconds: float) -> dict[str, Any]:
    """Counts, cases with money and owner, and every invariant held against the sandbox's own books.

    Under "json" what `--json` prints; the rest is for the tables.
    """
    books = read_books(stack, store)
    orders = [job for job in books.jobs if job["kind"] == "order"]
    broken = inspect(books.centra, books.fulfil, orders, [case for case in books.cases if case["kind"] == "order"])
    broken |= inspect_goods(books) | inspect_money(books)
    broken["personal_data_only_in_the_vault"] = _leaks(stack, books)
    sums, late = money(books), late_shipments(books, TOLD_WITHIN)
    broken["shipments_told_in_time"] = late
    night = _night(books)
    broken["the_night_is_settled"] = [] if night["settled"] else _unsettled(books)
    states = Counter(str(job["state"]) for job in orders)
    with store.read() as tx:
        skus, pushed = counts.levels(tx)
    return {
        "json": {
            "ok": not any(broken.values()),
            "seen": len(orders),
            "proven": states["proven"],
            "waiting": states["held"],
            "cancelled": states["cancelled"],
            "shipments": sum(bool(shipment["shipped"]) for shipment in books.whole["shipments"]),
            "returns": sum(made["status"] == "COMPLETED" for made in books.whole["returns"]),
            "credit_memos": sum(memo["state"] in POSTED for memos in books.memos.values() for memo in memos),
            "stock": {"skus": skus, "pushed": pushed},
            "oversold_units": sum(oversold(books).values()),
            "shipments_late": len(late),
            "told_after_seconds": _percentiles(telling_times(books)),
            "refunds_without_memo": len(refunds_without_memo(books)),
            "money": by_currency(sums),
            "night": night,
            "exceptions": dict(Counter(str(case["type"]) for case in books.cases)),
            "invariants": {name: not sentences for name, sentences in broken.items()},
            "seconds": seconds,
        },
        "broken": broken,
        "cases": books.cases,
        "money": sums,
        "held": Counter(str(job["reason"]) for job in orders if job["state"] == "held"),
        "fired": {
            "Centra": stack.ask(stack.centra_url, "/_sandbox/faults")["fired"],
            "Fulfil": stack.ask(stack.fulfil_url, "/_sandbox/faults")["fired"],
        },
    }


def _percentiles(times: list[timedelta]) -> dict[str, float]:
    return {
        f"p{part}": round(times[min(len(times) - 1, len(times) * part // 100)].total_seconds(), 1)
        for part in (50, 95)
        if times
    }


def _night(books: Books) -> dict[str, Any]:
    days = [job for job in books.jobs if job["kind"] == "day"]
    return {"days": len(days), "settled": bool(days) and all(job["state"] == "proven" for job in days)}


def _unsettled(books: Books) -> list[str]:
    days = [job for job in books.jobs if job["kind"] == "day" and job["state"] != "proven"]
    return [f"{job['number']}: {job['state']}, {job['reason']}" for job in days] or ["no business day was counted"]


def _leaks(stack: Stack, books: Books) -> list[str]:
    """Customers' addresses found in a log, the broker's file or the ledger's own bytes."""
    emails = {str(order["email"]).encode() for order in books.centra if order.get("email")}
    found = []
    for path in sorted(stack.folder.rglob("*")):
        if path.is_file() and path.name != "sandbox.log":
            content = path.read_bytes()
            found += [f"{path.name}: a customer's e-mail" for email in emails if email in content]
    return found


def show(told: dict[str, Any], stack: Stack) -> None:
    """The summary for a person."""
    from rich.console import Console
    from rich.markup import escape

    console, words = Console(), told["json"]
    console.rule("[bold]The day is over, and the night after it")
    console.print(
        f"[bold]{words['seen']}[/] orders seen, [bold]{words['proven']}[/] posted and proved equal to the minor unit, "
        f"{words['cancelled']} cancelled in both, {words['waiting']} waiting, "
        f"{sum(words['exceptions'].values())} exceptions."
    )
    console.print(
        f"{words['shipments']} shipments told, {words['returns']} returns completed, {words['credit_memos']} credit memos; "
        f"stock of {words['stock']['skus']} SKUs kept, {words['stock']['pushed']} of them pushed; "
        f"{words['night']['days']} business day(s) counted in both systems."
    )
    console.print(
        f"Units oversold: {words['oversold_units']}. Shipments told late: {words['shipments_late']} "
        f"(seconds from leaving to being told: {words['told_after_seconds']}). "
        f"Refunds without memo: {words['refunds_without_memo']}."
    )
    for reason, count in told["held"].most_common():
        console.print(f"  waiting: {count} because {escape(reason)}")
    console.print(_table_of_cases(told["cases"]))
    console.print(_table_of_money(told["money"]))
    console.print(_table_of_promises(told["broken"]))
    console.print(f"Faults that fired: {told['fired']}. {words['seconds']} s.")
    for line in _addresses(stack, words["seen"]):
        console.print(line, soft_wrap=True, highlight=False)


def _addresses(stack: Stack, order: int) -> tuple[str, ...]:
    return (
        f"Flower with its pages: {stack.flower_url}/exceptions",
        f"  user demo, password {stack.flower_password}",
        f"At a shell: LOCKSTEP_CONFIG={_config(stack)} lockstep order {order}",
        f"Centra's books: {stack.centra_url}/_sandbox/books and /_sandbox/ledger",
        f"Fulfil's books: {stack.fulfil_url}/_sandbox/books",
    )


def _config(stack: Stack) -> Path:
    """The demo's settings as a file, so that `lockstep` can be typed at it."""
    path = stack.folder / "demo.conf"
    path.touch(mode=0o600)
    lines = [f"{name}={value}" for name, value in stack.environment.items() if name.startswith("LOCKSTEP_")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _table_of_cases(cases: Any) -> Any:
    from rich.markup import escape
    from rich.table import Table

    rules = playbook()
    table = Table("Exceptions by cause", "documents", "money at risk", "owner", title_justify="left")
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in cases:
        grouped.setdefault((case["type"], case["cause"]), []).append(case)
    for (type, cause), members in sorted(grouped.items()):
        minor = Counter[str]()
        for case in members:
            minor[case["currency"]] += case["money_minor"]
        worth = ", ".join(str(Money(amount, currency)) for currency, amount in sorted(minor.items()) if currency)
        table.add_row(escape(f"{rules.rule(type).title}: {cause}"), str(len(members)), worth, members[0]["owner"])
    return table


def _table_of_money(sums: dict[tuple[str, str], tuple[int, int]]) -> Any:
    from rich.table import Table

    table = Table("Money in less money back, by market", "Centra", "Fulfil", "", title_justify="left")
    for (market, currency), (centra, fulfil) in sorted(sums.items()):
        word = "[green]equal[/]" if centra == fulfil else "[red]differs[/]"
        table.add_row(market, str(Money(centra, currency)), str(Money(fulfil, currency)), word)
    return table


def _table_of_promises(broken: dict[str, list[str]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("Held against the sandbox's own books", "", title_justify="left")
    for name, sentences in broken.items():
        word = "[green]holds[/]" if not sentences else f"[red]{escape('; '.join(sentences[:3]))}[/]"
        table.add_row(name.replace("_", " "), word)
    return table
