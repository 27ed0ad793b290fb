"""Fires to Celery: the message, the relay that publishes it, and the gate on the worker."""
