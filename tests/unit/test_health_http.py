"""Checks over HTTP: rules, what is read of an answer, several connections, and what the log says of it all."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from observed import check_of, plan_of, server_of, until
from test_health_monitor import Observed, observe
from test_health_probes import saying, serving, verdict_of

from fastlb.config.checktree import EXPECT_SUCCESS, Expect, ExpectKind, Match, MatchKind
from fastlb.health.budget import LIMIT_S, Budget, BudgetExceeded
from fastlb.health.expect import judge
from fastlb.health.http import About
from fastlb.health.messages import reason
from fastlb.health.response import READ_LIMIT_BYTES, Response
from fastlb.health.verdict import Outcome, Verdict
from fastlb.health.watch import Watch
from fastlb.plan.checkmodel import Request, Round
from fastlb.plan.model import CheckKind

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: one, two\r\nx-b: q"a,b"\r\n\r\nhello'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nbad"


def exact(text: bytes) -> Match:
    return Match(MatchKind.EXACT, text)


def header(name: bytes, value: bytes | None = None, how: MatchKind = MatchKind.EXACT, **more: object) -> Expect:
    return Expect(ExpectKind.HEADER, name=exact(name), value=value and Match(how, value), **more)  # type: ignore[arg-type]


def status(low: int, high: int, **more: object) -> Expect:
    return Expect(ExpectKind.STATUS, codes=((low, high),), **more)  # type: ignore[arg-type]


def body(text: bytes, **more: object) -> Expect:
    return Expect(ExpectKind.BODY, pattern=text, **more)  # type: ignore[arg-type]


def body_regex(text: bytes, **more: object) -> Expect:
    return Expect(ExpectKind.BODY_REGEX, pattern=text, **more)  # type: ignore[arg-type]


def judged(rule: Expect, answer: bytes, closed: bool = True, step: int = 1 << 20) -> Verdict | None:
    """The verdict on an answer that comes in pieces of that size, and whether it is followed by a FIN."""
    response, budget = Response(), Budget()
    for at in range(0, len(answer), step):
        response.feed(answer[at : at + step])
        if verdict := judge(rule, response, budget):
            return verdict
    if closed:
        response.feed(b"")
    return judge(rule, response, budget)


# What HAProxy 2.6 said of the same answer and the same rule.
HAPROXY = [
    (status(204, 204), 'Layer7 wrong status, code: 200, info: "OK"'),
    (status(204, 204, comment="my comment"), 'Layer7 wrong status, code: 200, info: "OK comment: my comment"'),
    (status(200, 299, negated=True), 'Layer7 wrong status, code: 200, info: "OK"'),
    (body(b"nope"), 'Layer7 invalid response, info: "HTTP content check did not match"'),
    (body(b"hell", negated=True), 'Layer7 invalid response, info: "HTTP check matched unwanted content"'),
    (body_regex(b"^no"), 'Layer7 invalid response, info: "HTTP content check did not match"'),
    (Expect(ExpectKind.STATUS_REGEX, pattern=b"^5"), 'Layer7 wrong status, code: 200, info: "OK"'),
    (header(b"x-a", b"three"), 'Layer7 wrong status, code: 200, info: "OK"'),
    (header(b"x-a", b"two", full=True), 'Layer7 wrong status, code: 200, info: "OK"'),
    (status(204, 204, error_status="L7RSP", on_error="sorry"), 'Layer7 invalid response, info: "sorry"'),
    (status(204, 204, error_status="L7OKC"), 'Layer7 check conditionally passed, code: 200, info: "OK"'),
    (header(b"X-A", b"two"), "Layer7 check passed, code: 200"),
    (status(200, 200, ok_status="L4OK", on_success="fine"), 'Layer4 check passed, info: "fine"'),
]


@pytest.mark.parametrize(("rule", "said"), HAPROXY, ids=[said for _, said in HAPROXY])
def test_rules_and_the_words_of_haproxy(rule: Expect, said: str) -> None:
    verdict = judged(rule, OK)
    assert verdict is not None
    assert reason(verdict, 0.0) == f"{said}, check duration: 0ms"
    assert judged(rule, OK, step=1) == verdict


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (header(b"x-a"), True),
        (header(b"x-c"), False),
        (header(b"X-B", b'q"a,b"'), True),
        (header(b"x-a", b"tw", MatchKind.BEGINNING), True),
        (header(b"x-a", b"ne", MatchKind.END), True),
        (header(b"x-a", b"w", MatchKind.SUBSTRING), True),
        (header(b"x-a", b"^t.o$", MatchKind.REGEX), True),
        (header(b"x-a", b"One"), False),
        (header(b"x-a", b"one, two", full=True), True),
        (Expect(ExpectKind.HEADER, name=Match(MatchKind.REGEX, b"^X-[A-Z]$"), value=exact(b"one")), True),
        (Expect(ExpectKind.HEADER, name=Match(MatchKind.BEGINNING, b"CONTENT-"), value=exact(b"5")), True),
        (body_regex(b"^[[:lower:]]+$"), True),
        (body(b"lo"), True),
        (body(b"x", negated=True), True),
    ],
)
def test_headers_and_bodies(rule: Expect, holds: bool) -> None:
    verdict = judged(rule, OK, step=3)
    assert verdict is not None
    assert verdict.passed == holds
    opposite = judged(replace(rule, negated=not rule.negated), OK)
    assert opposite is not None
    assert opposite.passed != holds


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (CHUNKED, "L7OK"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "L7OK"),
        (b"HTTP/1.0 200 OK\n\nhello", "L7OK"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello", "HTTP content check did not match"),
        (b"HTTP/1.1 204 No Content\r\n\r\nhello", "HTTP content check could not find a response body"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhello", "not a length of content"),
        (b"HTTP/1.1 200 OK\r\nno header\r\n\r\nhello", "not an HTTP header"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "connection closed in the headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 4000, f"no end of the headers in {READ_LIMIT_BYTES} bytes"),
        (CHUNKED.replace(b"3\r\n", b"2\r\n"), "a chunk is longer than its size"),
        (CHUNKED.replace(b"3\r\n", b"z\r\n"), "not a size of a chunk"),
    ],
)
def test_where_a_body_begins_and_ends(answer: bytes, said: str) -> None:
    for step in (1, 7, 4096):
        verdict = judged(body(b"hello"), answer, step=step)
        assert verdict is not None
        assert said in (verdict.status, verdict.info)


def test_a_body_is_read_on_unless_min_recv_says_that_it_is_enough() -> None:
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel"
    assert judged(body(b"hello"), begun, closed=False) is None
    assert judged(body(b"xyz"), begun, closed=False) is None
    assert judged(body(b"x", negated=True), begun, closed=False) is None
    assert judged(body(b"xyz", min_recv=4), begun, closed=False) is None
    verdict = judged(body(b"xyz", min_recv=3), begun, closed=False)
    assert verdict is not None
    assert not verdict.passed


def test_what_is_read_of_a_long_body_decides() -> None:
    """As HAProxy 2.6 does with a full buffer."""
    answer = (b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 100000)[:READ_LIMIT_BYTES]
    assert [judged(rule, answer, closed=False).status for rule in (body(b"b"), body(b"b", negated=True))] == [  # type: ignore[union-attr]
        "L7RSP",
        "L7OK",
    ]


@pytest.mark.parametrize("pattern", [b"(a+)+$", b"(a|aa)+$", b"a.*a.*a.*a.*b"])
def test_an_expression_that_would_take_for_ever_is_stopped(pattern: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 16000
    began = time.process_time()
    with pytest.raises(BudgetExceeded):
        judged(body_regex(pattern), answer + b"c")
    assert time.process_time() - began < 50 * LIMIT_S


def script(port: int, *rounds: tuple[str, Expect]) -> tuple[Round, ...]:
    address = check_of(port).address
    return tuple(Round(address, Request(f"GET {uri} HTTP/1.0\r\n".encode()), (rule,)) for uri, rule in rounds)


def test_one_connection_after_the_other() -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.read(100)).split()[1])
        writer.write(NOT_FOUND if heard[-1] == b"/c" else OK)
        writer.close()

    async def run() -> Verdict:
        async with serving(serve) as port:
            rounds = script(port, ("/a", EXPECT_SUCCESS), ("/b", body(b"hello")), ("/c", EXPECT_SUCCESS))
            again = (*rounds, replace(rounds[0], request=None))
            verdict, _ = await verdict_of(check_of(port, CheckKind.HTTP, rounds=again, read_ms=1000))
            good, _ = await verdict_of(check_of(port, CheckKind.HTTP, rounds=(rounds[0], again[-1])))
            assert (good.status, good.info) == ("L4OK", "(tcp-check)")
            return verdict

    verdict = asyncio.run(run())
    assert (verdict.status, verdict.code) == ("L7STS", 404)
    assert heard == [b"/a", b"/b", b"/c", b"/a"]


def test_the_rule_that_waits_says_what_a_timeout_is_called() -> None:
    async def run() -> Verdict:
        async with serving(saying(OK[:-1], then_s=2)) as port:
            rules = (status(200, 200, tout_status="L6TOUT"), body(b"hello", tout_status="L4TOUT"))
            verdict, _ = await verdict_of(check_of(port, CheckKind.HTTP, connect_ms=200, expects=rules))
            return verdict

    assert asyncio.run(run()).status == "L4TOUT"


@pytest.mark.parametrize(
    ("up", "rules", "outcome", "code"),
    [
        (True, (EXPECT_SUCCESS,), Outcome.CONDITIONAL, "L7OKC"),
        (True, (body(b"none"), EXPECT_SUCCESS), Outcome.CONDITIONAL, "L7OKC"),
        (False, (EXPECT_SUCCESS,), Outcome.FAIL, "L7STS"),
        (False, (status(404, 404),), Outcome.PASS, "L7OK"),
        (False, (status(404, 404, ok_status="L7OKC"),), Outcome.CONDITIONAL, "L7OKC"),
    ],
)
def test_404_is_a_conditional_success_of_a_server_that_is_up(
    up: bool, rules: tuple[Expect, ...], outcome: Outcome, code: str
) -> None:
    async def run() -> Verdict:
        async with serving(saying(NOT_FOUND)) as port:
            check = check_of(port, CheckKind.HTTP, expects=rules, disable_on_404=True)
            verdict, _ = await verdict_of(check, lambda: About(up))
            return verdict

    verdict = asyncio.run(run())
    assert (verdict.outcome, verdict.status, verdict.code, verdict.info[:9]) == (
        outcome,
        code,
        404,
        "" if verdict.outcome is not Outcome.FAIL else "Not Found",
    )


class Mood:
    """A server that answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer, self.asked = OK, b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = await reader.read(1000)
        writer.write(self.answer)
        writer.close()


