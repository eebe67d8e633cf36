"""What `?action=restore` of a path below a mount asks for (em-api 8.5), and doing it to the guest's own disks."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from orchestrator.simulator.pen import NAMESPACE
from orchestrator.simulator.refusals import Refusal
from orchestrator.simulator.settings import Settings

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class RestoreSpec:
    """A `FileRestoreSpec`: to be downloaded, or to the original location."""

    download: bool = False
    overwrite: bool = False
    permissions_only: bool = False
    credentials: tuple[str, str] | None = None


def spec_of(headers: Mapping[str, str], body: bytes) -> RestoreSpec:
    """The spec in a body; raises Refusal 400 unless it is the documented one: one of two elements, its children in the
    documented order, `Overwrite` and `PermissionsOnly` as attributes."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/json":
        raise Refusal(501, "A restore spec in JSON is not simulated.")
    if not body:
        raise Refusal(400, "Node [root] does not exist.")
    if b"<!DOCTYPE" in body:
        raise Refusal(400, "A document type declaration is not allowed.")
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise Refusal(400, "The body is not well-formed.") from error
    ways = list(root.iterchildren("*"))
    if root.tag != _named("FileRestoreSpec") or len(ways) != 1:
        raise Refusal(400, f"One element in a FileRestoreSpec of {NAMESPACE} is expected.")
    [way] = ways
    if way.tag == _named("ForDirectDownload"):
        if len(way) or way.attrib:
            raise Refusal(400, "ForDirectDownload is empty.")
        return RestoreSpec(download=True)
    if way.tag != _named("ToOriginalLocation") or set(way.attrib) - {"Overwrite", "PermissionsOnly"}:
        raise Refusal(400, "ForDirectDownload or ToOriginalLocation is expected in a FileRestoreSpec.")
    flags = [way.get(name, "false") for name in ("Overwrite", "PermissionsOnly")]
    if not all(flag in _BOOLEANS for flag in flags):
        raise Refusal(400, "Overwrite and PermissionsOnly are true or false.")
    overwrite, permissions = (_BOOLEANS[flag] for flag in flags)
    return RestoreSpec(False, overwrite, permissions, _credentials(way))


def _credentials(way: etree._Element) -> tuple[str, str] | None:
    children = list(way.iterchildren("*"))
    if not children:
        return None
    inner = list(children[0].iterchildren("*"))
    tags = [children[0].tag, *(one.tag for one in inner)]
    if len(children) != 1 or tags != [_named(name) for name in ("GuestCredentials", "UserName", "Password")]:
        raise Refusal(400, "GuestCredentials with UserName and Password is expected in ToOriginalLocation.")
    return inner[0].text or "", inner[1].text or ""


def _named(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def obstacle(spec: RestoreSpec, settings: Settings) -> tuple[str, bool]:
    """Why the guest does not let anybody in, and whether it asks for credentials; empty when it does."""
    if settings.guest_credentials is None or spec.download:
        return "", False
    if spec.credentials is None:
        return "Guest OS credentials are required.", True
    if spec.credentials != settings.guest_credentials:
        return "Logon failure: the user name or password is incorrect.", False
    return "", False


def put_back(source: Path, place: Path, spec: RestoreSpec) -> str:
    """Restore a file or a folder to where it was; what prevents it, else empty. Blocking.

    Without `overwrite` both are kept: what comes back is called `RESTORED-<name>` where the name is taken.
    """
    if spec.permissions_only:
        return "" if place.exists() else "The target object does not exist."
    if source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        for name in sorted(os.listdir(source)):
            put_back(source / name, place / name, spec)
        return ""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and not spec.overwrite:
        place = place.with_name(f"RESTORED-{place.name}")
    shutil.copy2(source, place)
    return ""
