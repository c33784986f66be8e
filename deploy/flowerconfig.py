"""Flower with the desk inside: `celery -A tasks flower --conf=deploy/flowerconfig.py`.

Flower executes this file before it builds its application; the names below that are Flower options become its options.
What is given on the command line or as FLOWER_… wins over the defaults here, but not over the lock on the door. Nothing
has to be put on the import path: `-A tasks` has loaded our packages before this file is read.
"""

import sys

from tornado.options import options

from integration.settings import SettingsError, read_settings
from integration.wiring import Chance
from tasks import desk
from tasks.desk import door

try:
    _told = read_settings().variables
    address = door.address(options.address)
    port = options.port if options.port != door.PORT else door.port(_told)
    # OAuth (--auth) names its own guests; asking for a password too would lock them out.
    basic_auth = (
        [] if options.auth else door.credentials(_told, options.basic_auth or [], address, Chance().random_bytes)
    )
except SettingsError as error:
    sys.exit(f"Flower does not start: {error}")

natural_time = True  # "2 minutes ago" on Flower's own pages; ours always say UTC too
max_tasks = 10_000  # finished tasks kept in memory to look at; the ledger remembers all of them
purge_offline_workers = 3_600  # a worker that is gone for an hour leaves the metrics

desk.install()
