"""A small shop with background tasks: an existing Celery project, before taskcfg and after."""
