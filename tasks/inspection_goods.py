"""The promises about goods: what left is shown once, what came back counts once inspected, nothing is sold twice.

Pure functions over the books; each returns the sentences that break it.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.books import RETURN_PREFIX, Books, Row, is_live

CLOCKS = timedelta(seconds=1)
"""Centra's books know whole seconds."""


def inspect_goods(books: Books) -> dict[str, list[str]]:
    """Every invariant by name; an empty list means that it holds."""
    return {
        "every_dispatch_shown_once": _shown_once(books),
        "one_email_a_shipment": _told_once(books),
        "stock_rises_after_inspection": _inspected_first(books),
        "nothing_oversold": [f"{n} of {sku} in {place}: oversold" for (place, sku), n in oversold(books).items()],
        "stock_in_centra_is_the_formula": _formula(books),
    }


def _goods(lines: Any, name: str = "sku", quantity: str = "quantity") -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for line in lines:
        found[str(line[name])] += round(line[quantity])
    return tuple(sorted(found.items()))


def _left(dispatch: Row) -> tuple[tuple[str, int], ...]:
    """SKU and pieces of a dispatch: rows of the ERP are (sku, quantity, origin, state)."""
    return _goods(dispatch["lines"], 0, 1)  # type: ignore[arg-type]  # rows of JSON are lists


def _shown_once(books: Books) -> list[str]:
    """Each dispatch has one Centra shipment of just its lines that has left, or an exception of its own."""
    shipments: dict[str, list[Row]] = {}
    for shipment in books.whole["shipments"]:
        shipments.setdefault(str(shipment["order"]), []).append(shipment)
    broken = []
    for number in sorted({*books.dispatches, *shipments}, key=int):
        shown = shipments.get(number, [])
        free = Counter((_goods(s["lines"]), bool(s["shipped"])) for s in shown)
        excused = []
        for dispatch in books.dispatches.get(number, []):
            if books.dispatch_case(dispatch):
                excused.append(dispatch)
            elif free[_left(dispatch), True]:
                free[_left(dispatch), True] -= 1
            else:
                broken.append(f"{number}: dispatch {dispatch['id']} {_state(books, dispatch)}, not shown in Centra")
        for dispatch in excused:
            taken = next((key for key in ((_left(dispatch), True), (_left(dispatch), False)) if free[key]), None)
            if taken:
                free[taken] -= 1
        broken += [f"{number}: a shipment in Centra that no dispatch explains: {g}" for g, _ in (+free).elements()]
    return broken


def _state(books: Books, dispatch: Row) -> str:
    job = books.job.get(("shipment", f"{books.connection}-{dispatch['id']}"))
    return f"({job['state']}: {job['reason']})" if job else "(unknown to the ledger)"


def _told_once(books: Books) -> list[str]:
    told = Counter(mail["shipment"] for mail in books.whole["emails"] if mail["kind"] == "shipped")
    return [
        f"{s['order']}: shipment {s['number']} told {told[s['number']]} times"
        for s in books.whole["shipments"]
        if told[s["number"]] != bool(s["shipped"])
    ]


def _inspected_first(books: Books) -> list[str]:
    """A completed return was inspected before, all of it; what Centra restocked, the warehouse did."""
    back: dict[str, list[Row]] = {}
    for sale in books.erp["sales"]:
        reference = str(sale["channel_identifier"])
        if reference.startswith(RETURN_PREFIX):
            ids = {int(id) for id in sale["shipment_returns"]}
            back[reference.removeprefix(RETURN_PREFIX)] = [r for r in books.erp["returns"] if r["id"] in ids]
    broken = []
    for made in books.whole["returns"]:
        number = str(made["id"])
        if made["status"] != "COMPLETED" or ("return", number) in books.case:
            continue
        rows = [row for row in back.get(number, []) if row["state"] != "cancel"]
        if not rows or any(row["state"] != "done" for row in rows):
            broken.append(f"{made['order']}: return {number} is complete in Centra and not inspected in the ERP")
        elif _when(made["completed_at"]) + CLOCKS < max(_when(row["write_date"]) for row in rows):
            broken.append(f"{made['order']}: return {number} was completed before its inspection")
        elif made["stock"] == "release" and any(word != "restock" for r in rows for _, _, word in r["dispositions"]):
            broken.append(f"{made['order']}: return {number} restocked in Centra what the warehouse put aside")
    return broken


