"""The documents and their arithmetic: frozen dataclasses that know no database, no network and no vendor."""
