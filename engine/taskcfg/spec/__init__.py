"""What a task is, and when it fires: pure values and arithmetic."""
