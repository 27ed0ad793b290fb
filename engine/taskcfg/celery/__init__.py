"""taskcfg and Celery: our own app and worker, and what an app of yours needs to run our fires."""

from taskcfg.celery.app import add_types, make_app
from taskcfg.celery.install import install
from taskcfg.celery.worker import run_worker
from taskcfg.dispatch.gate import current_fire

__all__ = ["add_types", "current_fire", "install", "make_app", "run_worker"]
