"""The database's tables, step by step. History is frozen: nothing here imports taskcfg."""
