"""Who may see and do what: users, their passwords, sessions and roles."""
