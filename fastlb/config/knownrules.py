"""HAProxy's words of rules and samples that fastlb knows but does not act on (manual, sections 7.3 and 4.2)."""

from __future__ import annotations

from fastlb.config.keywords import HTTP_ONLY, because, words
from fastlb.config.known import OTHER_ONLY

SAMPLE_NOT_YET = words(
    """dst_conn fe_req_rate http_first_req meth queue_time req.proto_http req.ssl_ec_ext req.ssl_st_ext req_proto_http
    ssl_hello_type"""
)
SAMPLE_NOT_YET_PREFIXES = ("bc_", "fc_", "res.", "sc_", "sc0_", "sc1_", "sc2_", "src_", "table_", "txn.", "bc.", "fc.")
SAMPLE_REFUSED = {
    **because(
        HTTP_ONLY,
        """base base32 base32+src capture.res.hdr cook cook_cnt cook_val cookie hdr hdr_cnt hdr_ip
        hdr_val hdr_beg hdr_dir hdr_dom hdr_end hdr_len hdr_reg hdr_sub method path path_beg path_dir path_dom
        path_end path_len path_reg path_sub pathq query req.body req.cook req.fhdr req.hdr req.hdr_cnt req.hdr_ip
        req.hdr_val req.hdrs req.ver req_ver shdr status unique-id url url_beg url_dir url_dom url_end url_ip url_len
        url_param url_port url_reg url_sub urlp urlp_val urlp_reg""",
    ),
    **because(
        "it needs TLS to be terminated here; use 'req.ssl_sni' for the name that a client asks for",
        """ssl_fc ssl_fc_sni ssl_fc_alpn ssl_fc_has_sni ssl_fc_has_crt ssl_fc_protocol ssl_fc_cipher ssl_bc ssl_c_used
        ssl_c_verify ssl_c_s_dn ssl_c_i_dn ssl_c_serial ssl_c_sha1 ssl_c_notafter ssl_c_notbefore ssl_fc_npn
        ssl_fc_is_resumed ssl_fc_sni_end ssl_fc_sni_reg""",
    ),
}
CONVERTER_NOT_YET = words(
    """debug digest fe_exists hmac host_only http_date json_query language limit port_only protobuf q rand
    rfc7239_is_valid set-var ungrpc unset-var when x509_v_err_str xxh3"""
)
CONVERTER_NOT_YET_PREFIXES = ("map_", "table_", "ip.", "tcp.", "eth.")
RULE_NOT_YET = words(
    """do-log do-resolve expect-netscaler-cip set-bandwidth-limit set-bc-mark set-bc-tos set-fc-mark set-mark
    set-nice"""
)
RULE_NOT_YET_PREFIXES = ("do-resolve", "sc-", "set-", "track-sc")
RULE_REFUSED = {
    **because(HTTP_ONLY, "switch-mode"),
    **because(OTHER_ONLY, "send-spoe-group use-service ot-group"),
}
