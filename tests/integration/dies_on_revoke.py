"""A worker that dies when it is told to give tasks back, before it has."""

import os

from agents.__main__ import main
from streams.engine.membership import Membership

if __name__ == "__main__":
    setattr(Membership, "_on_revoke", lambda *_: os._exit(1))  # noqa: B010 - mypy knows better
    main()
