"""HAProxy's words of ``global`` that do nothing here, or are refused, and why."""

from __future__ import annotations

from fastlb.config.keywords import HTTP_ONLY, TLS_ONLY, because, words

OTHER_ONLY = "it concerns a part of HAProxy that a TCP balancer does not have"
_POLLERS = "fastlb waits by epoll alone"
_INSIDE = "it tunes the inside of HAProxy, which fastlb does not share"
_FOR_DEBUGGING = "it is for those who debug HAProxy"
_GROUPS = "workers are processes of their own, which need no groups"
KEEPS_STATE = "a reload keeps the state of every server, without a file"
_ACCEPTING = "the kernel gives a connection to one worker: see 'tune.reuseport'"
_LETS = "there is nothing here that needs this permission"
_CPUS = "start fastlb on the CPUs it shall have: 'CPUAffinity=' in its systemd unit, or 'taskset'"

NOT_YET = words(
    """dns-accept-family external-check pp2-never-send-local set-var set-var-fmt
    tune.notsent-lowat.client tune.notsent-lowat.server tune.stick-counters"""
)
NOT_YET_PREFIXES = ("tune.peers.", "tune.vars.")
IGNORED = {
    "master-worker": "fastlb always runs a master and its workers",
    "anonkey": "nothing here hides names in what it shows",
    "cluster-secret": OTHER_ONLY,
    "mworker-max-reloads": "a reload leaves no worker of older configurations behind",
    "nogetaddrinfo": "names are looked up by the system, once",
    "noreuseport": "fastlb finds out by itself whether somebody else listens on an address",
    "numa-cpu-mapping": "fastlb uses every CPU that it may: see 'cpu-map auto'",
    "prealloc-fd": "fastlb has no table of descriptors to allocate",
    "setcap": "the master keeps the capabilities that it needs, and workers those of 'usesrc'",
    "stats-file": "counters go on through reloads, and begin at 0 at a start",
    "warn-blocked-traffic-after": "the master watches over its workers, and replaces one that hangs",
    "tune.bufsize": "fastlb keeps no buffer for a connection; rules see up to 15,360 bytes of what a client sends",
    "tune.idletimer": "what a read brings decides how bytes are moved, no timer",
    "tune.maxaccept": "a worker accepts as many in a turn as come, up to 64",
    "tune.pattern.cache-size": "lists and maps are found by halving, without a cache",
    **because(_POLLERS, "noepoll noevports nokqueue nopoll"),
    **because(_GROUPS, "max-threads-per-group thread-group thread-groups"),
    **because(KEEPS_STATE, "load-server-state-from-file server-state-base server-state-file"),
    **because(_LETS, "expose-deprecated-directives expose-experimental-directives insecure-fork-wanted"),
    **because(_LETS, "insecure-setuid-wanted"),
    **because(_ACCEPTING, "tune.listener.default-shards tune.listener.multi-queue"),
    **because(OTHER_ONLY, "limited-quic shm-stats-file shm-stats-file-max-objects tune.rcvbuf.backend"),
    **because(OTHER_ONLY, "tune.rcvbuf.frontend tune.sndbuf.backend tune.sndbuf.frontend"),
    **because(_FOR_DEBUGGING, "force-cfg-parser-pause stress-level tune.fail-alloc"),
    **because(TLS_ONLY, "ca-base crt-base issuers-chain-path key-base maxsslconn maxsslrate noktls"),
    **because(
        HTTP_ONLY,
        """close-spread-time http-err-codes http-fail-codes maxcompcpuusage maxcomprate maxzlibmem tune.maxrewrite""",
    ),
    **because(
        _INSIDE,
        """no-memory-trimming tune.applet.zero-copy-forwarding tune.bufsize.large tune.bufsize.small
        tune.cli.max-payload-size
        tune.defaults.purge tune.disable-fast-forward tune.disable-zero-copy-forwarding tune.epoll.mask-events
        tune.events.max-events-at-once tune.fd.edge-triggered tune.fd.tables tune.max-checks-per-thread
        tune.max-rules-at-once tune.maxpollevents tune.memory.hot-size tune.pool-high-fd-ratio tune.pool-low-fd-ratio
        tune.pt.zero-copy-forwarding tune.recv_enough tune.ring.queues tune.runqueue-depth tune.sched.low-latency
        tune.streams-elasticity tune.takeover-other-tg-connections""",
    ),
}
IGNORED_PREFIXES = {
    "ssl-": TLS_ONLY,
    "tune.ssl.": TLS_ONLY,
    "ocsp-update.": TLS_ONLY,
    "acme.": TLS_ONLY,
    "jwt.": TLS_ONLY,
    **because(_FOR_DEBUGGING, "debug. profiling."),
    **because(_INSIDE, "tune.buffers. tune.idle-pool."),
    **because(HTTP_ONLY, "h1- h2- tune.h1. tune.h2. tune.http. tune.comp. tune.zlib. tune.glitches. httpclient."),
    **because(
        OTHER_ONLY, "tune.quic. tune.lua. lua- 51degrees- deviceatlas- wurfl- harden.reject-privileged-ports.quic"
    ),
}
REMOVED = {
    "nbproc": "use 'nbthread' for the number of workers",
    "bind-process": "use 'nbthread' for the number of workers",
}
REFUSED = {
    **because(_CPUS, "cpu-affinity cpu-policy cpu-set"),
    **because("'Nice=' in its systemd unit does that", "tune.renice.runtime tune.renice.startup"),
}
