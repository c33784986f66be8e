"""The demo's end: what happened, held against both systems' own books, for a person and as one JSON object."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from integration.domain.money import Money
from integration.sandbox.catalogue import UNMAPPED_MARKET
from integration.store import Store, counts
from integration.store.lives import LIVES
from mappings import playbook
from tasks.books import ORDER_PREFIX, Books, Row, is_live
from tasks.demo_books import books_beside, markets_of
from tasks.inspection import effective, inspect, released
from tasks.inspection_goods import inspect_goods, late_shipments, oversold, telling_times
from tasks.inspection_money import (
    POSTED,
    by_currency,
    inspect_money,
    money,
    refunds_without_memo,
    refused_captures,
)
from tasks.stack import Stack

TOLD_WITHIN = timedelta(minutes=30)
"""How soon a customer must hear of a dispatch, as the sandbox's mapping promises it."""


def summary(stack: Stack, store: Store, seconds: float, made: Counter[str]) -> dict[str, Any]:
    """Counts, cases with money and owner, and every invariant held against the sandbox's own books. `made` are the exceptions
    that were made on purpose while the day was played, by type.

    Under "json" what `--json` prints; the rest is for the tables.
    """
    with store.read() as tx:
        jobs, cases = [row for kind in LIVES for row in counts.all_of(tx, kind)], counts.open_cases(tx)
        skus, pushed = counts.levels(tx)
    orders, days = ([job for job in jobs if job["kind"] == kind] for kind in ("order", "day"))
    books = books_beside(stack, jobs, cases)
    every = list(books.values())
    broken = merged([_broken(each) for each in every])
    broken["captures_refused_as_planned"] = _refused(every, made["CAPTURE_FAILED"])
    broken["personal_data_only_in_the_vault"] = _leaks(stack, every)
    sums = {name: money(each) for name, each in books.items()}
    night = {"days": len(days), "settled": bool(days) and all(job["state"] == "proven" for job in days)}
    broken["the_night_is_settled"] = [] if night["settled"] else _unsettled(days)
    states = Counter(str(job["state"]) for job in orders)
    whole = [each.whole for each in every]
    return {
        "json": {
            "ok": not any(broken.values()),
            "seen": len(orders),
            "proven": states["proven"],
            "waiting": states["held"],
            "cancelled": states["cancelled"],
            "shipments": sum(bool(shipment["shipped"]) for told in whole for shipment in told["shipments"]),
            "returns": sum(made["status"] == "COMPLETED" for told in whole for made in told["returns"]),
            "credit_memos": sum(m["state"] in POSTED for each in every for memos in each.memos.values() for m in memos),
            "stock": {"skus": skus, "pushed": pushed},
            "oversold_units": sum(sum(oversold(each).values()) for each in every),
            "shipments_late": len(broken["shipments_told_in_time"]),
            "told_after_seconds": _percentiles(sorted(time for each in every for time in telling_times(each))),
            "refunds_without_memo": sum(len(refunds_without_memo(each)) for each in every),
            "money": by_currency(*sums.values()),
            "night": night,
            "exceptions": dict(Counter(str(case["type"]) for case in cases)),
            "planned": dict(sorted((made + _in_the_day(every)).items())),
            "connections": {name: _counted(each, cases) for name, each in books.items()},
            "invariants": {name: not sentences for name, sentences in broken.items()},
            "seconds": seconds,
        },
        "broken": broken,
        "cases": cases,
        "money": sums,
        "products": [
            (job["number"], job["kind"], job["reason"]) for job in jobs if job["kind"] in ("product", "archive")
        ],
        "held": Counter(str(job["reason"]) for job in orders if job["state"] == "held"),
        "fired": {
            name: stack.ask(url, "/_sandbox/faults")["fired"]
            for name, url in (("Centra", stack.centra_url), *((name, stack.url_of(name)) for name in books))
        },
    }


def _broken(books: Books) -> dict[str, list[str]]:
    """What breaks each invariant in one connection's books."""
    orders = [job for job in books.jobs if job["kind"] == "order"]
    cases = [case for case in books.cases if case["kind"] == "order"]
    told = inspect(books.centra, books.erp, orders, cases) | inspect_goods(books) | inspect_money(books)
    return told | {"shipments_told_in_time": late_shipments(books, TOLD_WITHIN)}


def _in_the_day(every: Sequence[Books]) -> Counter[str]:
    """The exceptions that the generated day itself must end with, counted in Centra's own books."""
    orders = {order["number"]: order for books in every for order in books.centra if released(order)}.values()
    lost = [order["market_id"] == UNMAPPED_MARKET for order in orders]
    uneven = [not order["adds_up"] and order["market_id"] != UNMAPPED_MARKET for order in orders]
    above = [number for books in every for number in refused_captures(books)[0]]
    return Counter(
        {"ORDER_MARKET_UNMAPPED": sum(lost), "ORDER_TOTAL_INCONSISTENT": sum(uneven), "CAPTURE_FAILED": len(above)}
    )


def _refused(every: Sequence[Books], planned: int) -> list[str]:
    """Captures that failed although their customers had authorised as much, beyond those that were made to fail."""
    others = [number for books in every for number in refused_captures(books)[1]]
    return [f"{', '.join(others)}: refused, and {planned} planned"] if len(others) > planned else []


def merged(told: Sequence[Mapping[str, Sequence[str]]]) -> dict[str, list[str]]:
    """The sentences of all connections by invariant, each once: what concerns no ERP is in every connection's books."""
    names = dict.fromkeys(name for each in told for name in each)
    return {name: list(dict.fromkeys(s for each in told for s in each.get(name, ()))) for name in names}


