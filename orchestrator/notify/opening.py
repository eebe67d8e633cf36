"""From the config to a notifier: every reference followed, every address and template looked at, nothing sent."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config import read_secret
from orchestrator.config_notifications import NotificationSettings, PingSettings, references
from orchestrator.core.announce import Kind
from orchestrator.core.errors import ConfigInvalid
from orchestrator.notify.apprising import open_service
from orchestrator.notify.delivery import Channel, Delivery, Wants
from orchestrator.notify.http import Place, place
from orchestrator.notify.letters import Writer
from orchestrator.notify.means import Means
from orchestrator.notify.notifier import Notifier
from orchestrator.notify.ping import PINGED, Heartbeat, Ping
from orchestrator.notify.webhook import Webhook
from orchestrator.views import visible

if TYPE_CHECKING:
    from jinja2 import Template


def open_notifier(
    settings: Sequence[NotificationSettings],
    ping: PingSettings,
    *,
    folder_of: Callable[[str], str],
    host: str,
    environment: Mapping[str, str],
    means: Means,
) -> Notifier:
    """The notifier of a process. `folder_of` says where the files of a run are, `host` which machine tells.

    ConfigInvalid for a reference that leads nowhere, an address that no service knows, a template that cannot be read.
    Blocks: it reads files.
    """
    channels = []
    for number, one in enumerate(settings, start=1):
        key = f"notifications[{number}]"
        name = visible(one.name) or key
        template = _template(one.template, f"{key}.template") if one.template else None
        writer = Writer(name, template, folder_of, host, means)
        wants = Wants(frozenset(map(Kind, one.on)), one.jobs, one.timeout, one.retry_for, one.linger)
        channels.append(Delivery(name, _channel(one, key, host, environment, means), writer, wants, means))
    pings = []
    if (where := _place(ping, "url", environment)) is not None:
        writer = Writer("ping", None, folder_of, host, means)
        pings.append(Delivery("ping", Ping(where, means), writer, Wants(PINGED, ping.jobs), means))
    beat = _place(ping, "heartbeat", environment)
    return Notifier(channels, means, pings, Heartbeat(beat, ping.every, means) if beat else None)


def _template(file: Path, key: str) -> "Template":
    from orchestrator.notify.templates import read_template  # most channels are content with the built-in text

    return read_template(file, key)


def _channel(
    settings: NotificationSettings, key: str, host: str, environment: Mapping[str, str], means: Means
) -> Channel:
    if settings.webhook is not None:
        where = place(settings.webhook)
        if where is None:
            raise ConfigInvalid(place=f"{key}.webhook", problems="is no https address")
        secret = read_secret(settings, "secret", key, environment)
        return Webhook(where, secret, host, means.clock)
    url = read_secret(settings, "url", key, environment)
    service = open_service(url.strip(), means.in_thread)
    if service is None:
        raise ConfigInvalid(
            place=key,
            problems="its url reference leads to no address that Apprise knows, or to one with a part missing. "
            "For mail it looks like mailtos://user:password@host?to=ops@example.com; the page of each service is at "
            "https://appriseit.com/services",
        )
    return service


def _place(ping: PingSettings, key: str, environment: Mapping[str, str]) -> Place | None:
    if not references(ping, key):
        return None
    where = place(read_secret(ping, key, "ping", environment).strip())
    if where is None:
        raise ConfigInvalid(
            place="ping",
            problems=f"what its {key} reference leads to is no https address; http is for this machine only",
        )
    return where
