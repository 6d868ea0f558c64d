"""The support bundle: what is asked for when something is wrong, without what is private."""
