"""The long-running processes: the scheduler with its loops, and the supervisor of `up`."""
