"""What is in this Python environment and its Debian, with versions and licences.

`python -m deploy.image.contents` writes a bill of materials (CycloneDX 1.6), as part of building
the image; with `--licences` a table.
"""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

DPKG: Final = Path("/var/lib/dpkg/status")

_OWN: Final = "chargewatch"


def components() -> list[dict[str, Any]]:
    """Return the packages of Python and Debian as CycloneDX has them, by their names."""
    found = [*map(_of_python, distributions()), *_of_debian(DPKG)]
    return sorted(found, key=lambda component: (component["purl"].lower(), component["version"]))


def bill_of_materials() -> dict[str, Any]:
    """Return the bill of materials; the same for the same packages."""
    parts = components()
    [own] = [part for part in parts if part["name"] == _OWN]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own | {"type": "application"}},
        "components": [part for part in parts if part is not own],
    }


def licences(component: dict[str, Any]) -> str:
    """Return the licences of a package in words."""
    named = component.get("licenses", [])
    return (
        ", ".join(entry.get("expression") or entry["license"].get("name", "") for entry in named)
        or "not told"
    )


def _of_python(distribution: Distribution) -> dict[str, Any]:
    name, version = distribution.metadata["Name"], distribution.version
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}"
    return _component(name, version, purl) | _licences_of(distribution)


def _licences_of(distribution: Distribution) -> dict[str, Any]:
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return {"licenses": [{"expression": metadata["License-Expression"]}]}
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier", [])
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    # Some have the whole text where a name belongs.
    names = classifiers or "".join(metadata.get_all("License", [])).strip().splitlines()[:1]
    return {"licenses": [{"license": {"name": name}} for name in names]} if names else {}


def _of_debian(status: Path) -> Iterator[dict[str, Any]]:
    if not status.exists():
        return
    for paragraph in status.read_text(encoding="utf-8").split("\n\n"):
        lines = (line.partition(": ") for line in paragraph.splitlines() if line[:1].isalpha())
        fields = {name: value for name, _, value in lines}
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={fields['Architecture']}"
            yield _component(name, version, purl)


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def main(arguments: list[str]) -> None:
    """Write the bill of materials, or the table."""
    if arguments == ["--licences"]:
        for component in components():
            if component["purl"].startswith("pkg:pypi/"):
                sys.stdout.write(
                    f"{component['name']:<24} {component['version']:<14} {licences(component)}\n"
                )
    else:
        sys.stdout.write(json.dumps(bill_of_materials(), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