def _when(told: str) -> datetime:
    """A moment of either system; one that does not say so is UTC."""
    moment = datetime.fromisoformat(told)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def unknown_to_erp(books: Books, *, cautious: bool = False) -> Counter[tuple[str, str]]:
    """Pieces of living orders that no sales order in the ERP holds, by (building, SKU).

    `cautious` adds what is kept off the shelf to be safe: orders of a market without a mapping count in every building, as
    nobody has said where they go from; pieces that left and that Centra does not show yet count until it gives them up.
    """
    found: Counter[tuple[str, str]] = Counter()
    units = {str(order["number"]): order["units"] for order in books.whole["orders"]}
    for number, order in books.orders.items():
        if not is_live(order):
            continue
        held: Counter[str] = Counter()
        for sale in books.sales.get(number, []):
            if sale["state"] not in ("draft", "quotation"):
                held += books.ground.pieces((line[0], float(line[1] or 0)) for line in sale["lines"])
        everywhere = cautious and order["market_id"] in books.ground.homeless
        home = {books.ground.building[order["market_id"]]}
        for sku, pieces in (Counter(units.get(number, {})) - held).items():
            for building in set(books.ground.place.values()) if everywhere else home:
                found[building, sku] += pieces
        for sku, pieces in _left_unseen(books, number).items() if cautious else ():
            found[books.ground.building[order["market_id"]], sku] += pieces
    return found


def _left_unseen(books: Books, number: str) -> Counter[str]:
    """Pieces of an order that have left and are on no shipment that left by Centra's account."""
    left = books.ground.pieces((row[0], row[1]) for d in books.dispatches.get(number, []) for row in d["lines"])
    shown = [s for s in books.whole["shipments"] if str(s["order"]) == number and s["shipped"]]
    return left - books.ground.pieces((line["sku"], line["quantity"]) for s in shown for line in s["lines"])


def _available(books: Books) -> dict[tuple[str, str], int]:
    """What the ERP could still send, by (building, SKU): below nothing where it owes more than it has."""
    return {
        (place, sku): round(level["available"])
        for sku, row in books.erp["stock"].items()
        if sku not in books.ground.parts
        for place, level in row["by_warehouse"].items()
    }


def oversold(books: Books) -> dict[tuple[str, str], int]:
    """Pieces sold in Centra beyond what the ERP ever had to sell, by (building, SKU); only what is above nothing.

    The ERP's available figure is all that ever came in less all that its sales took; what Centra sold and the ERP does not
    know is taken off it. A SKU that the ERP does not know at all was never its to sell.
    """
    unknown = unknown_to_erp(books)
    short = {key: unknown[key] - figure for key, figure in _available(books).items()}
    return {key: pieces for key, pieces in short.items() if pieces > 0}


def _formula(books: Books) -> list[str]:
    """What shoppers can buy in Centra is the ERP's figure less what Centra sold and the ERP does not know, never below 0.

    Never more than that, and less only by what `cautious` keeps back.
    """
    figures, unknown, kept = _available(books), unknown_to_erp(books), unknown_to_erp(books, cautious=True)
    excused = " ".join(f"{case['cause']} {case['message']}" for case in books.cases if _about_stock(case))
    broken = []
    for sku, row in books.whole["stock"].items():
        for house, level in row["warehouses"].items():
            key = (books.ground.place.get(int(house), ""), sku)
            if key not in figures or sku in excused:
                continue
            least, most = (max(0, figures[key] - off[key]) for off in (kept, unknown))
            shown = level["free"] - level["demand"]
            if not least <= shown <= most and not (least == 0 and shown < 0):
                words = str(most) if least == most else f"{least} to {most}"
                broken.append(f"{sku} in {key[0]}: {shown} for sale in Centra, {words} by the formula")
    return broken


def _about_stock(case: Row) -> bool:
    return str(case["type"]).startswith("STOCK_")


def late_shipments(books: Books, promise: timedelta) -> list[str]:
    """Dispatches that the customer was told of later than `promise` after they left, or, now that all is at rest, not at
    all. One with an exception of its own is not late but somebody's.
    """
    return [
        f"{number}: dispatch {dispatch['id']} {'told after ' + str(after) if after else 'never told'}"
        for number, dispatch, after in _told_after(books)
        if (after is None or after > promise) and not books.dispatch_case(dispatch)
    ]


def telling_times(books: Books) -> list[timedelta]:
    """How long after each dispatch left its customer was told, shortest first."""
    return sorted(after for _, _, after in _told_after(books) if after is not None)


def _told_after(books: Books) -> Iterator[tuple[str, Row, timedelta | None]]:
    """(order, dispatch, time from its leaving to Centra's e-mail for the shipment of the same lines).

    A dispatch leaves with its last change in the ERP: a new label begins anew.
    """
    told = {mail["shipment"]: _when(mail["at"]) for mail in books.whole["emails"] if mail["kind"] == "shipped"}
    for number, dispatches in books.dispatches.items():
        mails: dict[Any, list[datetime]] = {}
        for shipment in books.whole["shipments"]:
            if str(shipment["order"]) == number and shipment["number"] in told:
                mails.setdefault(_goods(shipment["lines"]), []).append(told[shipment["number"]])
        for dispatch in dispatches:
            answered = mails.get(_left(dispatch))
            yield number, dispatch, answered.pop(0) - _when(dispatch["write_date"]) if answered else None
