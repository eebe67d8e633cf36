"""The faults that `make mutations` plants are planted by exact text, which code that moves leaves behind."""

from pathlib import Path

import pytest

from tests.chaos.planted import CASES, LAWS, Mutation

PACKAGE = Path(__file__).parents[2] / "orchestrator"


@pytest.mark.parametrize("fault", [*LAWS, *CASES], ids=lambda fault: fault.name)
def test_a_fault_fits_the_code_that_it_is_planted_in(fault: Mutation) -> None:
    assert (PACKAGE / fault.file).read_text("utf-8").count(fault.old) == 1
