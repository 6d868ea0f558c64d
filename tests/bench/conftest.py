"""The contestants are programs: some of them need an environment of their own to be imported."""

collect_ignore = ["contestants"]
