// The smuggling corpus: requests that two parsers could read in two ways, or that no parser should read at all. Each
// must be refused, in its head or its body, however its bytes are split.
#include <gtest/gtest.h>

#include <set>

#include "http/http1/requests_for_tests.h"

namespace http1 {
namespace {

using namespace std::string_literals;

struct Case {
    const char* name;  // RFC clause and what is wrong
    Fault fault;
    std::string bytes;
};

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
const std::string end = "\r\n";

const Case cases[] = {
    // Content-Length and Transfer-Encoding together.
    {"9112_6_3_cl_te", Fault::length_and_transfer_encoding,
     post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_te_cl", Fault::length_and_transfer_encoding,
     post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_cl_zero_te", Fault::length_and_transfer_encoding,
     post + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_cl_te_lower", Fault::length_and_transfer_encoding,
     post + "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_cl_te_identity", Fault::length_and_transfer_encoding,
     post + "Content-Length: 4\r\nTransfer-Encoding: identity\r\n\r\nabcd"},
    {"9112_6_3_cl_te_10", Fault::length_and_transfer_encoding,
     "POST / HTTP/1.0\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    // Transfer-Encoding.
    {"9112_6_1_te_in_10", Fault::transfer_encoding_in_http10,
     "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_te_twice", Fault::bad_transfer_encoding,
     post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_te_list_twice", Fault::bad_transfer_encoding,
     post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_te_not_last", Fault::bad_transfer_encoding, post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_te_not_last_identity", Fault::bad_transfer_encoding,
     post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
    {"9112_6_3_te_two_lines_not_last", Fault::bad_transfer_encoding,
     post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_gzip_chunked", Fault::unsupported_transfer_encoding,
     post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_identity", Fault::unsupported_transfer_encoding, post + "Transfer-Encoding: identity\r\n\r\n"},
    {"9112_6_1_te_xchunked", Fault::unsupported_transfer_encoding,
     post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_chunkedx", Fault::unsupported_transfer_encoding,
     post + "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_quoted", Fault::bad_transfer_encoding, post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_single_quoted", Fault::unsupported_transfer_encoding,
     post + "Transfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_empty", Fault::bad_transfer_encoding, post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_comma", Fault::bad_transfer_encoding, post + "Transfer-Encoding: ,\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_trailing_comma", Fault::bad_transfer_encoding, post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_leading_comma", Fault::bad_transfer_encoding, post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_parameter", Fault::unsupported_transfer_encoding,
     post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_vertical_tab", Fault::bad_header_value,
     post + "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_form_feed_behind", Fault::bad_header_value, post + "Transfer-Encoding: chunked\x0c\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_nbsp", Fault::bad_transfer_encoding,
     post + "Transfer-Encoding: \xa0"
            "chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_inner_blank", Fault::bad_transfer_encoding, post + "Transfer-Encoding: chun ked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_two_words", Fault::bad_transfer_encoding,
     post + "Transfer-Encoding: chunked chunked\r\n\r\n0\r\n\r\n"},
    {"9112_6_1_te_bare_cr_prefix", Fault::bare_cr, post + "Transfer-Encoding: \rchunked\r\n\r\n0\r\n\r\n"},
    // Content-Length.
    {"9112_6_3_cl_differs", Fault::duplicate_content_length, post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
    {"9112_6_3_cl_same", Fault::duplicate_content_length, post + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"},
    {"9112_6_3_cl_list", Fault::bad_content_length, post + "Content-Length: 2, 2\r\n\r\nab"},
    {"9112_6_3_cl_list_differs", Fault::bad_content_length, post + "Content-Length: 1,2\r\n\r\nab"},
    {"9110_8_6_cl_plus", Fault::bad_content_length, post + "Content-Length: +2\r\n\r\nab"},
    {"9110_8_6_cl_minus", Fault::bad_content_length, post + "Content-Length: -2\r\n\r\nab"},
    {"9110_8_6_cl_minus_zero", Fault::bad_content_length, post + "Content-Length: -0\r\n\r\n"},
    {"9110_8_6_cl_hex", Fault::bad_content_length, post + "Content-Length: 0x2\r\n\r\nab"},
    {"9110_8_6_cl_hex_digit", Fault::bad_content_length, post + "Content-Length: a\r\n\r\n0123456789"},
    {"9110_8_6_cl_empty", Fault::bad_content_length, post + "Content-Length:\r\n\r\n"},
    {"9110_8_6_cl_blank", Fault::bad_content_length, post + "Content-Length: 1 2\r\n\r\nab"},
    {"9110_8_6_cl_tab", Fault::bad_content_length, post + "Content-Length: 1\t2\r\n\r\nab"},
    {"9110_8_6_cl_underscore", Fault::bad_content_length, post + "Content-Length: 1_0\r\n\r\n0123456789"},
    {"9110_8_6_cl_decimal", Fault::bad_content_length, post + "Content-Length: 2.0\r\n\r\nab"},
    {"9110_8_6_cl_exponent", Fault::bad_content_length, post + "Content-Length: 1e1\r\n\r\n0123456789"},
    {"9110_8_6_cl_quoted", Fault::bad_content_length, post + "Content-Length: \"2\"\r\n\r\nab"},
    {"9110_8_6_cl_semicolon", Fault::bad_content_length, post + "Content-Length: 2;\r\n\r\nab"},
    {"9110_8_6_cl_overflow_64", Fault::bad_content_length, post + "Content-Length: 18446744073709551618\r\n\r\nab"},
    {"9110_8_6_cl_overflow_63", Fault::bad_content_length, post + "Content-Length: 9223372036854775808\r\n\r\nab"},
    {"9110_8_6_cl_overflow_long", Fault::bad_content_length,
     post + "Content-Length: 99999999999999999999999999999999\r\n\r\nab"},
    {"9110_8_6_cl_full_width_digit", Fault::bad_content_length, post + "Content-Length: \xef\xbc\x92\r\n\r\nab"},
    {"9110_8_6_cl_nul", Fault::control_character, post + "Content-Length: 2\0\r\n\r\nab"s},
    {"9110_8_6_cl_bare_cr", Fault::bare_cr, post + "Content-Length: 2\r3\r\n\r\nab"},
    // Line ends and blanks.
    {"9112_2_2_bare_lf_lines", Fault::bare_lf, "GET / HTTP/1.1\nHost: a\n\n"},
    {"9112_2_2_bare_lf_in_fields", Fault::bare_lf, get + "X: 1\nContent-Length: 5\r\n\r\n"},
    {"9112_2_2_bare_lf_end", Fault::bare_lf, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    {"9112_2_2_bare_cr_in_value", Fault::bare_cr, get + "X: 1\rContent-Length: 5\r\n\r\n"},
    {"9112_2_2_bare_cr_in_name", Fault::bare_cr, get + "X\r: 1\r\n\r\n"},
    {"9112_2_2_bare_cr_in_line", Fault::bare_cr, "GET /\rHTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_2_2_bare_cr_before_version", Fault::bare_cr, "GET / \rHTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_2_2_cr_cr_lf", Fault::bare_cr, get + "X: 1\r\r\n\r\n"},
    {"9112_2_2_lf_cr", Fault::bare_lf, "GET / HTTP/1.1\n\rHost: a\n\r\n\r"},
    {"9112_2_2_blank_before_fields", Fault::folded_header, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"9112_2_2_empty_lines", Fault::empty_request_line, "\r\n\r\n\r\n\r\n\r\n" + get + end},
    {"9112_5_2_folded", Fault::folded_header, get + "X: 1\r\n 2\r\n\r\n"},
    {"9112_5_2_folded_tab", Fault::folded_header, get + "X: 1\r\n\t2\r\n\r\n"},
    {"9112_5_2_folded_te", Fault::folded_header, post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
    {"9112_5_1_space_before_colon", Fault::space_before_colon, post + "Content-Length : 2\r\n\r\nab"},
    {"9112_5_1_tab_before_colon", Fault::space_before_colon, post + "Content-Length\t: 2\r\n\r\nab"},
    {"9112_5_1_te_space_before_colon", Fault::space_before_colon,
     post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
    {"9112_5_missing_colon", Fault::missing_colon, get + "bad\r\n\r\n"},
    {"9110_5_1_empty_name", Fault::bad_header_name, get + ": 1\r\n\r\n"},
    {"9110_5_1_name_blank", Fault::bad_header_name, get + "X Y: 1\r\n\r\n"},
    {"9110_5_1_name_control", Fault::bad_header_name, get + "X\x01: 1\r\n\r\n"},
    {"9110_5_1_name_nul", Fault::control_character, get + "X\0Y: 1\r\n\r\n"s},
    {"9110_5_1_name_high", Fault::bad_header_name, get + "Content-Length\xff: 1\r\n\r\n"},
    {"9110_5_1_name_slash", Fault::bad_header_name, get + "X/Y: 1\r\n\r\n"},
    {"9110_5_1_name_bracket", Fault::bad_header_name, get + "X[0]: 1\r\n\r\n"},
    {"9110_5_1_name_quote", Fault::bad_header_name, get + "\"X\": 1\r\n\r\n"},
    {"9110_5_1_name_semicolon", Fault::bad_header_name, get + "X;: 1\r\n\r\n"},
    {"9110_5_5_value_nul", Fault::control_character, get + "X: 1\0002\r\n\r\n"s},
    {"9110_5_5_value_bell", Fault::bad_header_value, get + "X: 1\x07\r\n\r\n"},
    {"9110_5_5_value_delete", Fault::bad_header_value, get + "X: 1\x7f\r\n\r\n"},
    {"9110_5_5_value_escape", Fault::bad_header_value, get + "X: \x1b[2J\r\n\r\n"},
    {"3875_4_1_18_cl_underscore", Fault::disguised_framing_field, post + "Content_Length: 2\r\n\r\nab"},
    {"3875_4_1_18_te_underscore", Fault::disguised_framing_field, post + "transfer_encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"3875_4_1_18_trailer_underscore", Fault::disguised_framing_field, chunked + "0\r\nContent_Length: 2\r\n\r\n"},
    // Host.
    {"9112_3_2_host_missing", Fault::missing_host, "GET / HTTP/1.1\r\n\r\n"},
    {"9112_3_2_host_missing_absolute", Fault::missing_host, "GET http://a/ HTTP/1.1\r\n\r\n"},
    {"9112_3_2_host_twice", Fault::duplicate_host, get + "Host: b\r\n\r\n"},
    {"9112_3_2_host_twice_same", Fault::duplicate_host, get + "host: a\r\n\r\n"},
    {"9112_3_2_host_twice_10", Fault::duplicate_host, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"9112_3_2_host_empty", Fault::bad_host, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {"9110_7_2_host_blank", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"9110_7_2_host_list", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {"9110_7_2_host_path", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {"9110_7_2_host_scheme", Fault::bad_host, "GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"},
    {"9110_7_2_host_userinfo", Fault::bad_host, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
    {"9110_7_2_host_query", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"},
    {"9110_7_2_host_fragment", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"},
    {"9110_7_2_host_backslash", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"},
    {"9110_7_2_host_percent", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a%2eb\r\n\r\n"},
    {"9110_7_2_host_high", Fault::bad_host, "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n"},
    {"9110_7_2_host_two_ports", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"},
    {"9110_7_2_host_port_word", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n"},
    {"9110_7_2_host_port_large", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"},
    {"9110_7_2_host_port_sign", Fault::bad_host, "GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n"},
    {"3986_3_2_2_host_open_bracket", Fault::bad_host, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {"3986_3_2_2_host_bad_ipv6", Fault::bad_host, "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n"},
    {"3986_3_2_2_host_bracket_text", Fault::bad_host, "GET / HTTP/1.1\r\nHost: [::1]evil\r\n\r\n"},
    {"3986_3_2_2_host_no_brackets", Fault::bad_host, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"},
    // Request line.
    {"9112_3_two_blanks", Fault::bad_request_line, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_two_blanks_before_version", Fault::bad_request_line, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_blank_in_target", Fault::bad_request_line, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_blank_behind_version", Fault::bad_request_line, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
    {"9112_3_tab_separator", Fault::bad_method, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_tab_in_target", Fault::bad_target, "GET /\tHTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_leading_blank", Fault::garbage, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_only_method", Fault::bad_request_line, "GET\r\n\r\n"},
    {"9112_3_word", Fault::bad_request_line, "hello\r\n\r\n"},
    {"9112_2_3_http09", Fault::missing_version, "GET /\r\n\r\n"},
    {"9112_2_3_version_lower", Fault::bad_version, "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {"9112_2_3_version_two_digits", Fault::bad_version, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
    {"9112_2_3_version_leading_zero", Fault::bad_version, "GET / HTTP/01.1\r\nHost: a\r\n\r\n"},
    {"9112_2_3_version_short", Fault::bad_version, "GET / HTTP/1\r\nHost: a\r\n\r\n"},
    {"9112_2_3_version_comma", Fault::bad_version, "GET / HTTP/1,1\r\nHost: a\r\n\r\n"},
    {"9112_2_3_version_other_protocol", Fault::bad_version, "GET / ICAP/1.1\r\nHost: a\r\n\r\n"},
    {"9110_15_6_6_version_2", Fault::unsupported_version, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
    {"9110_15_6_6_version_0", Fault::unsupported_version, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
    {"9110_9_1_method_colon", Fault::bad_method, "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9110_9_1_method_high", Fault::bad_method, "GET\xff / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9110_9_1_method_nul", Fault::control_character, "GET\0 / HTTP/1.1\r\nHost: a\r\n\r\n"s},
    {"9112_3_2_target_nul", Fault::control_character, "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s},
    {"9112_3_2_target_delete", Fault::bad_target, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_target_fragment", Fault::fragment_in_target, "GET /x#frag HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_target_relative", Fault::target_form_mismatch, "GET x/y HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_target_query_only", Fault::target_form_mismatch, "GET ?x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_4_asterisk_get", Fault::target_form_mismatch, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_4_asterisk_longer", Fault::target_form_mismatch, "OPTIONS *a HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_3_authority_get", Fault::target_form_mismatch, "GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_3_connect_path", Fault::target_form_mismatch, "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_3_connect_no_port", Fault::target_form_mismatch, "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_3_connect_absolute", Fault::target_form_mismatch, "CONNECT http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_scheme", Fault::bad_target, "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_no_host", Fault::bad_target, "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_bad_host", Fault::bad_target, "GET http://]a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_bad_port", Fault::bad_target, "GET http://a:x/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_backslash", Fault::bad_target, "GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9110_4_2_4_userinfo", Fault::userinfo_in_target, "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9110_4_2_4_userinfo_empty", Fault::userinfo_in_target, "GET http://@a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_host_twice", Fault::duplicate_host, "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
    {"9112_3_2_2_absolute_bad_host_field", Fault::bad_host, "GET http://a/ HTTP/1.1\r\nHost: b b\r\n\r\n"},
    // Chunks.
    {"9112_7_1_size_empty", Fault::bad_chunk_size, chunked + "\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_word", Fault::bad_chunk_size, chunked + "zz\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_plus", Fault::bad_chunk_size, chunked + "+3\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_minus", Fault::bad_chunk_size, chunked + "-3\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_0x", Fault::bad_chunk_size, chunked + "0x3\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_underscore", Fault::bad_chunk_size, chunked + "0_3\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_leading_blank", Fault::bad_chunk_size, chunked + " 3\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_trailing_blank", Fault::bad_chunk_size, chunked + "3 \r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_inner_blank", Fault::bad_chunk_size, chunked + "0 3\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_overflow", Fault::bad_chunk_size, chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_63_bits", Fault::bad_chunk_size, chunked + "ffffffffffffffff\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_nul", Fault::bad_chunk_size, chunked + "3\0\r\nabc\r\n0\r\n\r\n"s},
    {"9112_7_1_size_bare_lf", Fault::bare_lf, chunked + "3\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_size_bare_cr", Fault::bare_cr, chunked + "3\rabc\r\n0\r\n\r\n"},
    {"9112_7_1_data_longer", Fault::bad_chunk_end, chunked + "3\r\nabcd\r\n0\r\n\r\n"},
    {"9112_7_1_data_shorter", Fault::bad_chunk_end, chunked + "4\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_data_bare_lf", Fault::bad_chunk_end, chunked + "3\r\nabc\n0\r\n\r\n"},
    {"9112_7_1_data_bare_cr", Fault::bad_chunk_end, chunked + "3\r\nabc\r0\r\n\r\n"},
    {"9112_7_1_last_bare_cr", Fault::bad_chunk_end, chunked + "0\r\n\rX"},
    {"9112_7_1_last_bare_lf", Fault::bare_lf, chunked + "0\r\n\n"},
    {"9112_7_1_1_extension_bare_cr", Fault::bad_chunk_extension, chunked + "3;a=\"b\rc\"\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_cr_x", Fault::bare_cr, chunked + "3;a\rb\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_lf", Fault::bare_lf, chunked + "3;a\nb\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_quoted_lf", Fault::bare_lf, chunked + "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_nul", Fault::bad_chunk_extension, chunked + "3;a\0b\r\nabc\r\n0\r\n\r\n"s},
    {"9112_7_1_1_extension_empty", Fault::bad_chunk_extension, chunked + "3;\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_two_semicolons", Fault::bad_chunk_extension, chunked + "3;;a\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_no_value", Fault::bad_chunk_extension, chunked + "3;a=\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_open_quote", Fault::bad_chunk_extension, chunked + "3;a=\"b\r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_1_extension_trailing_blank", Fault::bad_chunk_extension, chunked + "3;a \r\nabc\r\n0\r\n\r\n"},
    {"9112_7_1_2_trailer_bare_lf", Fault::bare_lf, chunked + "0\r\nX: 1\n\r\n"},
    {"9112_7_1_2_trailer_bare_cr", Fault::bare_cr, chunked + "0\r\nX: 1\rY: 2\r\n\r\n"},
    {"9112_7_1_2_trailer_folded", Fault::folded_header, chunked + "0\r\nX: 1\r\n 2\r\n\r\n"},
    {"9112_7_1_2_trailer_no_colon", Fault::bad_header_name, chunked + "0\r\nGET / HTTP/1.1\r\n\r\n"},
    {"9112_7_1_2_trailer_space_colon", Fault::space_before_colon, chunked + "0\r\nX : 1\r\n\r\n"},
    {"9112_7_1_2_trailer_nul", Fault::bad_header_value, chunked + "0\r\nX: \0\r\n\r\n"s},
    // Other protocols.
    {"8446_tls_hello", Fault::tls_hello, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s},
    {"9113_3_4_preface", Fault::http2_preface, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"garbage_high", Fault::garbage, "\x80\x2e\x01\x03"s},
    {"garbage_nul", Fault::garbage, "\0\0\0\0"s},
};

class Smuggling : public testing::TestWithParam<Case> {};

TEST_P(Smuggling, IsRefused) {
    const Case& attack = GetParam();
    for (std::size_t step : {std::size_t{1} << 20, std::size_t{7}, std::size_t{1}}) {
        ReadRequests result = read_requests(attack.bytes, Limits{}, step);
        EXPECT_EQ(result.messages.size(), 0U) << "step " << step;
        EXPECT_EQ(name(result.fault), name(attack.fault)) << "step " << step;
    }
}

// What stands behind a good request must not be refused with it, nor hide behind it.
TEST_P(Smuggling, IsRefusedBehindAGoodRequest) {
    const Case& attack = GetParam();
    ReadRequests result = read_requests("GET /first HTTP/1.1\r\nHost: a\r\n\r\n" + attack.bytes, Limits{});
    ASSERT_EQ(result.messages.size(), 1U);
    EXPECT_EQ(result.messages[0]->head.target, "/first");
    EXPECT_EQ(name(result.fault), name(attack.fault));
}

INSTANTIATE_TEST_SUITE_P(Corpus, Smuggling, testing::ValuesIn(cases), [](const testing::TestParamInfo<Case>& info) {
    return std::string("rfc_") + info.param.name;
});

TEST(SmugglingCorpus, EveryFaultOfARequestThatIsNoLimitHasACase) {
    std::set<Fault> missing;
    for (int i = 1; i < static_cast<int>(Fault::request_line_too_long); ++i) missing.insert(static_cast<Fault>(i));
    for (const Case& attack : cases) missing.erase(attack.fault);
    missing.erase(Fault::bad_status_line);
    missing.erase(Fault::bad_connection);   // parse_request_test
    missing.erase(Fault::incomplete_body);  // body_test
    for (Fault fault : missing) ADD_FAILURE() << name(fault);
}

}  // namespace
}  // namespace http1
