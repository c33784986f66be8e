"""Fulfil: stock, fulfilment and books. Its words live in this folder."""

from integration.erp.fulfil.adapter import Fulfil, connect, headers
from integration.erp.fulfil.examination import examine

__all__ = ["Fulfil", "connect", "examine", "headers"]
