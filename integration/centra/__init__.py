"""Centra: storefront and order capture. Its words live in this folder."""
