"""The ERPs. Adapters do not know each other; each is chosen by the `adapter` line of a mapping file."""
