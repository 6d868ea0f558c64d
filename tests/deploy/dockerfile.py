"""Instructions of a Dockerfile, as far as ours uses them."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

DOCKERFILE = Path("deploy/image/Dockerfile")


@dataclass
class Instruction:
    """One instruction; `text` is what follows its name, with continued lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The JSON array that follows, or words."""
        words: list[str] = json.loads(self.text) if self.text.startswith("[") else self.text.split()
        return words


@dataclass
class Stage:
    """What one FROM begins."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction:
        """Return the last instruction of a name, which is the one that holds."""
        return [found for found in self.instructions if found.name == name][-1]

    def environment(self, arguments: dict[str, str]) -> dict[str, str]:
        """Return what all its ENV set, with the defaults of ARG in it."""
        known, env = dict(arguments), {}
        for instruction in self.instructions:
            if instruction.name in {"ARG", "ENV"}:
                for name, value in _pairs(instruction.text):
                    known[name] = _expanded(value, known)
                    if instruction.name == "ENV":
                        env[name] = known[name]
        return env


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile in order."""
    found: list[Stage] = []
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            _, _, alias = rest.partition(" AS ")
            found.append(Stage(alias))
        elif found:
            found[-1].instructions.append(Instruction(name, rest.strip()))
    return found


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, value.strip('"')) for name, value in re.findall(r'(\w+)=("[^"]*"|\S*)', text)]


def _expanded(text: str, known: dict[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], ""), text)
