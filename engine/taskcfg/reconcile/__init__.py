"""Two states to a plan: pure."""
