"""Check image, compose and chart with the tools of their makers: `make check-deploy`."""

import sys
from pathlib import Path

from tests.deploy.check.checks import problems
from tests.deploy.check.tools import ToolError, tools

try:
    found = list(problems(Path("deploy"), tools()))
except ToolError as error:
    sys.exit(f"the check needs Go, Maven and Java, told in deploy/README.md: {error}")
for problem in found:
    sys.stderr.write(f"{problem}\n")
sys.exit(1 if found else 0)
