"""Health checks: once per server for the whole machine, in the master, on its event loop.

``state`` is the pure state machine, ``tcp`` and ``http`` are the kinds of check, ``runner`` runs many of them on one
epoll set, and ``monitor`` turns verdicts into states, schedules and log lines.
"""
