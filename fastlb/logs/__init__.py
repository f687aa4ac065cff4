"""Logs of the service: sinks that never block, syslog's and HAProxy's formats, one clean line for each event."""

from fastlb.logs.router import Logs

__all__ = ["Logs"]
