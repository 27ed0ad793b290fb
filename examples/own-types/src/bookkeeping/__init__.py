"""Task types for a small bookkeeping office."""
