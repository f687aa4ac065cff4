"""What rules say of a client, without any connection: samples, comparisons, conditions, the ClientHello."""

from __future__ import annotations

import ipaddress
import random
import ssl
from pathlib import Path

import pytest
from engine_hello import alpn, client_hello, key_share, message, records, sni, vector

# ---- addresses and numbers -------------------------------------------------------------------------------------


def test_random_networks_against_the_standard_library(judge, tmp_path: Path) -> None:
    chance = random.Random(5)
    v4 = [ipaddress.ip_network((chance.getrandbits(32), chance.randint(6, 32)), strict=False) for _ in range(400)]
    v6 = [ipaddress.ip_network((chance.getrandbits(128), chance.randint(3, 128)), strict=False) for _ in range(300)]
    (tmp_path / "nets").write_text("\n".join(map(str, v4 + v6)))
    admits = judge(f"tcp-request connection reject if {{ src -f {tmp_path}/nets }}").admits
    edges = [net[at] for net in v4 + v6 for at in (0, -1)]
    edges += [one + step for one in edges for step in (-1, 1) if 0 < int(one) + step < 1 << one.max_prefixlen]
    edges += [ipaddress.ip_address(chance.getrandbits(32)) for _ in range(500)]
    odd = [one for one in edges if one.version == 6 and (not int(one) >> 96 or int(one) >> 112 == 0x2002)]
    for address in set(edges) - set(odd):  # the odd ones count as IPv4, too
        also = ipaddress.ip_address(f"::ffff:{address}") if address.version == 4 else address
        inside = any(address in net for net in v4) or any(also in net for net in v6)
        assert admits(str(address)) is not inside, address


