"""A git repository's files at one commit, fetched by the program `git` and never checked out."""
