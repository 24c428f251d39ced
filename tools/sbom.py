"""Writes a software bill of materials (SBOM) of all that is locked, as CycloneDX JSON: run by `make sbom`.

Each package of lock/ is a component with its version, the SHA-256 of each of its files, and its scope: `required` if
the package needs it, `optional` if an extra does, `excluded` if only building and testing do. The property
`freehold:lock` names the files of the lock that hold it. Licences are told by the metadata of what is installed here
in the locked version; a package that is not installed here (CUDA on a machine without it, say) has none.

Not covered: known vulnerabilities, which a scanner finds from this file, and Debian's packages in the image.
"""

from __future__ import annotations

import hashlib
import re
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from lock_files import BUILD, DEV, GATEWAY, LOCK, ROOT, UV, Pin, project, read_pins
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SCHEMA = SchemaVersion.V1_6
_LONGEST_NAME = 80  # of a licence; a longer text is the licence itself


def main() -> None:
    """Write the file that the first argument names."""
    out = Path(sys.argv[1])
    out.write_text(bill_of_materials(), encoding="utf-8")
    print(f"{out}: {sum(1 for _ in components())} packages")


def bill_of_materials() -> str:
    """The whole SBOM as JSON. Its serial number is a digest of the lock, its time that of now."""
    bom = Bom(components=components(), serial_number=_serial_number())
    told = project()["project"]
    freehold = Component(
        name="freehold",
        version=_version(),
        type=ComponentType.APPLICATION,
        bom_ref="freehold",
        licenses=_named(told["license"]),
    )
    bom.metadata.component = freehold
    direct = _direct()
    bom.register_dependency(freehold, [component for component in bom.components if component.name in direct])
    return make_outputter(bom, OutputFormat.JSON, SCHEMA).output_as_string(indent=2)


def components() -> list[Component]:
    """One component for each package and version of the lock."""
    held: dict[tuple[str, str], dict[str, Pin]] = defaultdict(dict)
    for path in sorted(LOCK.glob("*.txt")):
        for pin in read_pins(path):
            held[pin.name, pin.version][path.stem] = pin
    return [_component(name, version, files) for (name, version), files in sorted(held.items())]


def _component(name: str, version: str, files: dict[str, Pin]) -> Component:
    purl = PackageURL("pypi", None, name, version)
    digests = {digest for pin in files.values() for digest in pin.hashes}
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        scope=_scope(files),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in sorted(digests)],
        licenses=_licenses(name, version),
        properties=[Property(name="freehold:lock", value=",".join(sorted(files)))],
    )


def _scope(files: Iterable[str]) -> ComponentScope:
    if GATEWAY in files:
        return ComponentScope.REQUIRED
    return ComponentScope.EXCLUDED if set(files) <= {DEV, BUILD, UV} else ComponentScope.OPTIONAL


def _licenses(name: str, version: str) -> list[License]:
    """What the installed package says of its licence; nothing if it is not installed in this version."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return []
    is_same = told["Version"].split("+")[0] == version.split("+")[0]  # torch's CPU build has torch's licence
    return _named(_licence_name(told)) if is_same else []


def _licence_name(told: PackageMetadata) -> str:
    """The licence in the metadata: its expression, its short name, or what its classifiers say."""
    expression, text = told.get("License-Expression"), (told.get("License") or "").strip()
    if expression:
        return str(expression)
    if text and text.upper() != "UNKNOWN" and len(text) <= _LONGEST_NAME and "\n" not in text:
        return str(text)
    classifiers = [line for line in told.get_all("Classifier") or [] if line.startswith("License ::")]
    return " AND ".join(line.split(" :: ")[-1] for line in classifiers if line != "License :: OSI Approved")


def _named(name: str) -> list[License]:
    return [LicenseFactory().make_from_string(name)] if name else []


def _direct() -> set[str]:
    """The packages that pyproject.toml names for running, with and without extras."""
    told = project()["project"]
    texts = [*told["dependencies"], *(text for texts in told["optional-dependencies"].values() for text in texts)]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def _version() -> str:
    text = (ROOT / "src" / "freehold" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, flags=re.MULTILINE)
    assert found is not None
    return found[1]


def _serial_number() -> uuid.UUID:
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(LOCK.glob("*.txt"))))
    return uuid.UUID(bytes=digest.digest()[:16], version=4)


if __name__ == "__main__":
    main()
