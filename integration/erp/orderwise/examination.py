"""What `lockstep doctor` looks at in an OrderWise: the answers about its sessions, and every id of the mapping file.

Nothing public reads a session's settings, so somebody looks at them in OrderWise and answers in `[tenant.import]`. The labels
are those of an integrator's manual; what an unticked one does is read from its label. Ids are held against LOOKUPS.
"""

from collections.abc import Iterator, Mapping

from integration.erp.orderwise.client import Refusal, Row
from integration.erp.orderwise.orders import Orders
from integration.erp.orderwise.profile import NEEDED, SESSION, Imports, Profile
from integration.errors import Unavailable
from integration.ports import Told
from mappings import Mapping as Mapped

WHERE = "E-Commerce Sessions, Import Setup, Advanced Settings"

FALL_BACK = (
    "an order that comes without a tax code would not fail but be taxed at OrderWise's own rate: 100.00 of goods at a rate of "
    "5 % are 105.00 in Centra and, with a fall-back to 20 %, 120.00 here; nobody would be told"
)
ELSEWHERE = (
    "pieces would be taken from a location that no figure in Centra stands for: with 5 in the location of the mapping and 0 in "
    "the other, Centra goes on offering 5 and the other is at -1"
)
REFUSES = "every delivery is a new one to the one customer that all orders are booked on: its import would fail"

READ_ONLY = "shipments.services"
"""What stands only there is read from deliveries and never sent."""

ASKED: Mapping[str, tuple[str, bool, str]] = {
    "delivery_method_tax_code": ("Use delivery method system tax code (if not provided)", False, FALL_BACK),
    "variant_tax_code": ("Use variant system tax code (if not provided)", False, FALL_BACK),
    "variant_stock_location": ("Use variant stock location if default not available", False, ELSEWHERE),
    "delivery_address": ("Add delivery address to existing customer if not found", True, REFUSES),
    "customer_contact": ("Add customer contact to existing customer if not found", True, REFUSES),
}
"""By word of `[tenant.import]`: the setting's label, how it must stand, and what would happen otherwise."""


def examine(erp: Orders, mapping: Mapped) -> Iterator[Told]:
    """All findings about one connection. Raises what reading OrderWise raises."""
    profile = erp.profile
    yield from answers(profile.imports, mapping.file)
    yield from _waits(profile, mapping.file)
    unread = erp.unread()
    yield from _exports(unread, mapping.file)
    if "lookups" not in unread:
        yield from _ids(erp.looked_up(), profile, mapping)
    yield from _customer(erp, mapping.file)


def answers(told: Imports, file: str) -> Iterator[Told]:
    """Each setting that must stand in one way; an unanswered one is refused like a wrong one."""
    for word, (label, must, otherwise) in ASKED.items():
        ticked, wanted = told.ticked[word], "ticked" if must else "not ticked"
        what = f"session setting {word}"
        if ticked == must:
            yield "ok", what, f"{label!r} is {wanted}, as {file} says", ""
            continue
        says = "nobody has said" if ticked is None else f"is {'ticked' if ticked else 'not ticked'}"
        do = f"{WHERE}: have it {wanted} in every session of this connection, then write {word} = {str(must).lower()} into [tenant.import] of {file}"
        yield "FAIL", what, f"{label!r}: {says}; it must be {wanted}. Otherwise {otherwise}", do


def _waits(profile: Profile, file: str) -> Iterator[Told]:
    """Absence proves something only after a whole run of the session has gone by."""
    every = profile.imports.schedule_minutes
    pulled = profile.transport == SESSION
    word = "session.imports_within_minutes" if pulled else "queue_minutes"
    waits = (profile.session.imports_within if pulled else profile.queue).total_seconds() / 60
    what = "session schedule"
    if every is None:
        do = f"write the minutes of its Schedule as schedule_minutes into [tenant.import] of {file}"
        yield "FAIL", what, "nobody has said how often the sessions run: a doubtful order is proved absent by it", do
    elif pulled or waits > every:
        yield "ok", what, f"every {every} min; {word} is {waits:g}", ""
    else:
        says = (
            f"an order may wait {every} min for a run, and after {waits:g} min ({word}) one whose call was not answered is taken "
            "for absent and sent again: it would be there twice"
        )
        yield "FAIL", what, says, f"set {word} in {file} to more than {every}"


def _exports(unread: Mapping[str, str], file: str) -> Iterator[Told]:
    """Everything is read with them: where one does not answer, what it is for is not possible."""
    do = f"paste our SQL in again, tick API Export Definitions for the API user group, and write the id into [tenant.exports] of {file}"
    for name, why in unread.items():
        yield "FAIL", f"export {name}", f"{why}; {NEEDED[name]}", do
    if not unread:
        yield "ok", "exports", f"all {len(NEEDED)} export definitions answer with our columns", ""


