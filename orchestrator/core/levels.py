"""How much something must matter to be logged, from the least to the most."""

from typing import Literal

Level = Literal["debug", "info", "warning", "error"]
