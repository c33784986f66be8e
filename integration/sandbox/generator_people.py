"""Invented customers, with the names and addresses that break software: short, long, right-to-left, with emoji."""

NAMES = (
    ("Ada", "Byron"), ("Siobhán", "O'Brien"), ("Jean-Luc", "d’Aubigné"), ("Åsa", "Öström"), ("Zoë", "van der Berg-Ñúñez"),
    ("X", "Y"), ("Null", "Null"), ("ليلى", "الصباح"), ("נועה", "לוי"), ("花子", "山田"), ("Bobby", "Tables'); --"),
    ("Grace 🌸", "Hopper"), ("Maximiliane Friederike Charlotte Wilhelmina", "von und zu Hohenlohe-Langenburg-Schillingsfürst"),
    ("Tom", "Smith"), ("Tom", "Smith"), ("Emma", "Jansen"), ("Lars", "Lindqvist"), ("Chloé", "Martin"), ("Aoife", "Ní Dhomhnaill"),
)  # fmt: skip
"""First and last names; some twice, because people share them."""

SHARED_EMAIL = "family.account@example.com"
"""One address several people order with, each under their own name."""

PLACES: dict[str, tuple[dict[str, str], ...]] = {
    "GB": (
        {"address1": "1 High Street", "city": "Leeds", "zipCode": "LS1 1AA"},
        {"address1": "Flat 3½, The Old Bakery, 221b Upper & Lower Little Chalfont Street", "city": "London", "zipCode": "NW1 6XE"},
        {"address1": "O'Connell's Yard", "address2": "rear entrance", "city": "St. Ives", "zipCode": "TR26 1AB"},
    ),
    "DE": (
        {"address1": "Königsallee 7", "city": "Düsseldorf", "zipCode": "40212"},
        {"address1": "Donaudampfschifffahrtsgesellschaftskapitänswitwenweg 123 Hinterhaus links", "city": "Passau", "zipCode": "94032"},
    ),
    "FR": ({"address1": "12 bis, rue de l’Abbé-de-l’Épée", "city": "Paris", "zipCode": "75005"},),
    "NL": ({"address1": "'s-Gravenhekje 1-A", "city": "'s-Hertogenbosch", "zipCode": "5211 AA"},),
    "IE": ({"address1": "Baile Átha Troim", "city": "Trim", "zipCode": ""},),
    "SE": (
        {"address1": "Östra Ågatan 19", "city": "Uppsala", "zipCode": "753 22"},
        {"address1": "c/o Åkesson, Box 42", "city": "Ö", "zipCode": "123 45"},
    ),
    "US": (
        {"address1": "350 5th Ave", "address2": "Ste 7710", "city": "New York", "zipCode": "10118", "stateOrProvince": "NY"},
        {"address1": "1 Main St #️⃣", "city": "Hoboken", "zipCode": "07030-1234", "stateOrProvince": "NJ"},
    ),
    "JP": ({"address1": "千代田1-1", "city": "千代田区", "zipCode": "100-0001", "stateOrProvince": "東京都"},),
    "KW": ({"address1": "شارع فهد السالم ٤٥", "city": "مدينة الكويت", "zipCode": ""},),
    "NO": ({"address1": "Ærøgata 5", "city": "Ålesund", "zipCode": "6002"},),
}  # fmt: skip
"""Addresses by country, with Centra's field names."""

PHONES = ("+44 20 7946 0000", "0046701234567", "(212) 555-0100", "", "")
"""Phone numbers as people type them; empty where they do not."""
