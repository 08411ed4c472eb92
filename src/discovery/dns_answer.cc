// SPDX-License-Identifier: Apache-2.0
#include "discovery/dns_answer.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>

#include <array>

namespace varve::discovery {
namespace {

Error broken(std::string_view what) {
  return Error(ErrorCode::kInvalidArgument, "bad DNS answer: " + std::string(what));
}

std::uint16_t number_at(const unsigned char* bytes) {
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

Result<std::string> name_at(const ns_msg& message, const unsigned char* at) {
  std::array<char, NS_MAXDNAME> name{};
  if (::ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), at, name.data(),
                           name.size()) < 0) {
    return broken("a name that cannot be read");
  }
  std::string out = name.data();
  if (!out.ends_with('.')) out += '.';
  return out;
}

Result<std::string> address_of(const ns_rr& record, int family, std::size_t size_bytes) {
  if (ns_rr_rdlen(record) != size_bytes) return broken("an address of the wrong size");
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, ns_rr_rdata(record), text.data(), text.size());
  return std::string(text.data());
}

}  // namespace

int dns_type_number(DnsType type) {
  switch (type) {
    case DnsType::kSrv:
      return ns_t_srv;
    case DnsType::kA:
      return ns_t_a;
    case DnsType::kAaaa:
      return ns_t_aaaa;
    case DnsType::kMx:
      return ns_t_mx;
    case DnsType::kNs:
      return ns_t_ns;
  }
  return 0;
}

Result<std::vector<DnsRecord>> read_dns_answer(std::string_view packet, DnsType type) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(packet.data());
  ns_msg message;
  if (packet.size() > NS_MAXMSG ||
      ::ns_initparse(bytes, static_cast<int>(packet.size()), &message) != 0) {
    return broken("not a message");
  }
  std::vector<DnsRecord> found;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    if (::ns_parserr(&message, ns_s_an, i, &record) != 0) return broken("a record is cut");
    if (static_cast<int>(ns_rr_type(record)) != dns_type_number(type)) continue;
    // What stands before the name.
    const std::size_t head = type == DnsType::kSrv ? 6 : type == DnsType::kMx ? 2 : 0;
    if (ns_rr_rdlen(record) < head + 1) return broken("a record is too short");
    const unsigned char* const data = ns_rr_rdata(record);
    Result<std::string> host = type == DnsType::kA      ? address_of(record, AF_INET, 4)
                               : type == DnsType::kAaaa ? address_of(record, AF_INET6, 16)
                                                        : name_at(message, data + head);
    if (!host.ok()) return std::move(host).error();
    found.push_back({*std::move(host), type == DnsType::kSrv ? number_at(data + 4)
                                                             : std::uint16_t{0}});
  }
  return found;
}

}  // namespace varve::discovery
