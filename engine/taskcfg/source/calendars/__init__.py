"""Calendar files: where they are, what they say, and the public holidays they name."""
