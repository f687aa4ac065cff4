"""``monitor-uri`` and ``monitor fail`` lines (HAProxy manual, section 4.2)."""

from __future__ import annotations

from fastlb.config.acl import parse_condition
from fastlb.config.args import Args
from fastlb.config.errors import ConfigError, quote
from fastlb.config.proxysection import ProxySection
from fastlb.config.summary import Topic
from fastlb.config.tree import Said


def monitor_uri(section: ProxySection, args: Args) -> None:
    """``monitor-uri PATH``. What becomes of it depends on the mode and on the rest of the section: the plan decides."""
    path = args.need("a path").text
    args.end()
    if section.kind == "defaults":
        args.report.mention(Topic.NO_EFFECT, args.location, "'monitor-uri'")
    section.monitor = Said(path, args.location)


def monitor(section: ProxySection, args: Args) -> None:
    """``monitor fail if|unless CONDITION``."""
    word = args.need("'fail' and a condition")
    if word.text != "fail":
        raise ConfigError(word.location, f"{quote('monitor ' + word.text)} is unknown", "did you mean 'monitor fail'?")
    condition = parse_condition(args, section.rules.names, required=True)
    assert condition is not None
    section.monitor_fails.append(Said(condition, args.location))
