"""Giving back what jobs took (engine/resting.py), and the buffers that are given back (files/copying.py)."""

import threading
import tracemalloc

from anyio import Event, create_task_group, fail_after, wait_all_tasks_blocked

from orchestrator.engine.resting import Resting
from orchestrator.files import copying


class Given:
    def __init__(self) -> None:
        self.times = 0
        self.now = Event()

    async def back(self) -> None:
        self.times += 1
        self.now.set()
        self.now = Event()

    async def once_more(self) -> None:
        with fail_after(5):
            await self.now.wait()


async def test_what_the_start_and_what_each_time_of_work_took_is_given_back_once() -> None:
    given = Given()
    resting = Resting(given.back, after=0)
    async with create_task_group() as tasks:
        tasks.start_soon(resting.rest)
        await given.once_more()
        await wait_all_tasks_blocked()
        assert given.times == 1
        with resting.work():
            await wait_all_tasks_blocked()
            assert given.times == 1
        await given.once_more()
        await wait_all_tasks_blocked()
        assert given.times == 2
        tasks.cancel_scope.cancel()


async def test_nothing_is_given_back_while_other_work_goes_on() -> None:
    given = Given()
    resting = Resting(given.back, after=0)
    async with create_task_group() as tasks:
        with resting.work():
            with resting.work():
                tasks.start_soon(resting.rest)
            await wait_all_tasks_blocked()
            assert given.times == 0
        await given.once_more()
        tasks.cancel_scope.cancel()


def test_buffers_of_threads_that_wait_for_more_work_are_freed() -> None:
    threads, taken, over = 4, threading.Barrier(5), threading.Event()

    def copy() -> None:
        copying.own_buffer()
        taken.wait()
        over.wait()

    copying.free_buffers()
    tracemalloc.start()
    try:
        others = [threading.Thread(target=copy) for _ in range(threads)]
        for one in others:
            one.start()
        taken.wait()
        assert tracemalloc.get_traced_memory()[0] >= threads * copying.BUFFER
        copying.free_buffers()
        assert tracemalloc.get_traced_memory()[0] < copying.BUFFER
    finally:
        tracemalloc.stop()
        over.set()
    for one in others:
        one.join()


def test_a_thread_keeps_its_buffer_between_files_and_gets_another_after_it_was_freed() -> None:
    first = copying.own_buffer()
    assert copying.own_buffer() is first
    copying.free_buffers()
    assert copying.own_buffer() is not first
