"""How a SKU stands: what each system was last seen to have, its launch or archiving, and what differs. From the ledger alone,
but for `checked`, which asks.
"""

from dataclasses import dataclass
from typing import Any

from integration import archive, products
from integration.domain.order import Key
from integration.errors import LockstepError
from integration.masters import CONFLICT, OF_SKU
from integration.settings import SettingsError
from integration.store import exceptions, ledger, listings, reference
from integration.wiring import World

TYPES = (*OF_SKU, CONFLICT, "SKU_RENAMED", "SKU_EAN_SHARED")
DOES = {"product": "launched", "archive": "archived"}


def going_on(world: World) -> dict[str, Any]:
    """Launches and archivings that are not over (`going_on`), and what differs between the catalogues (`cases`)."""
    with world.store.read() as tx:
        rows = [row for kind in DOES for row in listings.at_work(tx, kind)]
        cases = [case for type in TYPES for case in exceptions.listed(tx, type=type) if case.job_id is None]
    return {"going_on": [_life(row) for row in rows], "cases": [_case(case) for case in cases]}


def of_sku(world: World, sku: str) -> dict[str, Any]:
    """One SKU, however each system spells it: `listings`, `going_on` (over or not), `cases`, and the `open` documents."""
    with world.store.read() as tx:
        rows = listings.everywhere(tx, sku)
        instances = sorted(world.storefronts)
        lives = [row for name in instances for kind in DOES for row in listings.jobs(tx, name, kind, [sku]).values()]
        cases = listings.cases_of(tx, sku)
        open_ = [f"{row.kind} {row.number}" for name in instances for row in listings.open_documents(tx, name, [sku])]
    names = ("system", "sku", "status", "ean", "at")
    return {
        "listings": [{name: row._mapping[name] for name in names} for row in rows],
        "going_on": [_life(row) for row in lives],
        "cases": [_case(case) for case in cases],
        "open": open_,
    }


@dataclass(frozen=True, slots=True)
class Checked:
    """What each system has of a SKU at this moment, by system, and what an archiving makes of it all."""

    systems: dict[str, str]
    checks: list[str]


def checked(world: World, instance: str, sku: str) -> Checked:
    """Ask every system; that one cannot be asked is an answer too."""
    try:
        told = archive.in_words(archive.check(instance, sku, world))
    except (LockstepError, SettingsError) as error:
        return Checked({"Centra": f"could not be asked: {error}"}, [])
    places = {name: name.removeprefix("in ") for name in told if name.startswith("in ") and name != "in the way"}
    systems = {mapping.connection: "it has no such SKU" for mapping in archive.concerned(world, instance)}
    systems |= {place: told[name] for name, place in places.items()}
    return Checked(systems, [f"{name}: {words}" for name, words in told.items() if name not in places])


def terms(world: World, instance: str) -> list[str]:
    """What the mappings in force ask of a launch, in words."""
    told = []
    for mapping in products.staging(world, instance):
        assert mapping.products is not None
        template = f" (template {mapping.products.template})" if mapping.products.template else ""
        needs = f"; it needs {' and '.join(mapping.products.required)}" if mapping.products.required else ""
        told.append(f"made in {mapping.connection} where it is missing{template}{needs}")
    return told


def _life(row: Any) -> dict[str, Any]:
    return {"sku": row.number, "what": DOES[row.kind], "state": row.state, "reason": row.reason}


def _case(case: Any) -> dict[str, Any]:
    return {name: case._mapping[name] for name in ("id", "type", "cause", "connection", "message", "act_by")}


def launch(world: World, instance: str, sku: str, actor: str) -> None:
    """A person wants a SKU launched that was there before anybody looked. Audited."""
    key = Key(instance, "product", sku)
    with world.store.write("products.launch") as tx:
        ledger.mark_in(tx, [key], "operator")
        reference.record_act(tx, actor, "launch begun", str(key))
    world.ring("take", key)
