"""One worker replica: the Faust application, the turns it takes, and what it tells of itself."""
