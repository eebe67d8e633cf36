"""`orchestrator schema`: what job files and the config may say, for other programs."""

import json
from enum import Enum
from typing import Annotated

import typer

from orchestrator.cli.speaking import say
from orchestrator.config import Config
from orchestrator.core.job import Job


class SchemaOf(Enum):
    """What there is a schema of."""

    JOB = "job"
    CONFIG = "config"


def schema(of: Annotated[SchemaOf, typer.Argument(help="job or config")]) -> None:
    """Print the JSON Schema of job files or of the config, for editors and for checks before a drop.

    \b
    orchestrator schema job > job.schema.json
    """
    model = Job if of is SchemaOf.JOB else Config
    say(json.dumps(model.model_json_schema(), indent=2))
