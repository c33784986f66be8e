"""The story of one order, and the way to it from the search box."""

from urllib.parse import quote

from tornado.web import HTTPError

from integration.store import views
from integration.story import Story, UnknownOrder, tell
from integration.wiring import World
from tasks.desk import words
from tasks.desk.page import Page


def instances_of(world: World, number: str) -> list[str]:
    """The shops that have an order of this number."""
    with world.store.read() as tx:
        return [row.instance for row in views.numbered(tx, number)]


def parts_of(story: Story) -> list[tuple[str, list[str]]]:
    """What stands beside the timeline, most wanted first: (title, lines)."""
    who, *steps = words.steps(story.next)
    told = [("Who acts next", [who, *(f"{n}. {step}" for n, step in enumerate(steps, start=1))])]
    told += [("What is late", story.late)]
    told += [(f"What {system} says", lines) for system, lines in story.systems.items()]
    told += [("What was decided, and why", story.decided), ("What arrived", story.arrived)]
    return [(title, [words.sentence(text) for text in lines]) for title, lines in told if lines]


class OrderPage(Page):
    """GET /orders/<instance>/<number>"""

    async def get(self, instance: str, number: str) -> None:
        try:
            story = await self.ask(tell, instance, number)
        except UnknownOrder as error:
            raise HTTPError(404, words.sentence(str(error))) from error
        playbook, base = (await self.ask(lambda world: world.playbook)), self.reverse_url("exceptions")
        cases = [
            (case["id"], playbook.rule(case["type"]).title, f"{base}/{case['id']}")
            for case in story.exceptions
            if case["state"] != "resolved"
        ]
        told = {"story": story, "parts": parts_of(story), "cases": cases, "found": []}
        self.show("order.html", instance=instance, number=number, **told)


class OrderSearch(Page):
    """GET /orders?number=…: straight to the order, or the choice where several shops have that number."""

    async def get(self) -> None:
        number, base = self.word("number")[:64], self.reverse_url("orders")
        shops = await self.ask(instances_of, number)
        found = [(shop, f"{base}/{quote(shop, safe='')}/{quote(number, safe='')}") for shop in shops]
        if len(found) == 1:
            self.redirect(found[0][1], status=303)
            return
        if not found:
            self.set_status(404)
        self.show("order.html", instance="", number=number, story=None, cases=[], found=found)
