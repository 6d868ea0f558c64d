"""The adaptive random forest: river's learner, and compiled scoring from its snapshot."""