def _ids(rows: list[Row], profile: Profile, mapping: Mapped) -> Iterator[Told]:
    there: dict[str, dict[str, str]] = {}
    for row in rows:
        there.setdefault(str(row["kind"]), {})[str(row["id"])] = str(row["name"] or "").strip()
    for kind, named in _named(mapping).items():
        known = there.get(kind, {})
        missing = {id: users for id, users in named.items() if id not in known}
        for id, users in sorted(missing.items()):
            says = (
                f"{mapping.file} names {kind} {id}, which LOOKUPS does not have: it concerns {', '.join(sorted(users))}"
            )
            yield "FAIL", f"{kind} {id}", says, "correct the mapping, or have the record made or put back in OrderWise"
        if not missing:
            yield "ok", f"{kind}s", f"all {len(named)} of the mapping are in LOOKUPS", ""
    yield from _statuses(set(there.get("status", {}).values()), profile, mapping.file)
    if profile.transport == SESSION:
        yield from _names(there, profile, mapping)


def _named(mapping: Mapped) -> dict[str, dict[str, set[str]]]:
    """Ids by kind of LOOKUPS, each with the words of ours that it stands behind."""
    found: dict[str, dict[str, set[str]]] = {
        "location": {}, "delivery method": {}, "payment method": {}, "tax rate": {}
    }  # fmt: skip

    def use(kind: str, id: object, user: str) -> None:
        found[kind].setdefault(str(id), set()).add(user)

    for market in mapping.markets.values():
        use("location", market.warehouse, market.name)
        for option, method in mapping.carriers[market.name].items():
            use("delivery method", method, f"{option} of {market.name}")
    for place in mapping.stock.places.values() if mapping.stock else ():
        for warehouse in place.warehouses:
            use("location", warehouse, f"stock of Centra's warehouse {place.id}")
    for method in mapping.shipments.services:
        if method:
            use("delivery method", method, READ_ONLY)
    for tender, method in mapping.tenders.items():
        use("payment method", method, tender)
    for country, rates in mapping.taxes.items():
        for percent, rate in rates.items():
            use("tax rate", rate, f"{percent} % in {country}")
    return found


def _statuses(there: set[str], profile: Profile, file: str) -> Iterator[Told]:
    ours = set(profile.statuses)
    for text in sorted(there - ours):
        says = f"OrderWise has an order status {text!r}: orders in it cannot be judged"
        yield "warn", f"status {text}", says, f"add it to [tenant.statuses] of {file}"
    for text in sorted(ours - there):
        says = f"{file} has an order status {text!r}, which LOOKUPS does not have: a status is matched letter by letter"
        yield "warn", f"status {text}", says, "copy its text from OrderWise"
    if there == ours:
        yield "ok", "statuses", f"all {len(ours)} are the same on both sides", ""


def _names(there: Mapping[str, Mapping[str, str]], profile: Profile, mapping: Mapped) -> Iterator[Told]:
    """XML names records where JSON has ids, and OrderWise matches the names letter by letter."""
    session, named = profile.session, _named(mapping)
    named["delivery method"] = {id: users for id, users in named["delivery method"].items() if users != {READ_ONLY}}
    tables = (
        ("delivery method", "delivery_methods", session.delivery_methods),
        ("payment method", "payment_methods", session.payment_methods),
        ("tax rate", "tax_codes", session.tax_codes),
    )
    for kind, table, names in tables:
        for id in sorted(named[kind].keys() & there.get(kind, {}).keys()):
            theirs, ours = there[kind][id], names.get(id)
            if ours != theirs:
                says = f"{kind} {id} is {theirs!r} in OrderWise and {ours or 'nothing'!r} in [tenant.session] {table}"
                yield (
                    "FAIL",
                    f"{kind} {id} by name",
                    says,
                    f"copy the name into {mapping.file}: an import fails on another",
                )


def _customer(erp: Orders, file: str) -> Iterator[Told]:
    """Which account all orders are booked on: a policy that whoever audits this must see."""
    id = erp.profile.customer
    what = "customer of all orders"
    try:
        found = erp.client.record(f"/customers/{id}", lane="orders")
    except Unavailable as error:
        yield (
            "warn",
            what,
            f"{id} cannot be looked at: {error}",
            "tick Customers for the API user group, then ask again",
        )
        return
    except Refusal as refused:
        says = f"OrderWise has no customer {id} (HTTP {refused.status})"
        yield "FAIL", what, says, f"correct [tenant] customer of {file}"
        return
    account = found.get("accountnumber") or "without a number"
    if found.get("onhold"):
        yield "FAIL", what, f"{id} is on hold in OrderWise: every order would be", "have it released"
    else:
        says = f"{id}, account {account}: taxes, addresses and sums come from each order, never from it"
        yield "ok", what, says, ""
