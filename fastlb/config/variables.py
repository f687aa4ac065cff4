"""Variables of sessions: ``set-var(scope.name[,condition…]) sample``, ``set-var-fmt`` and ``unset-var``.

HAProxy manual, section 2.8 "Variables" and section 4.4 "set-var".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, NotSupported, quote
from fastlb.config.lexer import Word
from fastlb.config.ruletree import Action, Assign, Piece
from fastlb.config.samples import parse_sample
from fastlb.config.suggest import did_you_mean

SCOPES = ("sess", "txn", "req", "res")
CONDITIONS = ("ifexists", "ifnotexists", "ifempty", "ifnotempty", "ifgt", "iflt", "ifset", "ifnotset")
_CALL = re.compile(r"([^()]+)\(([^()]*)\)")
_NAME = re.compile(r"[A-Za-z0-9_.]+")


def split_call(word: Word) -> tuple[Word, tuple[str, ...] | None]:
    """``set-var(txn.a,ifempty)``: the name of an action, and what stands in the parentheses behind it, if any."""
    found = _CALL.fullmatch(word.text)
    if found is None:
        return word, None
    return word._replace(text=found[1]), tuple(part.strip() for part in found[2].split(","))


def check_variable(name: str, word: Word) -> str:
    """``scope.name``, as HAProxy has it. Raises ConfigError."""
    scope, _, rest = name.partition(".")
    if scope in ("proc", "check"):
        raise NotSupported(word.location, f"variables of {quote(scope)} are not supported")
    if scope not in SCOPES or not rest:
        hint = f"write its scope before its name: {', '.join(f'{one}.name' for one in SCOPES)}"
        raise ConfigError(word.location, f"{quote(name)} is no variable", hint)
    if not _NAME.fullmatch(rest):
        raise ConfigError(
            word.location, f"the name of the variable {quote(name)} has other characters than A-Z, 0-9, _ ."
        )
    return name


def parse_assign(
    action: Action, word: Word, given: Sequence[str] | None, args: Args,
    parse_pieces: Callable[[Word, Args], tuple[Piece, ...]],
) -> Assign:  # fmt: skip
    """What follows the action ``word(given)``, up to its condition. Raises ConfigError."""
    if not given or not given[0]:
        hint = f"write {quote(word.text + '(txn.name)')}"
        raise ConfigError(word.location, f"{quote(word.text)} lacks the name of a variable", hint)
    variable = check_variable(given[0], word)
    if action is Action.UNSET_VAR and given[1:]:
        raise ConfigError(word.location, f"{quote(word.text)} takes nothing but the name of a variable")
    for condition in given[1:]:
        if condition not in CONDITIONS:
            hint = did_you_mean(condition, CONDITIONS) or f"there are {', '.join(CONDITIONS)}"
            raise ConfigError(word.location, f"{quote(condition)} is no condition of {quote(word.text)}", hint)
    if action is Action.UNSET_VAR:
        return Assign(variable)
    if action is Action.SET_FORMAT:
        text = args.need("a text with samples, such as '%[src]:%[src_port]'")
        return Assign(variable, tuple(given[1:]), pieces=parse_pieces(text, args))
    return Assign(variable, tuple(given[1:]), sample=parse_sample(args.need("a sample, such as 'src'"), args.report))
