"""The audit: every nominal time has its fire, every fire its attempts, and nothing happened twice. Pure.

In the manner of Jepsen's checker for Chronos: from the schedules it works out what should have
been recorded, compares that with what was, and reports every gap, double and extra.
"""
