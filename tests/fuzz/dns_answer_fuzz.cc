// SPDX-License-Identifier: Apache-2.0
// Any bytes are a DNS answer or an error, whatever type of record is looked for.
#include <cstdint>

#include "discovery/dns_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using varve::discovery::DnsType;
  const std::string_view packet(reinterpret_cast<const char*>(data), size);
  for (const DnsType type :
       {DnsType::kSrv, DnsType::kA, DnsType::kAaaa, DnsType::kMx, DnsType::kNs}) {
    static_cast<void>(varve::discovery::read_dns_answer(packet, type));
  }
  return 0;
}
