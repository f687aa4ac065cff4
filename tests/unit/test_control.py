"""Messages between master and worker, with descriptors, over a real socket pair."""

import asyncio
import os

import pytest

from fastlb import control


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 10))


def test_messages_carry_descriptors():
    ours, theirs = control.pair()
    reader, writer = os.pipe()
    with ours, theirs:
        control.send(ours, {"op": "adopt"}, [writer])
        os.close(writer)
        message, (fd,) = control.receive(theirs)
        assert message == {"op": "adopt"}
        assert not os.get_inheritable(fd)
        os.write(fd, b"x")
        assert os.read(reader, 1) == b"x"
        os.close(fd)
    os.close(reader)


def test_the_most_descriptors_and_pairs_fit_into_one_message():
    ours, theirs = control.pair()
    with ours, theirs:
        control.send(ours, {"op": "adopt"}, [0] * control.MESSAGE_FDS)
        _, fds = control.receive(theirs)
        assert len(fds) == control.MESSAGE_FDS
        for fd in fds:
            os.close(fd)
        control.send(ours, {"op": "serve_more", "serve": [[2**32 - 1, 2**32 - 1]] * control.PAIRS})
        assert control.receive(theirs) is not None


def test_end_of_file_is_none():
    ours, theirs = control.pair()
    ours.close()
    with theirs:
        assert control.receive(theirs) is None


@pytest.mark.parametrize(("count", "runs"), [(0, [0]), (1, [1]), (250, [250]), (251, [250, 1])])
def test_pieces(count, runs):
    assert [len(one) for one in control.pieces(range(count), 250)] == runs


def test_answers_find_their_question():
    async def scenario():
        ours, theirs = control.pair()
        heard = []
        channel = control.Channel(ours, heard.append)
        good, bad = channel.ask({"op": "prepare"}), channel.ask({"op": "commit"})
        for answer in ("ok", "error"):
            message, _ = control.receive(theirs)
            control.send(theirs, {"op": answer, "id": message["id"], "reason": "because"})
        control.send(theirs, {"op": "ready"})
        assert await good is None
        with pytest.raises(control.ControlError, match="because"):
            await bad
        await asyncio.sleep(0)
        assert heard == [{"op": "ready"}]
        channel.close()
        theirs.close()

    run(scenario())


def test_a_worker_that_ends_answers_everything():
    async def scenario():
        ours, theirs = control.pair()
        channel = control.Channel(ours, print)
        answer = channel.ask({"op": "prepare"})
        theirs.close()
        channel.close()
        with pytest.raises(control.WorkerGoneError):
            await answer

    run(scenario())


def test_a_slow_worker_gets_everything_in_order_though_descriptors_were_closed():
    async def scenario():
        ours, theirs = control.pair()
        channel = control.Channel(ours, print)
        theirs.setblocking(False)
        for number in range(2000):
            reader, writer = os.pipe()
            channel.post({"op": "adopt", "number": number, "padding": "x" * 500}, [reader])
            os.close(reader)
            os.close(writer)
        seen = []
        while len(seen) < 2000:
            try:
                message, fds = control.receive(theirs)
            except BlockingIOError:
                await asyncio.sleep(0)
                continue
            seen.append(message["number"])
            assert len(fds) == 1
            os.close(fds[0])
        assert seen == list(range(2000))
        channel.close()
        theirs.close()

    run(scenario())
