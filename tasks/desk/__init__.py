"""The pages inside Flower: exceptions, one case, one cause, one order, lanes, stock.

`install()` is called from `deploy/flowerconfig.py`, which Flower executes before it builds its application. Nothing of
Flower is copied or patched but for three seams, each held by a test: its handler list, its template loader, and the
names of the queues that its Broker tab shows.
"""

from pathlib import Path

from flower import urls
from flower.views import BaseHandler
from prometheus_client import REGISTRY
from tornado.web import StaticFileHandler, url

from integration.budget import LANES
from tasks.celery import world
from tasks.desk.board import ExceptionsPage
from tasks.desk.case import CaseAct, CasePage, EvidencePage
from tasks.desk.cause import CausePage
from tasks.desk.figures import Figures, MetricsPage
from tasks.desk.lanes import LanesPage
from tasks.desk.order import OrderPage, OrderSearch
from tasks.desk.overlay import OverlayLoader
from tasks.desk.stock import StockPage
from tasks.redis_lanes import SUFFIX

STATIC = {"path": str(Path(__file__).parent / "static")}

HANDLERS = [
    url(r"/exceptions", ExceptionsPage, name="exceptions"),
    url(r"/exceptions/cause", CausePage, name="cause"),
    url(r"/exceptions/(\d{1,18})", CasePage, name="case"),
    url(r"/exceptions/(\d{1,18})/evidence", EvidencePage),
    url(r"/exceptions/(\d{1,18})/(replay|assign|comment|snooze|resolve)", CaseAct),
    url(r"/orders", OrderSearch, name="orders"),
    url(r"/orders/([^/]+)/([^/]+)", OrderPage, name="order"),
    url(r"/lanes", LanesPage, name="lanes"),
    url(r"/stock", StockPage, name="stock"),
    url(r"/metrics", MetricsPage),
    url(r"/desk/(.*)", StaticFileHandler, STATIC, name="desk-static"),
]


def install() -> None:
    """Put the desk into the Flower of this process. Once; a second call changes nothing."""
    if "desk" in urls.settings:
        return
    figures = Figures(world)
    REGISTRY.register(figures)
    urls.settings |= {
        "desk": figures,
        "template_loader": OverlayLoader(urls.settings["template_path"]),
        "xsrf_cookie_kwargs": {"samesite": "Strict"},
    }
    urls.handlers[0:0] = HANDLERS
    _show_dead_letter_queues()


def _show_dead_letter_queues() -> None:
    """Flower lists only queues that a worker consumes; nobody consumes a dead-letter queue, and there one must look."""
    consumed = BaseHandler.get_active_queue_names

    def with_dead_letters(handler: BaseHandler) -> list[str]:
        return sorted({*consumed(handler), *(f"{lane}{SUFFIX}" for lane in LANES)})

    BaseHandler.get_active_queue_names = with_dead_letters
