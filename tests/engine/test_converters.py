"""Converters, each on many values, beside HAProxy 2.6 where it is installed."""

from __future__ import annotations

import hashlib
import random
import shutil
import socket
from pathlib import Path

import pytest
from system.harness.client import connect, read_to_end
from system.harness.haproxy import Haproxy

from fastlb import _engine

VARIABLES = {
    "seven": "int(7)", "minus": "int(-3)", "zero": "int(0)", "digits": "str(42)", "text": "str(a.b.c)",
    "empty": "str()", "bytes": "bin(610d0a62)", "ip": "ipv4(192.0.2.1)", "ip6": "ipv6(2001:db8::1)",
}  # fmt: skip
BITS = (224, 256, 384, 512)
NUMBERS = ("int(0)", "int(7)", "int(-7)", "int(9223372036854775807)", "int(-9223372036854775808)", "bool(true)")
OF_NUMBERS = (
    "add(5)", "add(9223372036854775807)", "sub(-9)", "sub(9223372036854775807)", "mul(7)", "mul(-3)",
    "mul(9223372036854775807)", "div(3)", "div(-2)", "div(0)", "div(-1)", "mod(3)", "mod(-3)", "mod(0)", "mod(-1)",
    "and(12)", "or(12)", "xor(12)", "cpl", "neg", "not", "bool", "even", "odd", "htonl", "iif(yes,no)", "hex", "length",
    "crc32", "xxh64", "ltrim(-)", "upper", "field(1,0)", "base64", "add(txn.seven)", "sub(txn.minus)",
    "mul(txn.digits)", "div(txn.zero)", "mod(txn.seven)", "and(txn.ip)", "or(txn.digits)", "xor(txn.minus)",
    "add(txn.none)", "add(txn.empty)", "add(txn.text)", "add(txn.ip6)", "strcmp(txn.seven)", "secure_memcmp(txn.seven)",
)  # fmt: skip
TEXTS = (
    "str(abc)", "str(a.b.c)", "str()", "str(.a..b.)", 'str(" a,b(c) ")', r"str(\"x\\\ y\")", "str(42)", "str(1.2.3.4)",
    "str(::1)", "str(GET%20/x%2Fy?a=b+c)", "str(%zz)", "str(0aF)", "str(YWJj)", "str(YWI)", "str(a_b-)",
    f"str({'a' * 77})", "str(12:34)", "str(+7)", "str(99999999999999999999)", "bin(01020304050607)",
    "bin(0102030405060708090a)", "bin(610d0a62)", "ipv4(192.0.2.1)",
)  # fmt: skip
OF_TEXTS = (
    "lower", "upper", "length", "bytes(1)", "bytes(1,1)", "bytes(99)", "bytes(0,0)", "concat(x,,y)", "concat",
    "ltrim(.a)", "rtrim(.c)", "hex", "hex2i", "base64", "b64dec", "ub64enc", "url_dec", "url_dec(1)", "cut_crlf",
    "crc32", "crc32(1)", "crc32c", "djb2", "djb2(1)", "sdbm", "wt6", "wt6(1)", "xxh32", "xxh32(7)", "xxh64", "xxh64(7)",
    "be2dec(:,1)", "be2dec(-,2,1)", "be2dec(,2)", "be2dec(:,8)", "be2hex", "be2hex(:,2)", "be2hex(--,2,1)",
    "field(1,.)", "field(2,.)", "field(-1,.)", "field(5,.)", "field(2,.,0)", "field(1,.,2)", "field(-1,.,2)",
    "field(-2,.,0)", "field(-5,.)", "field(-1,.,9)", "word(1,.)", "word(2,.)", "word(-1,.)", "word(2,.,0)",
    "word(1,.,2)", "word(-1,.,2)", "word(-1,.,0)", "word(7,.)", "regsub(a,X)", "regsub(a,X,g)", "regsub(b*,<>,g)",
    "sha1", "sha2", "sha2(224)", "sha2(256)", "sha2(384)", "sha2(512)", "sha2(512),sha1", "url_enc(query)",
    "json(utf8)", "regsub(A,x,gi)", r'regsub("(.)b","[\1\0]")', 'regsub("^.","",g)', 'regsub(".$","E",g)',
    "regsub(x*,-,g)", "concat(<,txn.digits,>)", "concat(,txn.text)", "concat(a,txn.none,b)", "concat(,txn.ip,.)",
    "concat(,txn.minus)", "hex,concat(:,txn.ip6)", "strcmp(txn.text)", "strcmp(txn.digits)", "strcmp(txn.empty)",
    "strcmp(txn.none)", "strcmp(txn.ip)", "upper,strcmp(txn.text)", "secure_memcmp(txn.text)",
    "secure_memcmp(txn.bytes)", "secure_memcmp(txn.none)", "secure_memcmp(txn.ip)", "secure_memcmp(txn.empty)",
    "lower,upper,lower", "concat(abc),concat(def),upper", "hex,lower,bytes(0,4)", "regsub(a,bb),regsub(b,cc,g)",
)  # fmt: skip
TIMES = [
    f"int({n}),{of}" for n in (0, 86399, 1700000000) for of in ("utime(%Y%m%d%H%M%S)", "utime(%H:%M,3600)", "ltime(%s)")
]
# A result that is bytes, which HAProxy shows up to a zero.
BYTES = ("bytes", "b64dec", "ub64dec", "htonl", "sha1", "sha2")
CODES = (
    "str()", "bin(c3a9e282ac)", "bin(41c3)", "bin(c341)", "bin(e28241)", "bin(e282)", "bin(c0af61)", "bin(c1bf)",
    "bin(e08080)", "bin(f0808080)", "bin(eda080)", "bin(efbfbe)", "bin(efbfbf)", "bin(efbfbd)", "bin(f09f9880)",
    "bin(f8888080af)", "bin(fc8480808080)", "bin(fe41)", "bin(ff)", "bin(8041)", "bin(225c2f08)", "bin(0c0a0d09)",
    "bin(011f207e7f)", "bin(a0ff)", "str(a/b)", "bin(c3a9c0af)", "bin(e282ace282)", "bin(f4908080)", "bin(c280dfbf)",
    "bin(e09fbf)", "bin(e0a080)", "bin(f08fbfbf)", "bin(f0908080)", "bin(f8878080af)",
)  # fmt: skip
OF_CODES = ("json(ascii)", "json(utf8)", "json(utf8s)", "json(utf8p)", "json(utf8ps)", "json()", "url_enc(query)")


