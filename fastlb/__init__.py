"""fastlb: a TCP load balancer for one multi-core Linux host, configured in HAProxy's language."""

__version__ = "0.1.0"
