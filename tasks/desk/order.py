"""The story of one order, or of what belongs to it or to a SKU, and the way to it from the search box."""

from urllib.parse import quote

from tornado.web import HTTPError

from integration.store import levels, views
from integration.store.lives import LANE_OF
from integration.story import Story, UnknownOrder, tell
from integration.wiring import World
from integration.wording import OF_SKU, called, noun
from tasks.desk import words
from tasks.desk.page import Page


def story_link(orders: str, instance: str, kind: str, number: str) -> str:
    """Where a document's story is told."""
    path = f"{orders}/{quote(instance, safe='')}/{quote(number, safe='')}"
    return path if kind == "order" else f"{path}?kind={quote(kind)}"


def numbered(world: World, number: str) -> list[tuple[str, str]]:
    """(shop, kind) of every order of this number, and of every launch and archiving of this SKU."""
    with world.store.read() as tx:
        rows = [row for kind in ("order", *OF_SKU) for row in views.numbered(tx, number, kind)]
    return [(row.instance, row.kind) for row in rows]


def is_stocked(world: World, sku: str) -> bool:
    """Whether the Stock page knows this SKU."""
    with world.store.read() as tx:
        return bool(levels.of_sku(tx, sku))


def parts_of(story: Story) -> list[tuple[str, list[str]]]:
    """What stands beside the timeline, most wanted first: (title, lines)."""
    who, *steps = words.steps(story.next)
    told = [("Who acts next", [who, *(f"{n}. {step}" for n, step in enumerate(steps, start=1))])]
    told += [("What is late", story.late)]
    told += [(f"What {system} says", lines) for system, lines in story.systems.items()]
    told += [("What belongs to it", [kin["text"] for kin in story.kin])]
    told += [("What was decided, and why", story.decided), ("What arrived", story.arrived)]
    return [(title, [words.sentence(text) for text in lines]) for title, lines in told if lines]


class OrderPage(Page):
    """GET /orders/<instance>/<number>, with ?kind= for a document of another kind"""

    async def get(self, instance: str, number: str) -> None:
        kind = self.word("kind") or "order"
        if kind not in LANE_OF:
            raise HTTPError(404, "There is no such kind of document.")
        try:
            story = await self.ask(lambda world: tell(world, instance, number, kind=kind))
        except UnknownOrder as error:
            raise HTTPError(404, words.sentence(str(error))) from error
        playbook, base = (await self.ask(lambda world: world.playbook)), self.reverse_url("exceptions")
        cases = [
            (case["id"], playbook.rule(case["type"]).title, f"{base}/{case['id']}")
            for case in story.exceptions
            if case["state"] != "resolved"
        ]
        told = {"story": story, "parts": parts_of(story), "cases": cases, "found": []}
        self.show("order.html", instance=instance, heading=f"{called(kind)} {number}", **told)


class OrderSearch(Page):
    """GET /orders?number=…: straight to the order or the SKU, or the choice where there are several; else to a SKU's stock."""

    async def get(self) -> None:
        number, base = self.word("number")[:64], self.reverse_url("orders")
        known = await self.ask(numbered, number)
        found = [(f"{noun(kind)} {number} of {shop}", story_link(base, shop, kind, number)) for shop, kind in known]
        if len(found) == 1:
            self.redirect(found[0][1], status=303)
            return
        if not found and await self.ask(is_stocked, number):
            self.redirect(f"{self.reverse_url('stock')}?sku={quote(number)}", status=303)
            return
        if not found:
            self.set_status(404)
        self.show("order.html", instance="", heading=f"Order or SKU {number}", story=None, cases=[], found=found)
