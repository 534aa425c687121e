"""Feeds as shops write them, and others of any size."""

from app.catalogue.feed import Feed
from app.catalogue.refusal import Fault

NOW = 1_795_000_000.0

YML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE yml_catalog SYSTEM "shops.dtd">
<yml_catalog date="2026-11-25 10:00">
  <shop>
    <name>Северное сияние</name>
    <company>ООО «Сияние»</company>
    <url>https://shop.example</url>
    <currencies><currency id="RUR" rate="1"/></currencies>
    <categories>
      <category id="1">Свет</category>
      <category id="12" parentId="1">Лампы &amp; люстры</category>
    </categories>
    <delivery-options><option cost="300" days="1-3"/></delivery-options>
    <offers>
      <offer id="9012" available="true" group_id="55">
        <url>https://shop.example/lamp?id=9012&amp;utm=ym</url>
        <price>1 299,50</price>
        <oldprice>1590</oldprice>
        <currencyId>RUR</currencyId>
        <categoryId>12</categoryId>
        <picture>https://shop.example/9012.jpg</picture>
        <picture>https://shop.example/9012-b.jpg</picture>
        <name>Лампа «Север»</name>
        <vendor>Nord</vendor>
        <description><![CDATA[<p>Тёплый свет & уют.</p>]]></description>
        <delivery-options><option cost="0" days="1"/></delivery-options>
        <param name="Цвет">белый</param>
      </offer>
      <offer id="9013" type="vendor.model" available="false">
        <url>https://shop.example/9013</url>
        <price>990</price><currencyId>RUB</currencyId><categoryId>1</categoryId>
        <typePrefix>Ночник</typePrefix><vendor>Nord</vendor><model>Луна</model>
      </offer>
      <offer id="9014"><price>15</price><name>Лампочка</name><count>0</count></offer>
      <offer id="9015"><price>0</price><name>Без цены</name></offer>
      <offer><price>5</price><name>Без номера</name></offer>
      <offer id="9016"><price>дорого</price><name>Слово</name></offer>
      <offer id="9017"><price>5</price><name>Адрес</name><url>javascript:alert(1)</url></offer>
    </offers>
  </shop>
</yml_catalog>
"""

RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">
<channel>
  <title>Northlight</title><link>https://shop.example</link>
  <item>
    <g:id>L-1</g:id>
    <title>Lamp</title>
    <link>https://shop.example/l-1</link>
    <g:image_link>https://shop.example/l-1.jpg</g:image_link>
    <g:price>1,299.00 EUR</g:price>
    <g:sale_price>999.00 EUR</g:sale_price>
    <g:sale_price_effective_date>2026-01-01T00:00+0100/2027-01-01T00:00+0100</g:sale_price_effective_date>
    <g:availability>in stock</g:availability>
    <g:brand>Nord</g:brand>
    <g:product_type>Light &gt; Lamps</g:product_type>
    <g:item_group_id>L</g:item_group_id>
    <g:shipping><g:country>DE</g:country><g:price>4.95 EUR</g:price></g:shipping>
  </item>
  <item>
    <g:id>L-2</g:id><g:title>Rug</g:title><g:link>https://shop.example/l-2</g:link>
    <g:price>EUR 40</g:price><g:sale_price>30 EUR</g:sale_price>
    <g:sale_price_effective_date>2020-01-01T00:00Z/2020-02-01T00:00Z</g:sale_price_effective_date>
    <g:availability>out_of_stock</g:availability><g:google_product_category>594</g:google_product_category>
  </item>
  <item><g:id>L-3</g:id><title>Soon</title><g:price>1 EUR</g:price><g:availability>some day</g:availability></item>
</channel>
</rss>
"""

ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
  <title>Northlight</title>
  <entry><g:id>L-1</g:id><title>Lamp</title><link rel="self" href="https://x.example/"/>
    <link href="https://shop.example/l-1"/><g:price>10 EUR</g:price></entry>
</feed>
"""

TSV = (
    "ID\tTitle\tPrice\tLink\tAvailability\tcustom_label_0\n"
    "L-1\tLamp, large\t10.00 EUR\thttps://shop.example/l-1\tin stock\tx\n"
    'L-2\t"Rug ""Nord"""\t40 EUR\t\tout of stock\t\n'
    "L-3\tToo few cells\n"
)


def read(data, now=NOW, step=0, **options):
    """(offers by id, faults) of a whole feed, handed over in pieces of `step` bytes (0: at once)."""
    data = data.encode() if isinstance(data, str) else data
    feed, found = Feed(now, **options), []
    for start in range(0, len(data), step or max(1, len(data))):
        found += feed.feed(data[start : start + (step or len(data))])
    found += feed.end()
    return {item.id: item for item in found if not isinstance(item, Fault)}, [
        item for item in found if isinstance(item, Fault)
    ]


def offers(rows, encoding="UTF-8", params=6):
    """A feed of YML with `(id, price, available)`, as text pieces."""
    yield f'<?xml version="1.0" encoding="{encoding}"?>\n<yml_catalog date="2026-11-25"><shop><categories>'
    yield '<category id="1">Свет</category><category id="2" parentId="1">Лампы</category></categories><offers>\n'
    for number, (id_, price, available) in enumerate(rows):
        yield (
            f'<offer id="{id_}" available="{str(available).lower()}"><url>https://shop.example/product/{id_}?utm_source=feed</url>'
            f"<price>{price}</price><currencyId>RUB</currencyId><categoryId>2</categoryId>"
            f"<picture>https://shop.example/pictures/{id_}.jpg</picture><name>Лампа {number}</name><vendor>Nord</vendor>"
            f"<description><![CDATA[{'Тёплый свет и уют. ' * 20}]]></description>"
            + "".join(f'<param name="p{n}">{n * 7}</param>' for n in range(params))
            + "</offer>\n"
        )
    yield "</offers></shop></yml_catalog>\n"


def yml(rows):
    return "".join(offers(rows))
