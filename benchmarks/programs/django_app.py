"""Django's settings for django-celery-beat, from $BENCH_CONF; imported before its models are."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import django
from django.conf import settings

_URL = urlsplit(json.loads(Path(os.environ["BENCH_CONF"]).read_text(encoding="utf-8"))["database"])

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": _URL.hostname,
            "PORT": _URL.port or 5432,
            "USER": _URL.username,
            "PASSWORD": _URL.password or "",
            "NAME": _URL.path.lstrip("/"),
        }
    },
    INSTALLED_APPS=["django_celery_beat"],
    USE_TZ=True,
    TIME_ZONE="UTC",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DJANGO_CELERY_BEAT_TZ_AWARE=True,
)
django.setup()


def migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
