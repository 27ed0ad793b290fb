"""`python -m taskcfg_cli`: the same as `taskcfg`."""

import sys

from taskcfg_cli.main import main

sys.exit(main())
