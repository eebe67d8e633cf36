"""Templates of operators for what is sent. Loaded only where the config names one."""

import difflib
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestrator.core.errors import ConfigInvalid
from orchestrator.notify.letters import VARIABLES
from orchestrator.views import duration, size, visible


def read_template(file: Path, place: str) -> Template:
    """The template in `file`; ConfigInvalid says what is wrong, and in which line. It is not rendered here."""
    try:
        source = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigInvalid(place=place, problems=f"{file} cannot be read: {cause}") from cause
    environment = _environment()
    try:
        tree = environment.parse(source)
        if unknown := sorted(meta.find_undeclared_variables(tree) - VARIABLES):
            close = difflib.get_close_matches(unknown[0], VARIABLES, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigInvalid(place=place, problems=f"{file}: unknown variable {unknown[0]}{hint}")
        return environment.from_string(source)
    except TemplateSyntaxError as cause:
        raise ConfigInvalid(place=place, problems=f"{file}, line {cause.lineno}: {cause.message}") from cause
    except TemplateError as cause:
        raise ConfigInvalid(place=place, problems=f"{file}: {cause.message}") from cause


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"size": size, "duration": duration, "visible": visible}
    return environment