@pytest.mark.parametrize(
    ("networks", "inside", "outside"),
    [
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4", "2002:0102:0304::1"], ["2001:db8::1"]),
        ("::/0", ["::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "10.0.0.1"], []),
        ("10.0.0.1", ["10.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "2002:a00:1::"], ["10.0.0.2", "::1:10.0.0.1"]),
        ("::ffff:10.0.0.0/104", ["10.9.9.9"], ["11.0.0.0"]),
        ("10.1/16", ["10.0.255.255"], ["10.1.0.1"]),
        ("255.255.255.255 ::1", ["255.255.255.255", "::1"], ["255.255.255.254", "::2"]),
    ],
)
def test_which_addresses_a_network_holds(judge, networks: str, inside: list[str], outside: list[str]) -> None:
    admits = judge(f"tcp-request connection accept if {{ src {networks} }}\ntcp-request connection reject").admits
    assert [one for one in inside if not admits(one)] == []
    assert [one for one in outside if admits(one)] == []


@pytest.mark.parametrize(
    ("values", "inside"),
    [
        ("5", {5}), ("2:4 9", {2, 3, 4, 9}), (":3", {0, 1, 2, 3}), ("12:", {12, 13, 14}), ("gt 12", {13, 14}),
        ("ge 12", {12, 13, 14}), ("lt 2", {0, 1}), ("le 2", {0, 1, 2}), ("lt 2 eq 7 8", {0, 1, 7, 8}),
        ("1:9 3:4", set(range(1, 10))), ("--", set()),
    ],
)  # fmt: skip
def test_which_numbers_match(judge, values: str, inside: set[int]) -> None:
    admits = judge(f"tcp-request connection accept if {{ src_port {values} }}\ntcp-request connection reject").admits
    assert {port for port in range(15) if admits("10.0.0.1", port)} == inside


# ---- conditions --------------------------------------------------------------------------------------------------

CONDITIONS = {
    "if p1": {1}, "unless p1": {0, 2, 3}, "if p1 or p2": {1, 2}, "if p1 || p2 p3": {1}, "if low p1": {1},
    "if !p1 low": {0, 2}, "if ! p1 !! low": {0, 2}, "if low !p1 or p3": {0, 2, 3}, "if { src_port 3 } or p1": {1, 3},
    "if TRUE": {0, 1, 2, 3}, "if FALSE": set(), "if !{ src_port 0:1 }": {2, 3}, "unless low": {3}, "": {0, 1, 2, 3},
    "if two": {1, 2}, "unless !two low": {1, 2, 3},
}  # fmt: skip


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions(judge, condition: str) -> None:
    acls = "acl p1 src_port 1\nacl p2 src_port 2\nacl p3 src_port 3\nacl low src_port 0:2\n"
    acls += "acl two src_port 1\nacl two src_port 2\n"
    rules = f"{acls}tcp-request connection accept {condition}\ntcp-request connection reject"
    assert {n for n in range(4) if judge(rules).admits("10.0.0.1", n)} == CONDITIONS[condition]


def test_session_rules_are_a_set_of_their_own(judge) -> None:
    asked = judge("""
        tcp-request session accept if { src 10.0.0.1 }
        tcp-request connection reject if { src 10.0.0.1 }
        tcp-request session reject if { src 10.0.0.0/8 }
        tcp-request content reject if { src 11.0.0.1 }
    """)
    assert [asked.enters(f"1{n}.0.0.{n + 1}") for n in (0, 1, 2)] == [True, True, True]
    assert (asked.enters("10.0.0.2"), asked.admits("10.0.0.2"), asked.admits("10.0.0.1")) == (False, True, False)


def test_rules_of_defaults_come_first_with_acls_of_their_own(judge) -> None:
    inherited = """
        acl known src 10.0.0.0/8
        tcp-request connection accept if known
        tcp-request connection reject if { src 11.0.0.0/8 }
        tcp-request content reject if { req.len 3 }
    """
    asked = judge("""
        acl known src 12.0.0.0/8
        tcp-request connection reject if { src 10.0.0.1 }
        tcp-request connection reject if known
        tcp-request content reject if { req.len 2 }
    """, inherited)  # fmt: skip
    assert [asked.admits(f"{n}.0.0.1") for n in (10, 11, 12, 13)] == [True, False, False, True]
    assert [asked.content(bytes(n), final=True) for n in (1, 2, 3)] == ["accept", "reject", "reject"]


def test_silent_drop_is_a_final_answer(judge) -> None:
    asked = judge("""
        tcp-request connection silent-drop if { src 10.0.0.1 }
        tcp-request session silent-drop unless { src 10.0.0.0/8 }
        tcp-request content silent-drop if { req.len 2 }
        tcp-request content accept if { req.len 4 }
        tcp-request content reject
    """)
    assert (asked.admits("10.0.0.1"), asked.admits("11.0.0.1")) == (False, True)
    assert (asked.enters("10.0.0.1"), asked.enters("11.0.0.1")) == (True, False)
    assert [asked.content(data, final=True) for data in (b"ab", b"abcd", b"abc")] == ["drop", "accept", "reject"]


def test_what_is_not_known_yet_makes_later_rules_wait(judge) -> None:
    content = judge("""
        tcp-request content accept if { req.payload(0,2) -m str OK }
        tcp-request content reject if { req.payload(4,2) -m str NO }
        tcp-request content accept if { req.len gt 100 }
    """).content
    assert [content(data) for data in (b"", b"O", b"OK", b"xx", b"xxxxN")] == ["wait", "wait", "accept", "wait", "wait"]
    assert [content(data) for data in (b"xxxxNO", b"xxxxNOyy")] == ["reject", "reject"]
    assert content(b"xxxxZZ") == "wait"  # for the length
    assert [content(data, final=True) for data in (b"", b"O", b"xxxxZZ")] == ["accept"] * 3
    assert content(b"xxxxZZ" + bytes(95)) == "accept"


def test_neither_true_nor_false(judge) -> None:
    """HAProxy's three values: 'not' of the unknown is unknown, 'and' with false is false, 'or' with true is true."""
    rules = "tcp-request content reject if {}"
    short = "{ req.payload(0,9) -m str x }"
    assert judge(rules.format(f"!{short}")).content(b"") == "wait"
    assert judge(rules.format(f"!{short}")).content(b"", final=True) == "reject"
    assert judge(rules.format(f"FALSE {short}")).content(b"") == "accept"
    assert judge(rules.format(f"{short} FALSE")).content(b"") == "wait"
    assert judge(rules.format(f"{short} or TRUE")).content(b"") == "reject"
    assert judge(f"tcp-request content reject unless {short}").content(b"") == "wait"
    assert judge("tcp-request content reject if WAIT_END").content(b"abc") == "wait"
    assert judge("tcp-request content reject if WAIT_END").content(b"abc", final=True) == "reject"


# ---- texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        ("-m str abc", ["abc"], ["ab", "abcd", "ABC", ""]),
        ("-m str -i aBc x", ["abc", "ABC", "x", "X"], ["ab", "abcd"]),
        ("-m beg a. ab.c", ["a.", "a.b", "ab.c", "ab.cd"], ["ab", "", "A.b", "b.a."]),
        ("-m end .b.example b.example.x", ["a.b.example", ".b.example", "zb.example.x"], ["b.example", "x", ""]),
        ("-m end -i .EXAMPLE", ["a.Example"], ["example"]),
        ("-m sub bc ef", ["abcd", "bc", "xxef", "abefc"], ["b", "cb", ""]),
        ("-m dom example.com", ["example.com", "www.example.com", "example.com.au"], ["myexample.com", "example.co"]),
        ("-m dom .b.", ["a.b.c", "b", "b:80", "a/b"], ["ab", "abc"]),
        ("-m dir b/c", ["a/b/c", "b/c/d", "b/c?x"], ["a.b/c", "ab/c", "b/cd"]),
        ("-m len 3 5:6", ["abc", "abcde", "abcdef"], ["ab", "abcd", ""]),
        ("-m bin 6162 63", ["ab", "c"], ["6162", "abc", "a"]),
        ("-m found", ["a", ""], []),
    ],
)
def test_texts(judge, test: str, yes: list[str], no: list[str]) -> None:
    content = judge(f"tcp-request content reject if {{ req.payload(0,0) {test} }}").content
    assert [text for text in yes if content(text.encode(), final=True) != "reject"] == []
    assert [text for text in no if content(text.encode(), final=True) == "reject"] == []


def test_the_longest_of_random_prefixes(judge, tmp_path: Path) -> None:
    chance = random.Random(3)
    names = {"".join(chance.choices("ab", k=chance.randint(1, 6))) for _ in range(40)}
    (tmp_path / "m").write_text("".join(f"{name} b{len(name) % 4}\n" for name in names))
    for kind in ("beg", "end"):
        backend = judge(f"use_backend %[req.payload(0,0),map_{kind}({tmp_path}/m)]").backend
        for _ in range(300):
            text = "".join(chance.choices("abc", k=chance.randint(1, 9)))
            found = [n for n in names if (text.startswith(n) if kind == "beg" else text.endswith(n))]
            assert backend(text.encode()) == (len(max(found, key=len)) % 4 if found else -1), text


def test_maps_and_names_made_at_run_time(judge, tmp_path: Path) -> None:
    (tmp_path / "nets").write_text("10.0.0.0/8 1\n10.1.0.0/16 2\n10.1.2.3 3\n10.1.2.3 0\n")
    (tmp_path / "ports").write_text("1:5 2\n5:9 3\n")
    (tmp_path / "hosts").write_text("a.example b1\nb.example   b2\nc.example nowhere\nempty\n")
    by_net = judge(f"use_backend b%[src,map_ip({tmp_path}/nets,0)]").backend
    asked = ("10.9.9.9", "10.1.9.9", "10.1.2.3", "11.0.0.1", "::ffff:10.1.9.9")
    assert [by_net(b"", one) for one in asked] == [1, 2, 3, 0, 2]
    by_name = judge(f"use_backend %[req.payload(0,0),lower,map({tmp_path}/hosts,b3)]").backend
    assert [by_name(name) for name in (b"A.example", b"b.EXAMPLE", b"c.example", b"d.example", b"empty")] == [
        1, 2, -1, 3, -1,
    ]  # fmt: skip
    by_size = judge(f"use_backend b%[req.len,map_int({tmp_path}/ports)]").backend
    assert [by_size(bytes(n)) for n in (0, 1, 5, 6, 9, 10)] == [-1, 2, 2, 3, 3, -1]
    written = judge("use_backend b%[req.len] if { src,ipmask(8) 10.0.0.0 }").backend
    assert (written(b"xx", "10.9.9.9"), written(b"xx", "11.0.0.0"), written(b"xxxxxxx", "10.1.1.1")) == (2, -1, -1)
    masked = judge("use_backend b1 if { src,ipmask(24,33) 10.1.2.0 2001:db8:8000:: }").backend
    assert [masked(b"", one) for one in ("10.1.2.255", "10.1.3.0", "2001:db8:ffff::1", "2001:db8::1")] == [1, -1, 1, -1]


def test_parts_of_a_text(judge) -> None:
    """What HAProxy 2.6 makes of them."""
    texts = ("a.b.c", ".a.b", "a", "b..c", "a.b.", "..")
    expected = {
        "field(1,.)": "a ! a b a !", "field(2,.)": "b a ! ! b !", "field(-1,.)": "c b a c ! !",
        "field(-2,.)": "b a ! ! b !", "word(1,.)": "a a a b a !", "word(2,.)": "b b ! c b !",
        "word(-1,.)": "c b a c b !", "word(-2,.)": "b a ! b a !", "field(2,:.)": "b a ! ! b !",
    }  # fmt: skip
    for part, results in expected.items():
        content = [
            judge(f"tcp-request content reject if {{ req.payload(0,0),{part} -m str {value} }}").content
            for value in "abc"
        ]
        found = ["".join(v for v, one in zip("abc", content, strict=True) if one(text.encode(), final=True) == "reject")
                 for text in texts]  # fmt: skip
        assert [one or "!" for one in found] == results.split(), part


def test_what_goes_on_in_backends(judge) -> None:
    tests = ("nbsrv(b1) 1", "be_conn(b1) 0", "fe_conn 0", "queue(b1) 0", "avg_queue(b1) 0", "be_conn_free(b1) 3")
    rules = "\n".join(f"tcp-request connection reject if !{{ {test} }}" for test in tests)
    rules += "\ntcp-request connection reject if !{ srv_is_up(b1/s1) } or { srv_is_up(b1/s2) }"
    asked = judge(rules)
    asked.shm.set_server_limit(2, 3)
    assert not asked.admits("10.0.0.1")
    asked.shm.set_server_state(2, True, 1)
    assert asked.admits("10.0.0.1")
    asked.shm.set_server_state(3, True, 1)
    assert not asked.admits("10.0.0.1")


# ---- TLS ---------------------------------------------------------------------------------------------------------

HELLO_RULES = """
    tcp-request content accept if { req.ssl_hello_type 1 }
    tcp-request content reject if WAIT_END
    use_backend b1 if { req_ssl_sni -i a.example } { req.ssl_alpn h2 } { req.ssl_ver 3.3 }
    use_backend b2 if { req_ssl_sni -m found }
"""


def test_a_client_hello_in_every_record_size_and_cut(judge) -> None:
    asked = judge(HELLO_RULES)
    for size in (1, 3, 4, 5, 100, 700, 16384):
        whole = client_hello(b"A.Example", size)
        for end in {0, 1, 2, 3, 4, 5, 6, 9, 10, 50, len(whole) // 2, len(whole) - 1}:
            assert asked.content(whole[:end]) == "wait", (size, end)
        assert (asked.content(whole), asked.backend(whole)) == ("accept", 1), size
        assert (asked.content(whole + b"more"), asked.backend(whole + b"more")) == ("accept", 1), size


def test_a_client_hello_of_openssl(judge) -> None:
    context, incoming, outgoing = ssl.create_default_context(), ssl.MemoryBIO(), ssl.MemoryBIO()
    context.set_alpn_protocols(["h2"])
    tls = context.wrap_bio(incoming, outgoing, server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read()
    asked = judge(HELLO_RULES)
    assert (asked.content(hello[:-1]), asked.content(hello), asked.backend(hello)) == ("wait", "accept", 1)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n", b"\x17\x03\x03\x00\x05", b"\x16\x02", b"\x16\x03\x01\x00\x00", b"\x16\x03\x01\x48\x01",
        b"\x80", b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", client_hello(size=100)[:105] + b"GET /",
    ],
)  # fmt: skip
def test_no_client_hello_is_known_for_none_at_once(judge, data: bytes) -> None:
    rules = "tcp-request content accept if { req.ssl_hello_type 1 }\ntcp-request content reject"
    assert judge(rules).content(data) == "reject"


@pytest.mark.parametrize(
    ("hello", "backend"),
    [
        (records(message()), -1),
        (records(message(alpn(b"h2"))), -1),
        (records(message(sni(b"b.example"))), 2),
        (records(message(key_share(9000), sni(b"a.example"), alpn(b"h2")), 2000), 1),
        (records(message(sni(b"a.example"), alpn(b"http/1.1", b"h2"))), 2),
        (records(message(sni(b"a.example"), alpn(b"h2"), version=0x0302)), 2),
        (records(message(b"\0\0\0\x09\0\x07\0\0\xff\xff\xff\xff\xff")), -1),
        (records(message(b"\0\0\0\x08" + vector(2, b"\x01" + vector(2, b"abc")))), -1),
        (records(message(b"\0\0\xff\xff")), -1),
    ],
)
def test_what_a_hello_holds(judge, hello: bytes, backend: int) -> None:
    asked = judge(HELLO_RULES)
    assert (asked.content(hello), asked.backend(hello)) == ("accept", backend)


def test_other_handshake_messages_have_their_type(judge) -> None:
    content = judge("tcp-request content reject if { req.ssl_hello_type 2 }\ntcp-request content accept").content
    assert content(records(b"\x02" + vector(3, bytes(40)))) == "reject"


def test_damaged_hellos_do_no_harm(judge) -> None:
    """Whatever comes, there is an answer; waiting is over when the client's end is; a whole hello is not waited for."""
    chance = random.Random(11)
    asked = judge(HELLO_RULES)
    for _ in range(20000):
        data = bytearray(client_hello(chance.randbytes(chance.randint(0, 40)), chance.choice((7, 60, 500, 16384))))
        for _ in range(chance.choice((0, 1, 1, 2, 8))):
            data[chance.choice((0, 3, 4, 6, 8, 43, chance.randrange(len(data))))] = chance.choice((0, 1, 255, 22, 128))
        data = data[: chance.choice((len(data), chance.randrange(len(data))))]
        assert asked.content(bytes(data)) in ("accept", "wait", "reject")
        assert asked.content(bytes(data), final=True) in ("accept", "reject")
        assert asked.backend(bytes(data)) in (-1, 1, 2)
