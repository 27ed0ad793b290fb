"""Text and results as the database can hold them: no NUL, no half characters, not without end."""

from __future__ import annotations

from taskcfg.spec.limits import LONGEST, storable, storable_result

__all__ = ["LONGEST", "storable", "storable_result"]
