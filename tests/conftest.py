"""What every test shares: services, waiting, and an environment without the developer's own settings."""

import os

from hypothesis import settings

pytest_plugins = ["services.fixtures", "chaos.table"]

# a slow machine is no failure
settings.register_profile("taskcfg", deadline=None, print_blob=True)
settings.load_profile("taskcfg")

for name in list(os.environ):
    if name.startswith("TASKCFG_") and not name.startswith("TASKCFG_TEST_"):
        del os.environ[name]
