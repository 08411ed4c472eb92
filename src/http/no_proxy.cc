// SPDX-License-Identifier: Apache-2.0
// Source of the rules: golang.org/x/net/http/httpproxy.
#include "http/no_proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace varve::http {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// An address as 16 bytes, IPv4 mapped into IPv6.
using Address = std::array<unsigned char, 16>;

std::optional<Address> parse_address(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const std::string copy(text);
  Address out{};
  if (::inet_pton(AF_INET6, copy.c_str(), out.data()) == 1) return out;
  out[10] = out[11] = 0xff;
  if (::inet_pton(AF_INET, copy.c_str(), out.data() + 12) == 1) return out;
  return std::nullopt;
}

bool is_v4(const Address& address) {
  return std::all_of(address.begin(), address.begin() + 10,
                     [](unsigned char b) { return b == 0; }) &&
         address[10] == 0xff && address[11] == 0xff;
}

bool is_loopback(const Address& address) {
  if (is_v4(address)) return address[12] == 127;
  Address one{};
  one[15] = 1;
  return address == one;
}

bool in_network(const Address& address, std::string_view base, std::string_view bits_text) {
  const auto network = parse_address(base);
  unsigned bits = 0;
  const auto [end, problem] =
      std::from_chars(bits_text.data(), bits_text.data() + bits_text.size(), bits);
  if (!network || problem != std::errc() || end != bits_text.data() + bits_text.size())
    return false;
  if (is_v4(*network) != is_v4(address)) return false;
  if (is_v4(*network)) bits += 96;
  if (bits > 128) return false;
  for (unsigned i = 0; i < bits; ++i) {
    const unsigned mask = 0x80U >> (i % 8);
    if (((address[i / 8] ^ (*network)[i / 8]) & mask) != 0) return false;
  }
  return true;
}

// Takes a trailing ":port" off; "" if there is none.
std::string_view take_port(std::string_view& host) {
  const auto colon = host.rfind(':');
  if (colon == std::string_view::npos) return {};
  const bool bare_v6 = host.find(':') != colon && host[colon - 1] != ']';
  if (bare_v6) return {};
  const std::string_view port = host.substr(colon + 1);
  host = host.substr(0, colon);
  return port;
}

}  // namespace

bool matches_no_proxy(std::string_view host, std::string_view port, std::string_view no_proxy) {
  std::string name = lower(host);
  if (name == "localhost") return true;
  const auto address = parse_address(name);
  if (address && is_loopback(*address)) return true;
  while (!no_proxy.empty()) {
    const auto comma = no_proxy.find(',');
    const std::string entry = lower(trimmed(no_proxy.substr(0, comma)));
    no_proxy = comma == std::string_view::npos ? std::string_view() : no_proxy.substr(comma + 1);
    if (entry.empty()) continue;
    if (entry == "*") return true;
    if (const auto slash = entry.find('/'); slash != std::string::npos) {
      const std::string_view view = entry;
      if (address && in_network(*address, view.substr(0, slash), view.substr(slash + 1)))
        return true;
      continue;
    }
    std::string_view pattern = entry;
    const std::string_view wanted_port = take_port(pattern);
    if (!wanted_port.empty() && wanted_port != port) continue;
    if (const auto wanted = parse_address(pattern)) {
      if (address && *address == *wanted) return true;
      continue;
    }
    if (pattern.starts_with("*.")) pattern.remove_prefix(1);
    const bool only_below = pattern.starts_with('.');
    if (!only_below && name == pattern) return true;
    const std::string suffix = only_below ? std::string(pattern) : '.' + std::string(pattern);
    if (name.size() > suffix.size() && name.ends_with(suffix)) return true;
  }
  return false;
}

ProxyEnvironment ProxyEnvironment::read(const std::function<std::string(const char*)>& variable) {
  const auto either = [&](const char* capitals, const char* small) {
    std::string value = variable(capitals);
    return value.empty() ? variable(small) : value;
  };
  return {either("HTTP_PROXY", "http_proxy"), either("HTTPS_PROXY", "https_proxy"),
          either("NO_PROXY", "no_proxy")};
}

}  // namespace varve::http
