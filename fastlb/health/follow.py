"""``track``: servers whose state is that of another one."""

from __future__ import annotations

from collections.abc import Sequence

from fastlb.health.watch import Watch


def link(watches: Sequence[Watch]) -> dict[Watch, tuple[Watch, ...]]:
    """Set the root of each watch, in the order of the plan: the checked server at the end of what it tracks, or None.

    Returns who follows each root.
    """
    followers: dict[Watch, tuple[Watch, ...]] = {}
    for watch in watches:
        root = watch
        while root.server.tracked >= 0:
            root = watches[root.server.tracked]
        watch.root = None if root is watch else root
        if root is not watch:
            followers[root] = (*followers.get(root, ()), watch)
    return followers
