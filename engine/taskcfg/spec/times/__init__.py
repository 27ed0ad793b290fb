"""Fire-time arithmetic, pure: from a schedule and a zone to nominal times, either way."""
