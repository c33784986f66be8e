"""Logs as JSON lines, and Sentry: identifiers and codes only, secrets cut out wherever they appear."""

import logging
import re
import sys
from collections.abc import Collection
from typing import Any

import structlog

from integration.settings import Settings, secrets_of

SHORTEST_SECRET = 6
"""Shorter secrets are not searched for in log lines: they would cut ordinary words apart."""


def configure(settings: Settings, *, level: int = logging.INFO) -> None:
    """Set up logging and error reporting for this process."""
    cut = _cutter([s for s in secrets_of(settings.variables) if len(s) >= SHORTEST_SECRET])
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    lines = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            cut,
            structlog.processors.JSONRenderer(ensure_ascii=True),
            cut,
        ],
    )
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(lines)
    root = logging.getLogger()
    root.handlers = [out]
    root.setLevel(level)
    _report_errors(settings)


def _report_errors(settings: Settings) -> None:
    """Sentry, when a DSN is set: no local variables, no request bodies, no breadcrumbs of SQL."""
    if not settings.sentry_dsn:
        return
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration

    sentry_sdk.init(
        dsn=settings.sentry_dsn.reveal(),
        environment=settings.environment,
        integrations=[CeleryIntegration(monitor_beat_tasks=True)],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=_wordless,
    )


TOLD_TO_SENTRY = frozenset(
    "event_id timestamp platform level logger environment release sdk exception tags transaction modules".split()
)


def _wordless(event: Any, _hint: Any) -> Any:
    """Sentry gets types and places. An error's own words may quote a customer; they are in the vault."""
    for told in (event.get("exception") or {}).get("values") or []:
        told["value"] = "(its words are in the vault)"
    return {name: value for name, value in event.items() if name in TOLD_TO_SENTRY}


def _cutter(secrets: Collection[str]) -> Any:
    pattern = re.compile("|".join(re.escape(s) for s in sorted(secrets, key=len, reverse=True))) if secrets else None

    def cut(_logger: Any, _name: str, event: Any) -> Any:
        """Once over the event's own texts, once over the finished line, which holds what is nested in it too."""
        if pattern is not None and isinstance(event, str):
            return pattern.sub("***", event)
        if pattern is not None:
            for name, value in event.items():
                if isinstance(value, str):
                    event[name] = pattern.sub("***", value)
        return event

    return cut
