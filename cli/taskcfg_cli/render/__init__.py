"""How results look: JSON, tables, times."""
