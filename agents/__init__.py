"""The Faust application and its agents, the models, the decisions and the commands."""
