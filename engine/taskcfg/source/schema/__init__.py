"""The JSON Schema of task files, for editors."""
