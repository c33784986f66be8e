"""The shape of a mapping file and of the playbook: unknown tables and keys are refused, by name."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from integration.domain.money import MoneyError, exponent
from integration.domain.pricing import KINDS
from integration.domain.product import COMPARED, MASTERS, PRICE, REQUIRED, SKU, STOREFRONT
from integration.domain.returns import DISPOSITIONS
from integration.domain.settling import AT_ONCE, TRIGGERS
from integration.domain.stock import FIGURES, PHYSICAL, QUANTITY_TYPES


class BrokenMapping(ValueError):
    """A mapping that cannot be used; `str()` names file, table and key."""

    def __init__(self, file: str, table: str, key: str, problem: str) -> None:
        place = f" [{table}]" if table else ""
        super().__init__(f"{file}{place}{f' {key}' if key else ''}: {problem}")
        self.file, self.table, self.key, self.problem = file, table, key, problem


class _Strict(Schema):
    class Meta:
        unknown = RAISE


def _name(**terms: Any) -> fields.String:
    return fields.String(required=True, validate=validate.Length(min=1, max=200), **terms)


def _flag() -> fields.Boolean:
    """true or false, and no word that might mean either."""
    return fields.Boolean(load_default=False, truthy={True}, falsy={False})


def _currency(value: str) -> None:
    try:
        exponent(value)
    except MoneyError as error:
        raise ValidationError(str(error)) from error


def _zone(value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValidationError(f"{value!r} is not a time zone") from error


def _percent(value: str) -> None:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,4})?|100", value) or (value.endswith("0") and "." in value):
        raise ValidationError(f'{value!r} is not a plain percentage such as "20" or "5.5"')


def _instant(value: Any) -> None:
    if not isinstance(value, date):
        raise ValidationError("write a TOML date or date-time, without quotes")


class _Connection(_Strict):
    adapter = _name()
    centra = _name()
    start_at = fields.Raw(required=True, validate=_instant)
    time_zone = fields.String(required=True, validate=_zone)


class _Released(_Strict):
    statuses = fields.List(_name(), required=True, validate=validate.Length(min=1))
    on_hold = _flag()
    waiting_for_payment = _flag()
    internal = _flag()


_HOURS = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]\Z")


class _Schedule(_Strict):
    trigger = fields.String(required=True, validate=validate.OneOf(TRIGGERS))
    settle_minutes = fields.Integer(strict=True, load_default=30, validate=validate.Range(min=1))
    at_most_minutes = fields.Integer(strict=True, load_default=240, validate=validate.Range(min=1))
    every_minutes = fields.Integer(strict=True, load_default=15, validate=validate.Range(1, 1440))
    closed = fields.List(fields.String(validate=validate.Regexp(_HOURS)), load_default=list)

    @validates_schema
    def _holds_together(self, told: Mapping[str, Any], **_: Any) -> None:
        if 1440 % told["every_minutes"]:
            raise ValidationError("runs would drift through the day: a day is no whole number of them", "every_minutes")
        if told["at_most_minutes"] < told["settle_minutes"]:
            raise ValidationError("is shorter than settle_minutes: no order would ever settle", "at_most_minutes")
        if sum(map(_minutes, told["closed"])) + told["every_minutes"] > 1440:
            raise ValidationError("leaves no time of the day for a run", "closed")


def _minutes(hours: str) -> int:
    """How long some hours are, such as "22:00-06:30"."""
    start, end = (60 * int(at[:2]) + int(at[3:]) for at in hours.split("-"))
    return (end - start) % 1440


class _Options(_Strict):
    unit_price_decimals = fields.Integer(strict=True, load_default=4, validate=validate.Range(0, 10))
    payments = fields.String(load_default="authorised", validate=validate.OneOf(("authorised", "captured", "none")))
    poll_minutes = fields.Integer(strict=True, load_default=0, validate=validate.Range(0, 60))


class _Market(_Strict):
    channel = fields.Integer(strict=True, required=True, validate=validate.Range(min=1))
    warehouse = fields.Integer(strict=True, required=True, validate=validate.Range(min=1))
    currency = fields.String(required=True, validate=_currency)
    countries = fields.List(fields.String(validate=validate.Regexp(r"[A-Z]{2}\Z")), required=True)


class _Place(_Strict):
    warehouses = fields.List(
        fields.Integer(strict=True, validate=validate.Range(min=1)), required=True, validate=validate.Length(min=1)
    )
    zones = fields.List(fields.Integer(strict=True, validate=validate.Range(min=1)), load_default=list)
    storefront_threshold = fields.Integer(strict=True, load_default=0, validate=validate.Range(min=0))


class _Stock(_Strict):
    figure = fields.String(required=True, validate=validate.OneOf(FIGURES))
    quantity_type = fields.String(load_default=PHYSICAL, validate=validate.OneOf(QUANTITY_TYPES))
    other_channels = _flag()
    buffer = fields.Integer(strict=True, load_default=0, validate=validate.Range(min=0))
    buffers = fields.Dict(
        keys=fields.String(validate=validate.Length(min=1)),
        values=fields.Integer(strict=True, validate=validate.Range(min=0)),
        load_default=dict,
    )
    excluded = fields.Dict(keys=_name(), values=_name(), load_default=dict)
    brake_percent = fields.Integer(strict=True, load_default=30, validate=validate.Range(1, 100))
    shown_within_minutes = fields.Integer(strict=True, load_default=15, validate=validate.Range(min=1))
    compare_at = fields.Integer(strict=True, load_default=2, validate=validate.Range(0, 23))
    places = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"[1-9][0-9]{0,8}\Z")),
        values=fields.Nested(_Place),
        required=True,
        validate=validate.Length(min=1),
    )


_TRACKING = ("required", "optional")


class _Service(_Strict):
    carrier = _name()
    service = fields.String(load_default="", validate=validate.Length(max=200))
    tracking = fields.String(load_default="", validate=validate.OneOf(("", *_TRACKING)))


class _Shipments(_Strict):
    capture = fields.String(load_default="on shipment", validate=validate.OneOf(("on shipment", "elsewhere")))
    tracking = fields.String(load_default="required", validate=validate.OneOf(_TRACKING))
    tracking_within_minutes = fields.Integer(strict=True, load_default=240, validate=validate.Range(min=1))
    shown_within_minutes = fields.Integer(strict=True, load_default=30, validate=validate.Range(min=1))
    capture_within_minutes = fields.Integer(strict=True, load_default=1440, validate=validate.Range(min=1))
    services = fields.Dict(
        keys=fields.String(validate=validate.Length(max=200)), values=fields.Nested(_Service), load_default=dict
    )


class _Returns(_Strict):
    announce = fields.String(load_default="off", validate=validate.OneOf(("off", "return order")))
    inspection = fields.String(load_default="off", validate=validate.OneOf(("off", "inventory moves", "return lines")))
    dispositions = fields.Dict(
        keys=_name(), values=fields.String(validate=validate.OneOf(DISPOSITIONS)), load_default=dict
    )
    reason = fields.String(load_default="Return", validate=validate.Length(min=1, max=100))
    received_within_days = fields.Integer(strict=True, load_default=30, validate=validate.Range(min=1))
    inspected_within_days = fields.Integer(strict=True, load_default=3, validate=validate.Range(min=1))


class _Credit(_Strict):
    strategy = fields.String(load_default="off", validate=validate.OneOf(("off", "invoice", "credit order")))
    account = fields.String(load_default="", validate=validate.Length(max=100))
    accounts = fields.Dict(
        keys=fields.String(validate=validate.OneOf(("goods", "shipping", "handling", "goodwill", "fee", "vouchers"))),
        values=_name(),
        load_default=dict,
    )
    goodwill_tax = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"[A-Z]{2}\Z")),
        values=fields.String(validate=_percent),
        load_default=dict,
    )
    memo_within_minutes = fields.Integer(strict=True, load_default=1440, validate=validate.Range(min=1))


def _masters(told: Mapping[str, str]) -> None:
    """A master that nothing could enforce is not declared."""
    if told.get(PRICE, STOREFRONT) != STOREFRONT:
        raise ValidationError(
            'of prices only "storefront" can be master: orders carry its final prices and the ERP prices no line; no confirmed '
            "read of its API shows the prices of a catalogue, so those of an ERP could be held against nothing"
        )
    if SKU in told:
        raise ValidationError(
            "a SKU has no master: it is what the two systems know each other's articles by, so another spelling, another use "
            "and another name are cases that a person decides"
        )


class _Products(_Strict):
    staging = fields.String(load_default="off", validate=validate.OneOf(("off", "on")))
    release = fields.String(load_default="off", validate=validate.OneOf(("off", "variant status")))
    template = fields.String(load_default="", validate=validate.Length(max=128))
    required = fields.List(fields.String(validate=validate.OneOf(REQUIRED)), load_default=list)
    masters = fields.Dict(
        keys=fields.String(validate=validate.OneOf((*COMPARED, PRICE, SKU))),
        values=fields.String(validate=validate.OneOf(MASTERS)),
        load_default=dict,
        validate=_masters,
    )


_WORDS = fields.Dict(keys=_name(), values=_name())


class _Mapping(_Strict):
    connection = fields.Nested(_Connection, required=True)
    released = fields.Nested(_Released, required=True)
    schedule = fields.Nested(_Schedule, load_default=lambda: _Schedule().load({"trigger": AT_ONCE}))
    options = fields.Nested(_Options, load_default=lambda: _Options().load({}))
    markets = fields.Dict(keys=_name(), values=fields.Nested(_Market), required=True)
    carriers = fields.Dict(keys=_name(), values=_WORDS, required=True)
    taxes = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"[A-Z]{2}\Z")),
        values=fields.Dict(keys=fields.String(validate=_percent), values=_name()),
        required=True,
    )
    shipping_tax = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"[A-Z]{2}\Z")),
        values=fields.String(validate=_percent),
        required=True,
    )
    vouchers = fields.Dict(keys=_name(), values=fields.String(validate=validate.OneOf(KINDS)), required=True)
    tenders = fields.Dict(keys=_name(), values=_name(), required=True)
    bundles = fields.Dict(
        keys=_name(),
        values=fields.Dict(keys=_name(), values=fields.Integer(strict=True, validate=validate.Range(min=1))),
        load_default=dict,
    )
    facilities = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"[1-9][0-9]{0,8}\Z")),
        values=fields.List(fields.String(validate=validate.Regexp(r"[A-Z]{2}\Z"))),
        load_default=dict,
    )
    stock = fields.Nested(_Stock, load_default=None)
    shipments = fields.Nested(_Shipments, load_default=lambda: _Shipments().load({}))
    returns = fields.Nested(_Returns, load_default=lambda: _Returns().load({}))
    credit = fields.Nested(_Credit, load_default=lambda: _Credit().load({}))
    products = fields.Nested(_Products, load_default=None)
    tenant = fields.Dict(keys=_name(), load_default=dict)  # what is one ERP's own: its adapter knows the words


class _Rule(_Strict):
    title = _name()
    meaning = _name()
    owner = fields.String(
        required=True,
        validate=validate.OneOf(("Ecommerce", "Merchandising", "Operations", "CX", "Finance", "Integration")),
    )
    deputy = _name()
    act_within_minutes = fields.Integer(strict=True, required=True, validate=validate.Range(min=1))
    action = fields.String(required=True, validate=validate.Length(min=1, max=600))
    verifier = fields.String(required=True, validate=validate.Length(min=1, max=300))


_MAPPING = _Mapping()
_RULE = _Rule()


def check_mapping(told: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Validated tables of a mapping file. Raises `BrokenMapping`; also where tables contradict each other."""
    try:
        found: dict[str, Any] = _MAPPING.load(dict(told))
    except ValidationError as error:
        raise _broken(file, error.messages) from error
    for market in found["markets"]:
        if market not in found["carriers"]:
            raise BrokenMapping(file, "carriers", market, "this market has no carriers")
        for country in found["markets"][market]["countries"]:
            for table in ("taxes", "shipping_tax"):
                if country not in found[table]:
                    raise BrokenMapping(file, table, country, f"{market} sells to {country}, which has none here")
    for country, percent in found["shipping_tax"].items():
        if percent not in found["taxes"].get(country, {}):
            raise BrokenMapping(file, "shipping_tax", country, f"[taxes.{country}] has no row for {percent}")
    for country, percent in found["credit"]["goodwill_tax"].items():
        if percent not in found["taxes"].get(country, {}):
            raise BrokenMapping(file, "credit.goodwill_tax", country, f"[taxes.{country}] has no row for {percent}")
    return found


def check_playbook(told: Mapping[str, Any], file: str) -> dict[str, dict[str, Any]]:
    """Validated rules by exception type. Raises `BrokenMapping`."""
    rules = {}
    for type, row in told.items():
        try:
            rules[type] = _RULE.load(row)
        except ValidationError as error:
            raise _broken(file, {type: error.messages}) from error
    if "DEAD_LETTER" not in rules:
        raise BrokenMapping(file, "DEAD_LETTER", "", "this type must exist: it is where the unforeseen goes")
    return rules


def _broken(file: str, messages: Any) -> BrokenMapping:
    """The first problem of a marshmallow report, as file, table, key, words."""
    path: list[str] = []
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        if key not in ("key", "value", "_schema"):
            path.append(str(key))
    problem = messages[0] if isinstance(messages, list) else str(messages)
    return BrokenMapping(file, ".".join(path[:-1]) or (path[0] if path else ""), path[-1] if path else "", str(problem))
