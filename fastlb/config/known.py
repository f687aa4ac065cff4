"""HAProxy's words that fastlb knows but does not act on: to say so by name instead of "unknown keyword".

Collected from the HAProxy manual (sections 3, 4.1, 5.1 and 5.2) and from what ``haproxy -dKall`` prints.
"""

from __future__ import annotations

from fastlb.config.keywords import HTTP_ONLY as HTTP_ONLY
from fastlb.config.keywords import TLS_ONLY as TLS_ONLY
from fastlb.config.keywords import because, words
from fastlb.config.knownglobal import KEEPS_STATE
from fastlb.config.knownglobal import OTHER_ONLY as OTHER_ONLY

_TRANSPARENT = "write 'server clients *', which sends each connection to where its client wanted to go"
SPLICES_ALWAYS = "fastlb always splices when that is faster"

SECTIONS = ("global", "defaults", "frontend", "backend", "listen", "ring")
NOT_YET_SECTIONS = words("healthcheck log-profile peers resolvers")
IGNORED_SECTIONS = words(
    "acme cache crt-list crt-store fcgi-app http-errors log-forward mailers program traces userlist"
)

PROXY_NOT_YET = words(
    """declare external-check filter filter-sequence log-steps
    server-template tcp-check"""
)
PROXY_IGNORED = because(
    HTTP_ONLY,
    """capture compression cookie dynamic-cookie-key errorfile errorfiles errorloc errorloc302 errorloc303 http-error
    http-reuse http-send-name-header max-keep-alive-queue max-session-srv-conns option-http retry-on
    unique-id-header use-fcgi-app""",
) | {
    "quic-initial": OTHER_ONLY,
    "email-alert": "fastlb sends no mail: its metrics and its log tell of every server that goes down",
    **because(KEEPS_STATE, "load-server-state-from-file server-state-file-name"),
}
PROXY_REMOVED = {
    "contimeout": "use 'timeout connect'",
    "clitimeout": "use 'timeout client'",
    "srvtimeout": "use 'timeout server'",
    "redispatch": "use 'option redispatch'",
    "bind-process": "use 'nbthread' in 'global'",
    "monitor-net": "use a 'listen' section for the probes of a balancer in front",
    "dispatch": "use a 'server' line",
    "block": "use 'tcp-request content reject'",
    **because(
        HTTP_ONLY, "appsession redirect reqadd reqallow reqdel reqdeny reqrep reqirep rspadd rspdel rspdeny rsprep"
    ),
}
PROXY_REFUSED = because(
    "it concerns HTTP; the only rule of this kind is that of a metrics listener, "
    "'http-request use-service prometheus-exporter if { path /metrics }'",
    "http-response http-after-response",
) | {"transparent": _TRANSPARENT}

HTTP_CHECK_NOT_YET = words("set-var set-var-fmt unset-var")
HTTP_SEND_NOT_YET = words("body-lf uri-lf")
HTTP_CONNECT_NOT_YET = words("alpn proto sni ssl via-socks4")
HTTP_EXPECT_NOT_YET = words("status-code string-lf")
HTTP_VALUE_NOT_YET = words("name-lf value-lf")

OPTION_NOT_YET = words(
    """external-check independent-streams ldap-check
    mysql-check pgsql-check redis-check smtpchk
    socket-stats spop-check ssl-hello-chk"""
)
OPTION_REFUSED = {"transparent": _TRANSPARENT}
OPTION_IGNORED = {
    "contstats": "bytes are counted as they move",
    "use-small-buffers": "fastlb keeps no buffer for a connection",
    **because(SPLICES_ALWAYS, "splice-auto splice-request splice-response"),
    **because(
        HTTP_ONLY,
        """accept-invalid-http-request accept-invalid-http-response accept-unsafe-violations-in-http-request
        accept-unsafe-violations-in-http-response checkcache disable-h2-upgrade forceclose forwarded forwardfor
        h1-case-adjust-bogus-client h1-case-adjust-bogus-server http-buffer-request http-drop-request-trailers
        http-drop-response-trailers http-ignore-probes http-keep-alive http-no-delay http-pretend-keepalive
        http-restrict-req-hdr-names http-server-close http-tunnel http-use-htx http-use-proxy-header http_proxy
        httpclose httpslog idle-close-on-response originalto prefer-last-server""",
    ),
}

