"""More that a rule can look at (HAProxy manual, sections 7.3.2, 7.3.3 and 7.3.5)."""

from __future__ import annotations

from fastlb.config.keywords import Keyword
from fastlb.config.ruletree import Kind
from fastlb.config.sampletypes import Fetch

CONSTANTS = {
    "str": Keyword(Fetch(Kind.TEXT, ("text",)), "(text)", "this text"),
    "bin": Keyword(Fetch(Kind.BYTES, ("hexadecimal",)), "(hexadecimal)", "these bytes"),
    "int": Keyword(Fetch(Kind.INTEGER, ("value",)), "(n)", "this number"),
    "bool": Keyword(Fetch(Kind.BOOL, ("boolean",)), "(true|false)", "true or false"),
    "ipv4": Keyword(Fetch(Kind.ADDRESS, ("ipv4",)), "(address)", "this address"),
    "ipv6": Keyword(Fetch(Kind.ADDRESS, ("ipv6",)), "(address)", "this address"),
}

_COOKIE = Fetch(Kind.TEXT, ("name?",), content=True, name="req.rdp_cookie")
_COOKIES = Fetch(Kind.INTEGER, ("name?",), content=True, name="req.rdp_cookie_cnt")
_LONG = Fetch(Kind.BYTES, ("offset", "width", "text_offset?"), content=True, name="req.payload_lv")
CONTENT = {
    "req.rdp_cookie": Keyword(_COOKIE, "[(name)]", "cookie of a remote desktop's client: any, or the one of this name"),
    "req_rdp_cookie": Keyword(_COOKIE, "[(name)]", "the old name of req.rdp_cookie"),
    "rdp_cookie": Keyword(_COOKIE, "[(name)]", "the old name of req.rdp_cookie"),
    "req.rdp_cookie_cnt": Keyword(_COOKIES, "[(name)]", "1 when there is such a cookie, 0 when there is none"),
    "req_rdp_cookie_cnt": Keyword(_COOKIES, "[(name)]", "the old name of req.rdp_cookie_cnt"),
    "rdp_cookie_cnt": Keyword(_COOKIES, "[(name)]", "the old name of req.rdp_cookie_cnt"),
    "req.payload_lv": Keyword(
        _LONG, "(offset,width[,offset of the text])", "some of these bytes, as many as the number at the offset says"
    ),
    "payload_lv": Keyword(_LONG, "(offset,width[,offset of the text])", "the old name of req.payload_lv"),
}
