"""OrderWise: stock, despatch and books of one tenant. Its words live in this folder."""

from integration.erp.orderwise.adapter import OrderWise, connect, headers
from integration.erp.orderwise.discounts import has_name
from integration.erp.orderwise.examination import examine
from integration.erp.orderwise.profile import profile_of as check_mapping

__all__ = ["OrderWise", "check_mapping", "connect", "examine", "has_name", "headers"]
