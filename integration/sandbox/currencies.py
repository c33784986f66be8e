"""The currencies the sandbox trades in. Amounts are `Decimal` in major units."""

from decimal import ROUND_HALF_UP, Decimal

BASE_CURRENCY = "SEK"
DECIMALS = {"GBP": 2, "EUR": 2, "SEK": 2, "USD": 2, "JPY": 0, "KWD": 3, "NOK": 2}
CURRENCY_IDS = {code: number for number, code in enumerate(DECIMALS, start=1)}
BASE_RATES = {
    code: Decimal(rate)
    for code, rate in {
        "GBP": "13.20", "EUR": "11.25", "SEK": "1", "USD": "10.40", "JPY": "0.071", "KWD": "33.85", "NOK": "0.98",
    }.items()
}  # fmt: skip
"""Multiply an amount by this to get Swedish kronor."""

_IN_POUNDS = {"GBP": "1", "EUR": "1.17", "SEK": "13.2", "USD": "1.27", "JPY": "187", "KWD": "0.391", "NOK": "13.5"}


def rounded(amount: Decimal, currency: str) -> Decimal:
    """`amount` at the currency's decimals, half up (away from zero)."""
    return amount.quantize(Decimal(1).scaleb(-DECIMALS[currency]), ROUND_HALF_UP)


def in_every_currency(pounds: Decimal) -> dict[str, Decimal]:
    """A price list for something that costs `pounds` in Britain; keys are currency codes."""
    return {currency: rounded(pounds * Decimal(rate), currency) for currency, rate in _IN_POUNDS.items()}
