"""Files to specs: the YAML reader, what a task file may say, the loader, and what watches the folder."""
