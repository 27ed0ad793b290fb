"""One layout of task files: what a file says stays, and how it is written is settled."""
