"""Fulfil: stock, fulfilment and books. Its words live in this folder."""

from integration.erp.fulfil.adapter import Fulfil, connect, headers

__all__ = ["Fulfil", "connect", "headers"]
