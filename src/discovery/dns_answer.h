// SPDX-License-Identifier: Apache-2.0
// The records of a DNS answer that name targets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "discovery/options.h"
#include "varve/result.h"

namespace varve::discovery {

struct DnsRecord {
  std::string host;        // an address for A and AAAA, else a name with its final dot
  std::uint16_t port = 0;  // of SRV only
  friend bool operator==(const DnsRecord&, const DnsRecord&) = default;
};

// As it stands in questions and records.
int dns_type_number(DnsType type);

// The records of this type in a packet's answer section; others (CNAME on the way) are passed over.
// kInvalidArgument for a packet that is none.
Result<std::vector<DnsRecord>> read_dns_answer(std::string_view packet, DnsType type);

}  // namespace varve::discovery