def _counted(books: Books, cases: Sequence[Row]) -> dict[str, int]:
    """A connection's orders, by the market they were sold in, those of them that its ERP had and cancelled as Centra did, and
    its open exceptions.
    """
    ours = {str(order["number"]) for order in books.centra if order["market_id"] in markets_of(books.connection)}
    states = [job["state"] for job in books.jobs if job["kind"] == "order" and job["number"] in ours]
    mine = [case for case in cases if case["connection"] == books.connection]
    sold = {f"{ORDER_PREFIX}{number}" for number in ours if not is_live(books.orders[number])}
    had = [sale for sale in books.erp["sales"] if sale["channel_identifier"] in sold]
    return {
        "seen": len(states),
        "proven": states.count("proven"),
        "cancelled_there": len(had) - len(effective(had)),
        "exceptions": len(mine),
    }


def _percentiles(times: list[timedelta]) -> dict[str, float]:
    return {
        f"p{part}": round(times[min(len(times) - 1, len(times) * part // 100)].total_seconds(), 1)
        for part in (50, 95)
        if times
    }


def _unsettled(days: Sequence[Row]) -> list[str]:
    open_days = [f"{job['number']}: {job['state']}, {job['reason']}" for job in days if job["state"] != "proven"]
    return open_days or ["no business day was counted"]


def _leaks(stack: Stack, books: Sequence[Books]) -> list[str]:
    """Customers' addresses found in a log, the broker's file or the ledger's own bytes."""
    emails = {str(order["email"]).encode() for each in books for order in each.centra if order.get("email")}
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
        f"books of {words['night']['days']} business days counted in both systems."
    )
    console.print(
        f"Units oversold: {words['oversold_units']}. Shipments told late: {words['shipments_late']} "
        f"({_times(words['told_after_seconds'])}). "
        f"Refunds without memo: {words['refunds_without_memo']}."
    )
    for name, row in words["connections"].items():
        console.print(
            f"  {name}: {row['seen']} orders seen, {row['proven']} proved, {row['cancelled_there']} cancelled there after they"
            f" were posted, {row['exceptions']} exceptions of its own"
        )
    for sku, kind, reason in told["products"]:
        console.print(f"  {'launch' if kind == 'product' else 'end'} of {sku}: {escape(reason)}")
    for reason, count in told["held"].most_common():
        console.print(f"  waiting: {count} because {escape(reason)}")
    console.print(_table_of_cases(told["cases"], words["planned"]))
    console.print(_table_of_money(told["money"]))
    console.print(_table_of_promises(told["broken"]))
    for name, fired in told["fired"].items():
        console.print(
            f"  faults of {name}: {', '.join(f'{times} × {fault}' for fault, times in fired.items()) or 'none'}"
        )
    console.print(f"All of it took {words['seconds']:.0f} s.")
    for line in _addresses(stack, words["seen"]):
        console.print(line, soft_wrap=True, highlight=False)


def _addresses(stack: Stack, order: int) -> tuple[str, ...]:
    return (
        f"Flower with its pages: {stack.flower_url}/exceptions",
        f"  user demo, password {stack.flower_password}",
        f"At a shell: LOCKSTEP_CONFIG={_config(stack)} {_command()} order {order}",
        f"Centra's books: {stack.centra_url}/_sandbox/books and /_sandbox/ledger",
        *(f"{name}'s books: {stack.url_of(name)}/_sandbox/books" for name in stack.texts),
    )


def _times(told: Mapping[str, float]) -> str:
    return ", ".join(f"{seconds} s for {part[1:]} of a hundred" for part, seconds in told.items()) or "none was told"


def _command() -> str:
    """How `lockstep` is typed here: as the demo itself was, where the shell would not find it by its name."""
    return sys.argv[0] if Path(sys.argv[0]).name == "lockstep" else "lockstep"


def _config(stack: Stack) -> Path:
    """The demo's settings as a file, so that `lockstep` can be typed at it."""
    path = stack.folder / "demo.conf"
    path.touch(mode=0o600)
    lines = [f"{name}={value}" for name, value in stack.environment.items() if name.startswith("LOCKSTEP_")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _table_of_cases(cases: Any, planned: Mapping[str, int]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    rules = playbook()
    table = Table("Exceptions by cause", "documents", "planned", "money at risk", "owner", title_justify="left")
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in cases:
        grouped.setdefault((case["type"], case["cause"]), []).append(case)
    for (type, cause), members in sorted(grouped.items()):
        minor = Counter[str]()
        for case in members:
            minor[case["currency"]] += case["money_minor"]
        worth = ", ".join(str(Money(amount, currency)) for currency, amount in sorted(minor.items()) if currency)
        words = (escape(f"{rules.rule(type).title}: {cause}"), str(len(members)), str(planned.get(type, "")))
        table.add_row(*words, worth, members[0]["owner"])
    return table


def _table_of_money(told: Mapping[str, Mapping[tuple[str, str], tuple[int, int]]]) -> Any:
    from rich.table import Table

    table = Table("Money in less money back, by market", "ERP", "Centra", "its ERP", "", title_justify="left")
    for name, sums in told.items():
        for (market, currency), (centra, erp) in sorted(sums.items()):
            word = "[green]equal[/]" if centra == erp else "[red]differs[/]"
            table.add_row(market, name, str(Money(centra, currency)), str(Money(erp, currency)), word)
    return table


def _table_of_promises(broken: dict[str, list[str]]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("Held against the sandbox's own books", "", title_justify="left")
    for name, sentences in broken.items():
        word = "[green]holds[/]" if not sentences else f"[red]{escape('; '.join(sentences[:3]))}[/]"
        table.add_row(name.replace("_", " "), word)
    return table
