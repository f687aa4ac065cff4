"""The soak: a real fastlb under independent load and random faults, with invariants that must hold all the time.

    wire      what clients and servers say to each other, and how each byte of it is verified
    server    the servers, processes of their own
    link, clients, load      the clients
    books     faults and their time windows, conversations, violations: what happened and what explains it
    shape     the configuration that is in force, as the faults change it
    balancer  fastlb as an operator sees it
    network   a network namespace, and packets that get lost in it
    faults_*  one file for each kind of fault; faults has the list
    monitor   what must hold every few seconds; quiet: what must hold when nothing moves; trend: growth
    report, run

It shares no code with fastlb; what looks at processes comes from the harness of the system tests.
"""
