"""``http-check expect``: one rule, asked about what a server has answered so far (HAProxy manual, section 4.2).

The words are HAProxy's, because they stand in its log lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from fastlb.config.bytesregex import compile_bytes
from fastlb.config.checktree import Expect, ExpectKind, Match, MatchKind
from fastlb.health.budget import Budget
from fastlb.health.response import Response
from fastlb.health.verdict import Verdict, failure, success

INFO_CHARACTERS = 127

_NO_MATCH = "HTTP content check did not match"
_UNWANTED = "HTTP check matched unwanted content"
_NO_BODY = "HTTP content check could not find a response body"


def judge(rule: Expect, response: Response, budget: Budget) -> Verdict | None:
    """The verdict of one rule; None while more of the answer is needed. Raises BudgetExceeded."""
    if response.wrong and (not response.code or _needs_headers(rule)):
        return failure("L7RSP", _with_comment(response.wrong, rule))
    if not response.code or (_needs_headers(rule) and not response.has_headers):
        return None
    if rule.kind in (ExpectKind.BODY, ExpectKind.BODY_REGEX):
        return _judge_body(rule, response, budget)
    found = _STATUS_AND_HEADERS[rule.kind](rule, response, budget)
    info = response.reason[:INFO_CHARACTERS].decode("latin-1")
    return _passed(rule, response) if found != rule.negated else _failed(rule, response, "L7STS", info)


def _needs_headers(rule: Expect) -> bool:
    return rule.kind not in (ExpectKind.STATUS, ExpectKind.STATUS_REGEX)


def _passed(rule: Expect, response: Response) -> Verdict:
    return success(rule.ok_status or "L7OK", rule.on_success, response.code)


def _failed(rule: Expect, response: Response, status: str, info: str) -> Verdict:
    return failure(rule.error_status or status, _with_comment(rule.on_error or info, rule), response.code)


def _with_comment(info: str, rule: Expect) -> str:
    return f"{info} comment: {rule.comment}" if rule.comment else info


def _judge_body(rule: Expect, response: Response, budget: Budget) -> Verdict | None:
    """A body that may still grow is looked at again, unless ``min-recv`` says how much of it decides."""
    body = response.body
    if not body:
        return _failed(rule, response, "L7RSP", _NO_BODY) if response.ended else None
    if not response.ended and len(body) < max(rule.min_recv, len(rule.pattern) if rule.kind is ExpectKind.BODY else 0):
        return None
    found = rule.pattern in body if rule.kind is ExpectKind.BODY else budget.search(compile_bytes(rule.pattern), body)
    if not found and not response.ended and rule.min_recv == -1:
        return None
    if found != rule.negated:
        return _passed(rule, response)
    return _failed(rule, response, "L7RSP", _UNWANTED if rule.negated else _NO_MATCH)


def _status(rule: Expect, response: Response, budget: Budget) -> bool:
    return any(low <= response.code <= high for low, high in rule.codes)


def _status_regex(rule: Expect, response: Response, budget: Budget) -> bool:
    return budget.search(compile_bytes(rule.pattern), b"%d" % response.code)


def _header(rule: Expect, response: Response, budget: Budget) -> bool:
    assert rule.name is not None
    name = Match(rule.name.kind, rule.name.text if rule.name.kind is MatchKind.REGEX else rule.name.text.lower())
    matching = (value for found, value in response.headers if _matches(name, found, budget, ignore_case=True))
    if rule.value is None:
        return any(True for _ in matching)
    values = (element for value in matching for element in ([value] if rule.full else _elements(value)))
    return any(_matches(rule.value, value, budget) for value in values)


_STATUS_AND_HEADERS: dict[ExpectKind, Callable[[Expect, Response, Budget], bool]] = {
    ExpectKind.STATUS: _status,
    ExpectKind.STATUS_REGEX: _status_regex,
    ExpectKind.HEADER: _header,
}

_ELEMENT = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')


def _elements(value: bytes) -> Iterator[bytes]:
    """The elements of a list with commas (RFC 9110, section 5.6.1); a comma in quotes is none of them."""
    return (match[0].strip(b" \t") for match in _ELEMENT.finditer(value))


def _matches(match: Match, text: bytes, budget: Budget, ignore_case: bool = False) -> bool:
    if match.kind is MatchKind.REGEX:
        return budget.search(compile_bytes(match.text, ignore_case), text)
    return _COMPARE[match.kind](text, match.text)


_COMPARE: dict[MatchKind, Callable[[bytes, bytes], bool]] = {
    MatchKind.EXACT: bytes.__eq__,
    MatchKind.BEGINNING: bytes.startswith,
    MatchKind.END: bytes.endswith,
    MatchKind.SUBSTRING: bytes.__contains__,
}
