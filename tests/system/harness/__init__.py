"""What the system tests are made of: balancers, servers, clients, and ways to look at processes. No fastlb code."""
