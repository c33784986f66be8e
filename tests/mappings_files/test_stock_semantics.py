"""A set-up that would deduct an order twice, or not at all, is refused with the arithmetic in words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mappings import BrokenMapping, check_one_feed, load, parse

TEXT = (Path(__file__).parent.parent.parent / "mappings" / "fulfil.toml").read_text(encoding="utf-8")


def refused(text: str) -> str:
    with pytest.raises(BrokenMapping) as raised:
        parse(text, "fulfil.toml")
    return str(raised.value)


def zoned(text: str) -> str:
    for warehouse in (4, 65, 66, 67):
        text = text.replace(f"warehouses = [{warehouse}]", f"warehouses = [{warehouse}]\nzones = [{warehouse}02]")
    return text


def words(name: str, value: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        line = next(line for line in text.splitlines() if line.startswith(f"{name} ="))
        return text.replace(line, f"{name} = {value}", 1)

    return change


@pytest.mark.scenario("STK-01")
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([words("figure", '"on hand"')], "10 of the 7 that are left"),
        ([words("figure", '"on hand"'), words("other_channels", "false")], "2 of them in quarantine"),
        (
            [
                words("buffer", "2"),
                lambda t: t.replace("warehouses = [65]", "warehouses = [65]\nstorefront_threshold = 3"),
            ],
            "shoppers see 5 instead of 8",
        ),
        (
            [
                lambda t: t.replace("[stock.places.1]", "[stock.buffers]\nLS = 4\n\n[stock.places.1]"),
                lambda t: t.replace("warehouses = [65]", "warehouses = [65]\nstorefront_threshold = 1"),
            ],
            "shoppers see 5 instead of 6",
        ),
        ([lambda t: t.replace("warehouses = [66]", "warehouses = [65]")], "with 10 pieces in it, 20 would be offered"),
        ([lambda t: t.replace("warehouses = [66]", "warehouses = [99]")], "stands behind no place"),
        (
            [lambda t: t.replace("BX501ST1 = {", "BX501ST1 = { BX502ST1 = 1,")],
            "a bundle itself: name the pieces that are stocked",
        ),
        ([lambda t: t.replace("[options]", "[options]\npoll_minutes = 15")], "[stock] promises to show what changed"),
        (
            [lambda t: t.replace("[options]", "[options]\npoll_minutes = 30"), words("shown_within_minutes", "45")],
            "[shipments] promises to show what changed there within 30",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(changes: list[Callable[[str], str]], told: str) -> None:
    text = TEXT
    for change in changes:
        text = change(text)
    assert text != TEXT
    assert told in refused(text)


def test_each_figure_and_quantity_type_has_a_set_up_that_is_not_refused() -> None:
    hand = words("other_channels", "false")(words("figure", '"on hand"')(TEXT))
    for quantity_type in ("physical", "free to allocate"):
        for text in (TEXT, zoned(hand)):
            mapping = parse(words("quantity_type", f'"{quantity_type}"')(text), "fulfil.toml")
            assert mapping.stock is not None
            assert mapping.stock.quantity_type == quantity_type


def test_one_of_the_two_buffers_may_stand() -> None:
    parse(words("buffer", "2")(TEXT), "fulfil.toml")
    parse(TEXT.replace("warehouses = [65]", "warehouses = [65]\nstorefront_threshold = 3"), "fulfil.toml")


def test_a_warehouse_of_centra_is_fed_by_one_connection(tmp_path: Path) -> None:
    (tmp_path / "fulfil.toml").write_text(TEXT, encoding="utf-8")
    other = TEXT.replace('"Europe /', '"Other /').replace('"America /', '"Other /').replace('"Asia /', '"Other /')
    (tmp_path / "second.toml").write_text(other, encoding="utf-8")
    with pytest.raises(BrokenMapping, match="wipe out the other's figure"):
        load(tmp_path)
    elsewhere = other.replace("[stock.places.", "[stock.places.1")
    check_one_feed([parse(TEXT, "fulfil.toml"), parse(elsewhere, "second.toml")])


def test_buffers_and_exclusions_are_by_the_beginning_of_a_sku() -> None:
    extra = '[stock.buffers]\nLS = 2\nLS101 = 5\n\n[stock.excluded]\n"PACK-" = "packaging"\n\n[stock.places.1]'
    stock = parse(TEXT.replace("[stock.places.1]", extra), "fulfil.toml").stock
    assert stock is not None
    assert [stock.buffer_of(sku) for sku in ("LS101NVS", "LS102NVS", "KD201NVS")] == [5, 2, 0]
    assert (stock.why_excluded("PACK-BOX"), stock.why_excluded("LS101NVS")) == ("packaging", "")
