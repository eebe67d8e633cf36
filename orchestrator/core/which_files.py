"""Which files an entry of a job means, and where they go: the keys of `[[restore]]` that are about paths."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from orchestrator.core.layout import drives_of, folder_of
from orchestrator.core.paths import GuestPath, PathRefused, expand_destination, parse_guest_path
from orchestrator.core.select import Bounds, Selector
from orchestrator.core.sizes import age_of, size_of

STRICT = ConfigDict(extra="forbid", frozen=True)
"""How every model of a job file is read: an unknown key is an error."""


def _guest_paths(texts: list[str]) -> list[str]:
    for text in texts:
        try:
            parse_guest_path(text)
        except PathRefused as error:
            raise ValueError(str(error)) from error
    return texts


def _size(value: Any) -> Any:
    if isinstance(value, str):
        size_of(value)
    elif not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no size; write it as 10 MB, 1.5 GiB or 4096 (bytes)")
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone; add Z for UTC or an offset such as +02:00, or set time_zone")
        return value
    try:
        age_of(value if isinstance(value, str) else repr(value))
    except ValueError:
        raise ValueError(
            f"{str(value)!r} is neither an instant such as 2026-11-20T06:00:00Z nor an age such as 30d"
        ) from None
    return value


def _destination(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError(f"write one folder, or a table of guest path and folder (got {value!r})")
    if not value:
        raise ValueError("must not be empty")
    if isinstance(value, str):
        return check_template(value)
    for path, folder in value.items():
        _guest_paths([path])
        if not isinstance(folder, str) or not folder:
            raise ValueError(f"{path}: write the folder into which it goes (got {folder!r})")
        check_template(folder)
    return value


def check_template(text: str) -> str:
    """`text`, when it can be a destination; ValueError for a placeholder that is none."""
    try:
        expand_destination(text, vm="vm", run="run", created=_ANY)
    except PathRefused as error:
        raise ValueError(str(error)) from error
    return text


_ANY = datetime(2026, 11, 20, tzinfo=UTC)


Size = Annotated[int | str, BeforeValidator(_size)]
"""Bytes, or a text such as `10 MB`."""

Moment = Annotated[datetime | str, BeforeValidator(_moment)]
"""An instant with its time zone, or an age before the restore point such as `30d`."""

GuestPaths = Annotated[list[str], AfterValidator(_guest_paths)]


class WhichFiles(BaseModel):
    """Files of a machine, and where they go."""

    model_config = STRICT
    paths: GuestPaths = Field(
        default_factory=list,
        min_length=1,
        description=r"Guest paths: C:\Shares, D:\, /srv/data, or * for every volume.",
    )
    paths_from: str | None = Field(
        default=None, min_length=1, description="File with one guest path a line, relative to the job file."
    )
    include: list[str] = Field(default_factory=list, description="gitignore-style patterns; only matching files.")
    exclude: list[str] = Field(
        default_factory=list, description="gitignore-style patterns; matching files are left out."
    )
    larger_than: Size | None = Field(default=None, description="Only files with more bytes: 10 MB, 1 GiB, 4096.")
    smaller_than: Size | None = Field(default=None, description="Only files with fewer bytes.")
    modified_after: Moment | None = Field(
        default=None, description="Only files changed at or after this instant, or this long before the restore point."
    )
    modified_before: Moment | None = Field(
        default=None, description="Only files changed before this instant, or longer before the restore point."
    )
    to: Annotated[str | dict[str, str], BeforeValidator(_destination)] | None = Field(
        default=None, description="Destination folder, instead of defaults.to; or a folder for each guest path."
    )
    prefix: str | None = Field(default=None, min_length=1, description="Folder below to for the files of this entry.")
    strip: GuestPaths = Field(
        default_factory=list, description="Guest folders whose content lands right below the destination."
    )
    drives: dict[str, str] = Field(
        default_factory=dict, description='Folders that stand for the volumes: { C = "system", D = "" }.'
    )

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_parse(cls, patterns: list[str], field: ValidationInfo) -> list[str]:
        Selector.check(patterns, including=field.field_name == "include")
        return patterns

    @field_validator("prefix")
    @classmethod
    def _stays_below(cls, prefix: str | None) -> str | None:
        return None if prefix is None else folder_of(check_template(prefix)) or None

    @field_validator("drives")
    @classmethod
    def _are_drives(cls, drives: dict[str, str]) -> dict[str, str]:
        drives_of(drives)
        return drives

    @field_validator("strip")
    @classmethod
    def _strips_folders(cls, strip: list[str]) -> list[str]:
        if "*" in strip:
            raise ValueError("* is no folder; name the folders whose content is to land right below the destination")
        return strip

    @model_validator(mode="after")
    def _wants_something(self) -> Self:
        if not self.paths and self.paths_from is None and not isinstance(self.to, dict):
            raise ValueError("say which files: paths, paths_from, or to as a table of guest path and folder")
        if isinstance(self.to, dict) and (self.strip or self.drives or self.prefix):
            raise ValueError("to as a table says where each path lands; leave strip, prefix and drives out")
        if self.larger_than is not None and self.smaller_than is not None:
            least, most = _bytes(self.larger_than), _bytes(self.smaller_than)
            if least + 1 >= most:
                raise ValueError(f"no file has more than {least} and fewer than {most} bytes")
        after, before = self.modified_after, self.modified_before
        if (type(after) is type(before) is datetime and after >= before) or (
            isinstance(after, str) and isinstance(before, str) and age_of(after) <= age_of(before)
        ):
            raise ValueError("no file was changed both after modified_after and before modified_before")
        return self

    @property
    def guest_paths(self) -> tuple[GuestPath, ...]:
        """The paths of `paths` or, without any, those of the table of destinations."""
        texts = self.paths or (self.to if isinstance(self.to, dict) else ())
        return tuple(map(parse_guest_path, texts))

    def bounds(self, created: datetime) -> Bounds:
        """The sizes and times of wanted files; `created` is the time of the restore point, from which ages count."""
        return Bounds(
            larger_than=None if self.larger_than is None else _bytes(self.larger_than),
            smaller_than=None if self.smaller_than is None else _bytes(self.smaller_than),
            modified_after=_instant(self.modified_after, created),
            modified_before=_instant(self.modified_before, created),
        )


def _bytes(size: int | str) -> int:
    return size_of(size) if isinstance(size, str) else size


def _instant(moment: datetime | str | None, created: datetime) -> datetime | None:
    if not isinstance(moment, str):
        return moment
    age: timedelta = age_of(moment)
    return created - age
