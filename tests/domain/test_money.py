from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integration.domain.money import Money, MoneyError, digits, exponent, tax_rate, total, unit_prices

CURRENCIES = st.sampled_from(["GBP", "EUR", "SEK", "USD", "JPY", "KRW", "KWD", "BHD"])


@pytest.mark.parametrize("value", [19.99, 0.0, float("nan"), float("inf"), True, False, None, [], {}, b"1", 1 + 0j])
def test_only_exact_numbers_are_amounts(value):
    with pytest.raises(MoneyError, match=f"not an exact amount: a {type(value).__name__}"):
        Money.of(value, "GBP")


@pytest.mark.parametrize(
    "text",
    [
        "١٢", "१२", "１２", "²", "1_0", "1e3", "1E400", "NaN", "nan", "Infinity", "-Infinity", "sNaN", "", " 1", "1 ", "1\n",
        "+1", "--1", "1.", ".5", "1,5", "1.2.3", "0x10", "½", "1" * 16, "1." + "1" * 28, "0." + "0" * 40 + "1",
    ],
)  # fmt: skip
def test_digits_takes_plain_ascii_digits_and_nothing_else(text):
    with pytest.raises(MoneyError):
        digits(text)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")])
def test_a_decimal_that_is_no_number_is_refused(value):
    with pytest.raises(MoneyError):
        digits(value)


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1E+400"),
        Decimal("-1E+99999999"),
        Decimal("1E-9999999"),
        Decimal("1E+15"),
        10**15,
        -(10**15),
        10**400,
        Decimal("1." + "1" * 40),
    ],
)
def test_a_number_no_ledger_could_hold_is_refused_and_takes_no_time(value):
    with pytest.raises(MoneyError):
        Money.of(value, "KWD")


@given(st.floats())
def test_no_float_is_ever_money(value):
    with pytest.raises(MoneyError):
        digits(value)
    with pytest.raises(MoneyError):
        tax_rate(value)


@given(st.text())
def test_a_text_is_refused_or_is_exactly_its_digits(text):
    try:
        found = digits(text)
    except MoneyError:
        return
    assert text.isascii()
    assert set(text) <= set("-0123456789.")
    assert found == Decimal(text)


@pytest.mark.parametrize(("currency", "decimals"), [("GBP", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("BHD", 3)])
def test_the_minor_unit_is_the_currencys_own(currency, decimals):
    assert exponent(currency) == decimals
    assert Money.of("12", currency).minor == 12 * 10**decimals
    assert str(Money(1, currency).decimal) == str(Decimal(1).scaleb(-decimals))


@pytest.mark.parametrize("currency", ["ZZZ", "", "gbp", "GBP ", "XAU", "XXX", "£"])
def test_what_is_no_currency_with_a_minor_unit_is_refused(currency):
    with pytest.raises(MoneyError):
        exponent(currency)


@pytest.mark.parametrize(
    ("told", "minor"),
    [
        ("1.005", 101),
        ("1.00499999", 100),
        ("-1.005", -101),
        ("-1.00499999", -100),
        ("67.30000000000001", 6730),
        ("0.004999999999", 0),
        ("67.29999999999999", 6730),
        ("0.5", 50),
    ],
)
def test_digits_beyond_the_minor_unit_round_half_away_from_zero(told, minor):
    assert Money.of(told, "GBP").minor == minor
    assert Money.of(Decimal(told), "GBP").minor == minor


def test_the_float_dust_around_zero_is_zero():
    assert Money.of(Decimal("5.551115123125783E-17"), "GBP") == Money(0, "GBP")


@given(st.integers(-(10**14), 10**14), CURRENCIES)
def test_an_amount_survives_its_own_digits(minor, currency):
    amount = Money(minor, currency)
    assert Money.of(format(amount.decimal, "f"), currency) == amount
    assert Money.of(amount.decimal, currency) == amount


@pytest.mark.parametrize("minor", [1.0, "1", True, Decimal(1), None])
def test_minor_units_are_whole(minor):
    with pytest.raises(MoneyError):
        Money(minor, "GBP")


def test_currencies_do_not_mix():
    pound, euro = Money(1, "GBP"), Money(1, "EUR")
    for mix in (lambda: pound + euro, lambda: pound - euro, lambda: total([pound, euro], "GBP")):
        with pytest.raises(MoneyError):
            mix()
    assert pound != euro


@given(st.integers(-(10**12), 10**12), st.lists(st.fractions(0, 10**6), min_size=1, max_size=12).filter(any))
@example(-1, [Fraction(1), Fraction(1), Fraction(1)])
@example(100, [Fraction(0), Fraction(1, 3)])
def test_an_allocation_sums_to_the_whole_and_no_share_is_a_unit_off(minor, weights):
    parts = Money(minor, "GBP").allocate(weights)
    assert sum(p.minor for p in parts) == minor
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor - minor * weight / sum(weights)) < 1


