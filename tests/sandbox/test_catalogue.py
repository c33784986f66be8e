from decimal import Decimal

import pytest

from integration.sandbox import catalogue as shop


def test_a_sku_is_product_variant_and_size_number_without_separator():
    good = shop.GOODS["LS101NVS"]
    assert (good.product_number, good.variant_number, good.size_number) == ("LS101", "NV", "S")


def test_no_two_goods_share_an_ean_or_a_size():
    goods = shop.GOODS.values()
    assert len({good.ean for good in goods}) == len({good.size_id for good in goods}) == len(goods) > 100


def test_every_ean_has_a_right_check_digit():
    for good in shop.GOODS.values():
        digits = [int(digit) for digit in good.ean]
        assert len(digits) == 13
        assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def test_no_price_has_more_decimals_than_its_currency():
    for good in shop.GOODS.values():
        for currency, price in good.prices.items():
            assert -price.as_tuple().exponent <= shop.DECIMALS[currency]


def test_exactly_two_skus_are_unknown_to_the_erp():
    assert len(shop.UNKNOWN_SKUS) == 2
    assert set(shop.UNKNOWN_SKUS) | set(shop.ERP_SKUS) == set(shop.GOODS)


def test_every_tax_a_mapped_order_can_bear_has_a_tax_in_the_erp():
    erp = {(tax.country, tax.rate) for tax in shop.FULFIL_TAXES}
    for market in shop.MARKETS.values():
        for code in market.countries if market.id != shop.UNMAPPED_MARKET else ():
            for percent in shop.COUNTRIES[code].taxes.values():
                assert any(country == code and rate * 100 == percent for country, rate in erp)


def test_every_market_has_a_channel_of_its_currency_so_that_mapping_the_unmapped_one_is_the_whole_cure():
    for market in shop.MARKETS.values():
        if market.id in shop.ORDERWISE_MARKETS:
            continue
        channel = shop.FULFIL_CHANNELS.get(market.id)
        assert channel is not None
        assert channel.currency == market.currency


def test_every_shipping_option_has_a_carrier_service():
    chosen = [service for service in shop.FULFIL_CARRIER_SERVICES if service.code != shop.UNMAPPED_SERVICE]
    served = {(service.channel_id, service.shipping_option) for service in chosen}
    offered = {(option.market_id, option.uri) for option in shop.SHIPPING_OPTIONS}
    assert served == {(market, option) for market, option in offered if market not in shop.ORDERWISE_MARKETS}


def test_every_centra_warehouse_is_a_building_of_one_erp():
    assert {w.fulfil_id for w in shop.FULFIL_BUILDINGS.values()} == set(shop.FULFIL_WAREHOUSES)


def test_parts_of_bundles_are_sold():
    for good in shop.GOODS.values():
        assert all(sku in shop.GOODS for sku, _ in good.parts)


def test_a_class_without_its_own_rate_pays_the_standard_one():
    assert shop.COUNTRIES["GB"].tax_percent("kids") == 0
    assert shop.COUNTRIES["DE"].tax_percent("kids") == Decimal(19)


def test_a_country_nobody_sells_to_is_named():
    with pytest.raises(KeyError, match="XX"):
        shop.market_of_country("XX")