def test_a_server_that_asks_to_stop() -> None:
    """Lines and states of HAProxy 2.6; a follower goes along; a conditional success never begins to bring it up."""
    mood = Mood()

    async def scenario(observed: Observed) -> None:
        async with serving(mood.serve) as port:
            check = check_of(port, CheckKind.HTTP, disable_on_404=True)
            follower = server_of("f", 1, backend=1, track="be0/a", tracked=0)
            observed.install(plan_of([server_of("a", port, check), server_of("b", 1)], [follower]))
            await until(lambda: observed.health("a").status == "UP")
            mood.answer = NOT_FOUND
            await until(lambda: observed.health("a").status == "NOLB" and observed.scheduled() == ["b"])
            assert observed.health("a").up
            assert not observed.health("a").usable
            assert observed.scheduled(1) == []
            assert observed.health("f").status == "NOLB"
            assert observed.health("a").check_status == "L7OKC"
            mood.answer = OK
            await until(lambda: observed.scheduled() == ["a", "b"] and observed.scheduled(1) == ["f"])
            mood.answer = NOT_FOUND
            await until(lambda: observed.scheduled() == ["b"])
            mood.answer = b"HTTP/1.0 500 No\r\n\r\n"
            await until(lambda: observed.health("a").status == "NOLB 2/3")
            await until(lambda: observed.health("a").status == "DOWN")
            mood.answer = NOT_FOUND
            checks = observed.health("a").checks
            await until(lambda: observed.health("a").checks > checks + 3)
            assert observed.health("a").status == "DOWN"

    said = [text.split(", check duration")[0].split(". ")[0] for _, text, _ in observe(scenario).said]
    stopping = "is stopping, reason: Layer7 check conditionally passed, code: 404"
    assert said == [
        f"Server be0/a {stopping}",
        "Server be1/f is stopping via be0/a",
        "backend be1 has no server available!",
        "Server be0/a is UP, reason: Layer7 check passed, code: 200",
        "Server be1/f is UP via be0/a",
        f"Server be0/a {stopping}",
        "Server be1/f is stopping via be0/a",
        "backend be1 has no server available!",
        'Server be0/a is DOWN, reason: Layer7 wrong status, code: 500, info: "No"',
        "Server be1/f is DOWN via be0/a",
    ]