def mqtt(
    version: int = 4, flags: int = 2, rest: str = "0007636c69656e7431", props: str = "", name: str = "00044d515454",
    kind: str = "10",
) -> str:  # fmt: skip
    """A packet in hexadecimal digits."""
    body = f"{name}{version:02x}{flags:02x}003c" + (f"{len(props) // 2:02x}{props}" if version == 5 else "") + rest
    size = len(body) // 2
    return kind + (f"{size:02x}" if size < 128 else f"{size % 128 | 128:02x}{size // 128:02x}") + body


PACKETS = [
    mqtt(), mqtt(5), mqtt(5, props="1100000e10"), mqtt(3, name="00064d5149736470"), mqtt(kind="20"), mqtt(flags=3),
    mqtt(rest="0000"), mqtt(flags=0xC2, rest="0001610002757300027077"), mqtt(flags=6, rest="000161000174000170"),
    mqtt(flags=24, rest="000161"), mqtt(flags=0x12, rest="000161"), mqtt(5, 6, "00016105020000000100017400" + "0170"),
    mqtt(5, 6, "00016100000174000170"), mqtt()[:-2], mqtt() + "00", "10", "1000", "10ffffffff", "10ffffffff7f",
    mqtt(5, props="210000"), mqtt(5, props="2100012100" + "01"), mqtt(5, props="16000161"), mqtt(5, props="2700000000"),
    mqtt(5, props="15000161160001" + "61"), mqtt(5, props="26000161000162" * 2), mqtt(5, props="1902"),
    mqtt(5, props="63"), mqtt(name="00046d717474"), mqtt(5, props="2600"), mqtt(rest="000161" + "00" * 200), mqtt(6),
]  # fmt: skip
FIELDS = [
    "flags",
    "protocol_name",
    "protocol_version",
    "client_identifier",
    "will_topic",
    "will_payload",
    "username",
    "password",
    "keepalive",
]
OF_PACKETS = ["mqtt_is_valid", *(f"mqtt_field_value(connect,{field})" for field in FIELDS),
              "mqtt_field_value(1,Client_Identifier)"]  # fmt: skip


def fix(*fields: str, begin: str = "FIX.4.4", length: int | None = None, check: int | None = None) -> str:
    """A message in hexadecimal digits."""
    body = "".join(f"{field}\x01" for field in fields)
    text = f"8={begin}\x019={len(body) if length is None else length}\x01{body}"
    return f"{text}10={sum(text.encode()) % 256 if check is None else check:03d}\x01".encode().hex()