def test_the_largest_remainder_wins_and_a_tie_goes_to_the_earlier_part():
    assert [m.minor for m in Money(100, "GBP").allocate([1, 1, 1])] == [34, 33, 33]
    assert [m.minor for m in Money(-100, "GBP").allocate([1, 1, 1])] == [-34, -33, -33]
    assert [m.minor for m in Money(10, "GBP").allocate([1, 2, 6])] == [1, 2, 7]


def test_nothing_can_be_split_over_nothing_but_nothing_else_can():
    assert Money(0, "GBP").allocate([0, 0]) == (Money(0, "GBP"),) * 2
    assert Money(0, "GBP").allocate([]) == ()
    for weights in ([], [0], [0, 0]):
        with pytest.raises(MoneyError, match="nothing to split"):
            Money(1, "GBP").allocate(weights)


@given(st.integers(-(10**9), 10**9), st.integers(1, 500), st.integers(0, 6), CURRENCIES)
@example(1, 3, 4, "GBP")
@example(-1, 3, 0, "KWD")
@example(0, 500, 6, "JPY")
@example(2997, 3, 0, "GBP")
def test_unit_prices_give_the_net_back_to_the_minor_unit(minor, quantity, decimals, currency):
    net = Money(minor, currency)
    parts = unit_prices(net, quantity, decimals)
    assert len(parts) <= 2
    assert sum(q for q, _ in parts) == quantity
    assert all(q > 0 for q, _ in parts)
    assert total([Money.of(price * q, currency) for q, price in parts], currency) == net
    places = max(decimals, exponent(currency))
    assert all(-price.as_tuple().exponent <= places for _, price in parts)
    if len(parts) == 2:
        (_, cheap), (_, dear) = parts
        assert dear - cheap == Decimal(1).scaleb(-exponent(currency))


@given(st.integers(0, 10**7), st.integers(1, 50))
def test_a_line_is_split_only_where_no_single_price_gives_the_net(minor, quantity):
    step = Decimal("0.0001")
    parts = unit_prices(Money(minor, "GBP"), quantity, 4)
    if len(parts) == 2:
        near = (Decimal(minor) / 100 / quantity).quantize(step)
        for price in (near - step, near, near + step):
            assert Money.of(price * quantity, "GBP").minor != minor


@pytest.mark.parametrize("quantity", [0, -1])
def test_no_units_have_no_unit_price(quantity):
    with pytest.raises(MoneyError):
        unit_prices(Money(100, "GBP"), quantity, 4)


@pytest.mark.parametrize("percent", ["-1", "100.01", Decimal(101), -1])
def test_a_tax_rate_is_between_nothing_and_all(percent):
    with pytest.raises(MoneyError):
        tax_rate(percent)


def test_a_tax_rate_is_exact():
    assert tax_rate("8.875") == Fraction(71, 800)
    assert tax_rate(Decimal("33.333")) == Fraction(33333, 100000)
    assert tax_rate(100) == 1


@given(st.integers(-(10**9), 10**9), st.fractions(0, 1))
def test_a_share_is_the_exact_part_within_half_a_unit(minor, part):
    share = Money(minor, "GBP").share(part)
    assert abs(share.minor - minor * part) <= Fraction(1, 2)
    assert Money(-minor, "GBP").share(part) == -share
