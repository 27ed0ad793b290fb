"""The APScheduler adapter: the only room that knows it."""