MESSAGES = [
    fix("35=A", "49=me", "56=you"), fix("35=A", begin="FIXT.1.1"), fix("35=A", "300=x", begin="FIX.4.0"),
    fix("35=A", "12000=x", begin="FIX.4.0"), fix("35=A", begin="FIX.5.0"), fix("35=A", length=4), fix("35=A", check=1),
    fix("49=A"), fix("35=", "49=b"), fix("35=A")[:-2], fix("35=A", "49=b")[:-14], fix("35=A", "x=b"), fix("35=A", "49"),
    fix("35=A", "=b"), "383d", fix("35=A", "58=a=b"), fix("35=A", "0=b"), fix("35=A") + "00", fix("35=A", "5 =b"),
    b"no FIX at all but long enough".hex(), fix(),
]  # fmt: skip
TAGS = ("35", "BeginString", "BodyLength", "MsgType", "SenderCompID", "TargetCompID", "CheckSum", "49", "58", "999")
OF_MESSAGES = ["fix_is_valid", *(f"fix_tag_value({tag})" for tag in TAGS)]

# Dates are compared to eleven days.
MOMENTS = (
    "proc", "stopping", "hostname", "rand(1)", "env(FASTLB_NOBODY_SETS_THIS)", "date,div(1000000)",
    "date(-5000000000),div(1000000)", "date(99999999999,ms),div(1000000000)", "date(-7,us),div(1000000000000)",
)  # fmt: skip

SAMPLES = [
    *MOMENTS,
    *(f"{sample},{of}" for sample in NUMBERS for of in OF_NUMBERS),
    *(f"{sample},{of}" for sample in TEXTS for of in OF_TEXTS),
    *(f"{sample},{of}" for sample in CODES for of in OF_CODES),
    *TIMES,
    *(f"bin({data}),{of}" for data in PACKETS for of in OF_PACKETS),
    *(f"bin({data}),{of}" for data in MESSAGES for of in OF_MESSAGES),
]


def set_all(rule: str) -> str:
    """Lines that set the variables."""
    return "".join(f"{rule} set-var(txn.{name}) {sample}\n" for name, sample in VARIABLES.items())


