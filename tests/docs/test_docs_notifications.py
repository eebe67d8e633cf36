"""The chapter on notifications says what the code does, and its example of a check does what it says."""

import re
from typing import Any

from orchestrator.core.announce import EXAMPLES, Kind
from orchestrator.notify import sign
from orchestrator.notify.delivery import ATTEMPTS, QUEUE_LIMIT
from orchestrator.notify.letters import RENDER_WITHIN, VARIABLES
from orchestrator.notify.webhook import SIGNATURE
from tests.docs.reading import REFERENCE, codes, section, table


def test_the_table_of_kinds_has_every_kind_in_order() -> None:
    assert [codes(row[0])[0] for row in table(section(REFERENCE, "Kinds"))] == [kind.value for kind in Kind]


def test_the_table_of_names_has_every_name_that_a_template_may_use() -> None:
    told = {name for row in table(section(REFERENCE, "Templates")) for name in codes(row[0])}
    assert told == VARIABLES


def test_the_bounds_that_are_told_are_those_of_the_code() -> None:
    text = section(REFERENCE, "Delivery")
    assert f"at most {ATTEMPTS} times" in text
    assert f"more than {QUEUE_LIMIT} messages" in text
    assert f"longer than {RENDER_WITHIN:g} s" in text
    assert EXAMPLES == 10
    assert "names ten" in section(REFERENCE, "Kinds")


def test_the_example_of_a_check_knows_a_genuine_event_from_every_other() -> None:
    text = section(REFERENCE, "Webhook")
    assert SIGNATURE in text
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example
    names: dict[str, Any] = {}
    exec(example[1], names)  # noqa: S102 - the reference promises that it runs
    check = names["is_genuine"]
    body, at = b'{"specversion": "1.0"}', 1_795_490_000
    good = sign("secret", at, body)
    assert check("secret", good, body, now=at + 299)
    assert not check("secret", good, body, now=at + 301)
    assert not check("secret", good, body, now=at - 301)
    assert not check("secret", good, body + b" ", now=at)
    assert not check("other", good, body, now=at)
    assert not check("secret", good.replace(f"t={at}", f"t={at + 1}"), body, now=at)
    for broken in ("", "t=", "v1=", "t=x,v1=y", good.split(",")[0], good.split(",")[1]):
        assert not check("secret", broken, body, now=at)
