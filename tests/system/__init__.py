"""System tests: real processes, real sockets, and HAProxy as the oracle wherever it can play the same part."""
