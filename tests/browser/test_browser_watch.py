"""A real job of a real watcher, seen live in a real browser."""

from pathlib import Path

import pytest

from tests.flow.test_flow_page import address
from tests.flow.test_flow_watch import WATCH, stopped, watching
from tests.support.browser import DESKTOP, PHONE, browsing, tab
from tests.support.flow import flow, seeded

pytestmark = [pytest.mark.flow, pytest.mark.timeout(90)]

COLLECT = """() => {
    window.seen = {files: [], machines: [], states: []};
    const look = () => {
        const fact = [...document.querySelectorAll('.run .facts div')].find(one => one.innerText.startsWith('Files'));
        if (fact) window.seen.files.push(fact.querySelector('dd').firstChild.data.trim());
        for (const row of document.querySelectorAll('.machines tbody tr')) {
            window.seen.machines.push(row.querySelector('.name').textContent);
            window.seen.states.push(row.className);
        }
    };
    const everything = {childList: true, subtree: true, characterData: true};
    new MutationObserver(look).observe(document.getElementById('status'), everything);
}"""


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
async def test_a_job_is_seen_to_run_without_reading_the_page_again(tmp_path: Path, size: tuple[int, int]) -> None:
    estate = seeded(machines=5, files=500, backup_servers=1)
    async with flow(tmp_path, estate, task_seconds=0.8) as em, browsing() as browser:
        em.configure(watch=WATCH, web={"listen": "127.0.0.1:0"}, limits={"mounts": 1})
        watcher = await watching(em)
        async with tab(browser, size) as seen, tab(browser, PHONE, java_script_enabled=False) as plain:
            url = await address(watcher)
            await seen.open(url)
            await seen.sees("Nothing is running")
            await seen.evaluate(COLLECT)
            em.drop((tmp_path / em.job(name="night")).read_text(), "night.toml")
            await seen.sees("All is well", timeout=20)
            await watcher.event("mount_opened")
            await plain.open(url)
            await plain.sees("All is well")
            await seen.sees("all restored", timeout=40)
            await seen.sees("Nothing is running")
            found = await seen.evaluate("window.seen")
            files = [int(number.replace(",", "")) for number in found["files"]]
            assert files == sorted(files)
            assert len(set(files)) >= 3, files
            assert set(found["machines"]) >= {machine.name for machine in em.estate.machines[:3]}
            assert {"state-mounting", "state-copying"} & set(found["states"])
            assert [one for one in seen.requests if one == url] == [url], "the page was read once"
            await plain.page.reload()
            await plain.sees("all restored")
        await stopped(watcher)
        assert em.restored() == em.expected()
        em.assert_nothing_left()
