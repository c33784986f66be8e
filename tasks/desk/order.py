"""The story of one order, and the way to it from the search box."""

from urllib.parse import quote

from tornado.web import HTTPError

from integration import story
from integration.store import views
from integration.wiring import World
from tasks.desk.page import Page


def instances_of(world: World, number: str) -> list[str]:
    """The shops that have an order of this number."""
    with world.store.read() as tx:
        return [row.instance for row in views.numbered(tx, number)]


def read_story(world: World, instance: str, number: str) -> tuple[list[str], list[int]]:
    """The order's story in lines, and the ids of its open cases. Raises 404 when nothing was heard of it."""
    with world.store.read() as tx:
        rows = [row for row in views.numbered(tx, number) if row.instance == instance]
        if not rows:
            raise HTTPError(404, f"Nothing was heard of order {number} of {instance}.")
        cases = [row.id for row in views.exceptions_of(tx, rows[0].id) if row.state != "resolved"]
    return list(story.tell(world, instance, number).lines()), cases


class OrderPage(Page):
    """GET /orders/<instance>/<number>"""

    async def get(self, instance: str, number: str) -> None:
        lines, cases = await self.ask(read_story, instance, number)
        base = self.reverse_url("exceptions")
        links = [(case, f"{base}/{case}") for case in cases]
        self.show("order.html", instance=instance, number=number, story=lines, cases=links, found=[])


class OrderSearch(Page):
    """GET /orders?number=…: straight to the order, or the choice where several shops have that number."""

    async def get(self) -> None:
        number = self.word("number")[:64]
        base = self.reverse_url("orders")
        found = [
            (shop, f"{base}/{quote(shop, safe='')}/{quote(number, safe='')}")
            for shop in await self.ask(instances_of, number)
        ]
        if len(found) == 1:
            self.redirect(found[0][1], status=303)
            return
        if not found:
            self.set_status(404)
        self.show("order.html", instance="", number=number, story=None, cases=[], found=found)
