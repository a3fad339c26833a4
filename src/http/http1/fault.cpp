#include "http/http1/fault.h"

#include <cstddef>
#include <iterator>
#include <string>

namespace http1 {

namespace {

struct Rule {
    std::string_view name;
    std::uint16_t status;
    std::string_view message;
};
// In the order of Fault.
constexpr Rule rules[] = {
    {"none", 0, ""},
    {"tls_hello", 400, "a TLS handshake came to a port without TLS"},
    {"http2_preface", 400, "an HTTP/2 preface came where HTTP/1 is spoken"},
    {"garbage", 400, "the bytes do not begin an HTTP/1 message"},
    {"bare_cr", 400, "carriage return without line feed (RFC 9112 2.2)"},
    {"bare_lf", 400, "line feed without carriage return (RFC 9112 2.2)"},
    {"control_character", 400, "control character in the head (RFC 9110 5.5)"},
    {"empty_request_line", 400, "too many empty lines before the request line (RFC 9112 2.2)"},
    {"bad_request_line", 400, "the request line is not: method, blank, target, blank, version (RFC 9112 3)"},
    {"bad_method", 400, "the method is not a token (RFC 9110 9.1)"},
    {"bad_target", 400, "the request target is malformed (RFC 9112 3.2)"},
    {"fragment_in_target", 400, "'#' in the request target (RFC 9112 3.2)"},
    {"userinfo_in_target", 400, "user information in the request target (RFC 9110 4.2.4)"},
    {"target_form_mismatch", 400, "the form of the target does not fit the method (RFC 9112 3.2)"},
    {"missing_version", 400, "the request line has no version (RFC 9112 2.3)"},
    {"bad_version", 400, "the version is malformed (RFC 9112 2.3)"},
    {"unsupported_version", 505, "the major version is not 1 (RFC 9110 15.6.6)"},
    {"bad_status_line", 502, "the status line is malformed (RFC 9112 4)"},
    {"bad_header_name", 400, "a field name is not a token (RFC 9110 5.1)"},
    {"space_before_colon", 400, "blank between field name and colon (RFC 9112 5.1)"},
    {"missing_colon", 400, "a field line has no colon (RFC 9112 5)"},
    {"folded_header", 400, "a field line begins with a blank (RFC 9112 5.2)"},
    {"bad_header_value", 400, "control character in a field value (RFC 9110 5.5)"},
    {"missing_host", 400, "HTTP/1.1 without Host (RFC 9112 3.2)"},
    {"duplicate_host", 400, "more than one Host (RFC 9112 3.2)"},
    {"bad_host", 400, "Host is not a host with an optional port (RFC 9110 7.2)"},
    {"bad_connection", 400, "too many options in Connection"},
    {"disguised_framing_field", 400,
     "Content-Length or Transfer-Encoding spelt with '_', which some readers take for '-'"},
    {"bad_content_length", 400, "Content-Length is not one decimal number (RFC 9112 6.3)"},
    {"duplicate_content_length", 400, "more than one Content-Length (RFC 9112 6.3)"},
    {"length_and_transfer_encoding", 400, "both Content-Length and Transfer-Encoding (RFC 9112 6.3)"},
    {"bad_transfer_encoding", 400, "chunked is not the one and last transfer coding (RFC 9112 6.3)"},
    {"unsupported_transfer_encoding", 501, "a transfer coding other than chunked (RFC 9112 6.1)"},
    {"transfer_encoding_in_http10", 400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 6.1)"},
    {"bad_chunk_size", 400, "a chunk size is not a hexadecimal number of at most 63 bits (RFC 9112 7.1)"},
    {"bad_chunk_extension", 400, "a chunk extension is malformed (RFC 9112 7.1.1)"},
    {"bad_chunk_end", 400, "no CRLF where chunk data or the body ends (RFC 9112 7.1)"},
    {"incomplete_body", 400, "the connection ended before the body did (RFC 9112 8)"},
    {"request_line_too_long", 414, "the request line exceeds its limit"},
    {"header_line_too_long", 431, "a field line exceeds its limit"},
    {"headers_too_large", 431, "the fields exceed their limit in bytes"},
    {"too_many_headers", 431, "the fields exceed their limit in number"},
    {"response_head_too_large", 502, "the response head exceeds its limit"},
    {"chunk_line_too_long", 400, "the line of a chunk size exceeds its limit"},
    {"chunk_extensions_too_large", 400, "the chunk extensions exceed their limit"},
    {"trailers_too_large", 431, "the trailer section exceeds its limit in bytes"},
    {"too_many_trailers", 431, "the trailer section exceeds its limit in number"},
};
static_assert(std::size(rules) == static_cast<std::size_t>(Fault::count_));

const Rule& rule(Fault fault) { return rules[static_cast<std::size_t>(fault)]; }
base::Code code(Fault fault) { return is_limit(fault) ? base::Code::too_large : base::Code::malformed; }

}  // namespace

std::string_view name(Fault fault) { return rule(fault).name; }
std::string_view message(Fault fault) { return rule(fault).message; }
std::uint16_t status(Fault fault) { return rule(fault).status; }
bool is_limit(Fault fault) { return fault >= Fault::request_line_too_long && fault < Fault::count_; }

base::Error client_error(Fault fault) {
    return base::Error::client(code(fault), std::string(message(fault)), status(fault));
}

base::Error upstream_error(Fault fault) {
    // The upstream has acted on the request already: asking another one is not the cure for a bad answer.
    return base::Error::upstream(code(fault), base::Retry::never, std::string(message(fault)));
}

}  // namespace http1
