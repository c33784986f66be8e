"""The lanes, and the machinery that moves them. The only Celery.

The steps as a table (tests hold it against the code):

| step | lane | chain of links |
|---|---|---|
| order post | orders | take order > post order > prove order |
| order cancellation | orders | take order > cancel order |
| shipment update | shipments | take dispatch > create shipment > capture shipment > complete shipment > prove shipment |
| stock push | stock | take levels > push levels > prove levels |
| product launch | stock | take product > create product > offer product |
| archiving | stock | take archive > stop selling > take archive > deactivate items > take archive > archive product |
| return receipt | returns | take return > open return > take return > complete return |
| return cancellation | returns | take return > cancel return |
| credit memo | finance | take refund > post memo > prove memo |
| nightly finance | finance | reconcile day > settle day > report day |
"""