BALANCE_REFUSED = because(
    "it concerns HTTP: use roundrobin, leastconn, random, source or hash", "hdr log-hash log-sticky uri url_param"
)

TIMEOUT_IGNORED = because(HTTP_ONLY, "http-request http-keep-alive tarpit")

_TLS_HINT = "fastlb does not terminate TLS: encrypted connections pass through in 'mode tcp' without it"
BIND_NOT_YET = words("accept-netscaler-cip namespace tcp-ss")
BIND_IGNORED = {
    "nice": "all connections are served in turn",
    "guid-prefix": "there are no counters of single addresses that had to be found again",
    **because(HTTP_ONLY, "idle-ping"),
    **because("it concerns HAProxy's runtime socket", "expose-fd level severity-output"),
}
BIND_REMOVED = {"process": "use 'nbthread' in 'global'"}
BIND_REFUSED = {"nbconn": "it concerns HTTP that comes in reverse"} | because(
    _TLS_HINT,
    """allow-0rtt alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file ciphers ciphersuites
    client-sigalgs crl-file crt crt-ignore-err crt-list curves default-crt ecdhe ech force-sslv3 force-tlsv10
    force-tlsv11 force-tlsv12 force-tlsv13 generate-certificates ktls no-alpn no-ca-names no-sslv3 no-strict-sni
    no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 npn prefer-client-ciphers proto quic-cc-algo
    quic-force-retry quic-socket sigalgs ssl ssl-max-ver ssl-min-ver strict-sni tls-ticket-keys tls-tickets verify""",
)

SERVER_NOT_YET = words(
    """agent-addr agent-check agent-inter agent-port agent-send check-alpn check-pool-conn-name check-proto
    check-reuse-pool check-sni check-sni-auto check-ssl healthcheck
    no-agent-check no-check-reuse-pool no-check-sni-auto no-check-ssl
    resolve-net resolve-opts resolve-prefer resolvers"""
)
PROXY_V2_OPTIONS_REFUSED = because(
    "it tells about TLS, which fastlb does not terminate", "cert-cn cert-key cert-sig ssl ssl-cipher"
)
SERVER_REFUSED = {
    "tfo": "bytes that left with a SYN could not go to another server when the first does not answer",
    "namespace": "workers give up the privilege to enter a network namespace: run fastlb in it, or route there",
    **because("fastlb connects to servers without another proxy in between", "socks4 check-via-socks4"),
    **because(
        "it tells about TLS, which fastlb does not terminate: use 'send-proxy-v2'",
        "send-proxy-v2-ssl send-proxy-v2-ssl-cn",
    ),
    "usesrc": "by itself it means nothing: it goes behind 'source' and its address",
    "ssl": "fastlb does not encrypt towards servers: encrypted connections pass through in 'mode tcp' without it",
}
SERVER_IGNORED_FLAGS = because(
    TLS_ONLY,
    """allow-0rtt force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 no-renegotiate no-sni-auto no-ssl
    no-ssl-reuse no-sslv3 no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 no-verifyhost renegotiate sni-auto
    ssl-reuse tls-tickets no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn""",
)
SERVER_IGNORED_WITH_VALUE = {
    "shard": "it concerns servers of a section 'peers'",
    **because(
        TLS_ONLY,
        """alpn ca-file ciphers ciphersuites client-sigalgs crl-file crt curves ktls npn sigalgs sni ssl-max-ver
        ssl-min-ver verify verifyhost""",
    ),
    **because(
        HTTP_ONLY,
        "cookie idle-ping max-reuse pool-conn-name pool-low-conn pool-max-conn pool-purge-delay proto redir ws",
    ),
    **because(OTHER_ONLY, "log-bufsize log-proto quic-cc-algo"),
}
