"""What ``silent-drop`` comes down to here, for those who start a service with it (see net_hide() in src/net.pxi)."""

from __future__ import annotations

from fastlb.plan.model import Plan


def way(plan: Plan) -> str | None:
    """How clients are dropped in silence, and who notices it all the same; None where no rule does it."""
    if not any([one.rules.drops for one in plan.frontends] + [one.rules.drops for one in plan.backends]):
        return None
    text = "by a reset that goes to lo: only clients on this machine get it"
    interfaces = dict.fromkeys(bind.interface for bind in plan.binds if bind.interface)
    if interfaces:
        names = ", ".join(map(str, interfaces))
        text += f"; where 'bind' has an interface ({names}), by one with a hop limit of 1, which neighbours get"
    return text
