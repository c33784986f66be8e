"""The business and the systems. Knows no Celery."""
