"""The configurations of examples/ at work, each with the servers that it is written for."""