def test_send_state_tells_the_server_its_state() -> None:
    """Byte for byte what HAProxy 2.6 sent."""
    mood, seen = Mood(), set()

    async def scenario(observed: Observed) -> None:
        async with serving(mood.serve) as port:
            check = replace(check_of(port, CheckKind.HTTP, request=b"GET /x HTTP/1.0\r\n"), send_state=True)
            rounds = (replace(check.rounds[0], request=Request(b"GET /x HTTP/1.0\r\n")),)
            servers = [server_of("s", port, replace(check, rounds=rounds), weight=20), server_of("t", 1, weight=30)]
            observed.install(plan_of([*servers, server_of("u", 1, weight=40, backup=True)]))

            def told() -> bool:
                seen.add(mood.asked)
                return b"UP;" in mood.asked

            await until(told)
            text = b"address=127.0.0.1; port=%d; name=be0/s; node=; weight=20/50; scur=0/0; qcur=0" % port
            request = b"GET /x HTTP/1.0\r\nx-haproxy-server-state: %s; %s\r\n\r\n"
            assert {request % (state, text) for state in (b"UP", b"UP 1/3")} >= seen - {b""}

    observe(scenario)


def test_a_conditional_success_goes_on_with_a_rise_but_never_begins_one() -> None:
    watch = Watch("be", server_of("a", 1, check_of(1)), 0, 0.0)
    watch.health = 0
    seen = []
    for outcome in (Outcome.CONDITIONAL, Outcome.PASS, Outcome.CONDITIONAL, Outcome.FAIL, Outcome.PASS):
        watch.take(outcome)
        seen.append(watch.status())
    assert seen == ["DOWN", "DOWN 1/2", "NOLB", "NOLB 2/3", "UP"]
