"""The `schedule` of a task file: every form of it, its problems and its warnings."""