def shown(sample: str) -> str:
    """What makes HAProxy show the bytes of a sample and how many there are, which is nothing for no sample."""
    last = sample[: sample.rfind("(")] if sample.endswith(")") else sample
    as_bytes = "" if last.rpartition(",")[2] in BYTES else "concat(),"
    return f"%[{sample},{as_bytes}hex];%[{sample},{as_bytes}length]\n"


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
@pytest.mark.skipif(_engine.BUILD != "release", reason="the oracle proves the table once")
def test_every_converter_makes_what_haproxy_makes(judge, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "answer").write_text("".join(map(shown, SAMPLES)))
    running = Haproxy(
        f"""
    global
        tune.bufsize 1048576
    defaults
        mode http
        timeout client 20s
        timeout server 20s
        timeout connect 20s
    frontend f
        bind 127.0.0.1:{port}
        {set_all("http-request")}
        http-request return status 200 content-type text/plain lf-file {tmp_path}/answer""",
        tmp_path,
    )
    try:
        with connect(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = read_to_end(client)[0].partition(b"\r\n\r\n")[2].decode().split("\n")
    finally:
        running.stop()
    asked = judge(set_all("tcp-request content") + "\n".join(f"use_backend '%[{sample}]'" for sample in SAMPLES))
    for number, (sample, line) in enumerate(zip(SAMPLES, answer, strict=False)):
        digits, _, size = line.partition(";")
        theirs = bytes.fromhex(digits) if size else None
        assert asked.value(number) == theirs, sample
    assert len(answer) == len(SAMPLES) + 1


def test_digests(judge) -> None:
    """Of every size around the edges of their blocks."""
    converters = ("sha1", *(f"sha2({bits})" for bits in BITS))
    asked = judge("\n".join(f"use_backend %[req.payload(0,0),{converter},hex]" for converter in converters))
    data = random.Random(5).randbytes(15360)
    for size in (*range(260), 1000, 4095, 15360):
        found = [asked.value(number, data[:size]) for number in range(5)]
        kinds = ("sha1", *(f"sha{bits}" for bits in BITS))
        expected = [hashlib.new(kind, data[:size]).hexdigest().upper().encode() for kind in kinds]
        assert found == expected, size


def test_converters_that_came_later(judge) -> None:
    """Those that HAProxy 2.6 does not have."""
    samples = {
        "str(www.example.com),reverse_dom": b"com.example.www", "str(a..b.),reverse_dom": b".b..a",
        "str(),reverse_dom": b"", "str(.),reverse_dom": b".", "str(com),reverse_dom": b"com",
        "bin(01020304050607),le2dec(:,2)": b"513:1027:1541:7", "bin(01020304050607),le2dec(:,2,1)": b"513:1027:1541",
        "bin(0100000000000080),le2dec(,8)": b"9223372036854775809", "str(),le2dec(-,1)": b"",
        "int(1700000000123),ms_utime(%Y-%m-%dT%H:%M:%S.%3N)": b"2023-11-14T22:13:20.123",
        "int(1700000000123),ms_utime(%N %1N %%N %s%9N)": b"123000000 1 %N 1700000000123000000",
        "int(1700000000123456),us_utime(%S.%6N)": b"20.123456",
        "int(-1),us_utime(%Y %H:%M:%S.%6N)": b"1969 23:59:59.999999",
        "int(0),ms_utime(%S.%3N,-1)": b"59.999", "int(1500),ms_utime(%S.%3N,1500)": b"03.000",
        "int(0),us_ltime(%s.%3N)": b"0.000", "int(9223372036854775807),us_utime(%Y,900000000000000000)": b"294247",
        "int(-9223372036854775808),ms_utime(%Y)": b"-292275055", "int(7),utime(%3N)": b"%3N",
    }  # fmt: skip
    asked = judge("\n".join(f"use_backend '%[{sample}]'" for sample in samples))
    assert [asked.value(number) for number in range(len(samples))] == list(samples.values())


def test_variables_say_which_bytes(judge) -> None:
    samples = {
        "str(abcdefghijk),bytes(txn.seven)": b"hijk", "str(abcdefghijk),bytes(1,txn.seven)": b"bcdefgh",
        "str(abcdefghijk),bytes(txn.zero,txn.seven)": b"abcdefg", "str(abc),bytes(txn.seven)": b"",
        "str(abc),bytes(txn.minus)": None, "str(abc),bytes(0,txn.minus)": None, "str(abc),bytes(txn.none)": None,
        "str(abc),bytes(1,txn.none)": None, "str(abc),bytes(txn.empty)": None, "str(abc),bytes(0,txn.digits)": b"abc",
    }  # fmt: skip
    asked = judge(set_all("tcp-request content") + "\n".join(f"use_backend '%[{sample}]'" for sample in samples))
    assert [asked.value(number) for number in range(len(samples))] == list(samples.values())


def test_texts_name_backends_and_servers(judge) -> None:
    asked = judge("""
        use_backend %[str(b1),nbsrv]
        use_backend %[nbsrv(b1)]
        use_backend %[str(b9),nbsrv]
        use_backend %[str(b1/s1),srv_is_up]
        use_backend %[str(b1/s9),srv_is_up]
        use_backend %[str(s1),srv_queue]
        use_backend %[str(b1/s2),srv_queue]
    """)
    assert asked.value(0) == asked.value(1) is not None
    assert [asked.value(number) for number in range(2, 7)] == [None, asked.value(3), None, None, b"0"]
    assert asked.value(3) in (b"0", b"1")


def test_what_differs_from_haproxy(judge) -> None:
    """Sums of negative numbers (HAProxy 2.6: the largest number), and texts with a zero byte (HAProxy cuts them)."""
    samples = {"int(-7),add(-5)": b"-12", "int(-7),sub(5)": b"-12", "bin(6100ff),concat(x)": b"a\0\xffx",
               "str(abc),reverse": b"cba", "bin(1080),mqtt_is_valid": None, "str(YQ==),ub64dec": None}  # fmt: skip
    asked = judge("\n".join(f"use_backend '%[{sample}]'" for sample in samples))
    assert [asked.value(number) for number in range(len(samples))] == list(samples.values())


def test_kinds_become_others_where_they_are_compared(judge) -> None:
    tests = {
        "src -m beg 127.": True, "src -m sub 9": False, "src_port -m str 1": True, "src -m bin 7f000001": True,
        "str(10.1.2.3) -m ip 10.0.0.0/8": True, "str(x) -m ip 10.0.0.0/8": False, "str(12) -m int gt 11": True,
        "int(3232235777) -m ip 192.168.1.1": True, "src,ipmask(8) -m str 127.0.0.0": True, "bool(true) -m str 1": True,
        "ipv6(2001:db8::1),ipmask(8) -m found": False, "ipv6(2001:db8::1),ipmask(8,32) -m str 2001:db8::": True,
    }  # fmt: skip
    for test, holds in tests.items():
        assert judge(f"tcp-request connection accept unless {{ {test} }}").admits("127.0.0.1"), test
        rejects = not judge(f"tcp-request connection reject if {{ {test} }}").admits("127.0.0.1")
        assert rejects is holds, test


def rdp(text: str) -> bytes:
    return bytes(11) + text.encode()


@pytest.mark.parametrize(
    ("data", "any_one", "named"),
    [
        (rdp("Cookie: mstshash=user\r\n"), "user", "user"),
        (rdp("cookie:MSTSHASH=user\r\nmore"), "user", "user"),
        (rdp("Cookie: msts=3640205228.15629.0000\r\n"), "3640205228.15629.0000", None),
        (rdp("Cookie: mstshash=\r\n"), "", ""),
        (rdp("Cookie: x\r\n"), None, None),
        (rdp("Cookie: mstshash=user\rx"), None, None),
        (rdp("Kookie: mstshash=user\r\n"), None, None),
    ],
)
def test_the_cookie_of_a_remote_desktop(judge, data: bytes, any_one: str | None, named: str | None) -> None:
    asked = judge("""
        use_backend %[req.rdp_cookie]
        use_backend %[req.rdp_cookie(MSTShash)]
        use_backend %[rdp_cookie_cnt]
        tcp-request content reject if RDP_COOKIE
    """)
    found = [asked.value(number, data) for number in range(3)]
    count = b"1" if any_one is not None else b"0"
    assert found == [*(text if text is None else text.encode() for text in (any_one, named)), count]
    assert asked.content(data) == ("reject" if any_one is not None else "accept")
    for end in range(18):
        assert asked.content(data[:end]) == "wait", end
    if any_one is not None:
        whole = data.index(b"\r\n") + 2
        assert [asked.content(data[:end]) for end in range(18, whole)] == ["wait"] * (whole - 18)


def test_texts_with_their_length_before_them(judge) -> None:
    asked = judge("""
        use_backend %[req.payload_lv(0,1)]
        use_backend %[req.payload_lv(1,2)]
        use_backend %[req.payload_lv(0,1,4)]
        use_backend %[req.payload_lv(0,1,+1)]
        use_backend %[payload_lv(0,1,-1)]
    """)
    data = b"\x03\x00\x02abcdef"
    assert [asked.value(n, data) for n in range(5)] == [b"\0\x02a", b"ab", b"bcd", b"\x02ab", b"\x03\0\x02"]
    assert [asked.value(n, b"\0\0\0abc") for n in range(2)] == [None, None]


def test_damaged_messages_do_no_harm(judge) -> None:
    """Whatever comes, there is an answer, and the answer to all of it is final."""
    chance = random.Random(13)
    asked = judge("""
        tcp-request content accept if { req.payload(0,0),mqtt_is_valid } { req.rdp_cookie a }
        tcp-request content reject if { req.payload(0,0),fix_is_valid } or { req.payload_lv(11,2) -m str x }
        use_backend b1 if { req.payload(0,0),mqtt_field_value(connect,will_payload) -m found }
        use_backend b2 if { req.payload(0,0),fix_tag_value(49) -m found } or { req.payload_lv(0,4,+9) -m found }
        use_backend b3 if { req.rdp_cookie(msts) -m found }
    """)
    wholes = [bytes.fromhex(one) for one in PACKETS + MESSAGES] + [
        rdp("Cookie: msts=1.2.3\r\n"),
        rdp("Cookie: a=b\r\n"),
    ]
    for _ in range(20000):
        data = bytearray(chance.choice(wholes))
        for _ in range(chance.choice((0, 1, 1, 2, 8))):
            if data:
                data[chance.randrange(len(data))] = chance.choice((0, 1, 255, 61, 38, 128, chance.randrange(256)))
        del data[chance.choice((len(data), chance.randint(0, len(data)))) :]
        assert asked.content(bytes(data)) in ("accept", "wait", "reject")
        assert asked.content(bytes(data), final=True) in ("accept", "reject")
        assert asked.backend(bytes(data)) in (-1, 1, 2, 3)
