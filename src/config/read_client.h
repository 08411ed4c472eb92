// SPDX-License-Identifier: Apache-2.0
// The pieces that several sections share: HTTP client settings, relabel rules, target groups.
#pragma once

#include <vector>

#include "config/yaml_reader.h"
#include "http/client_options.h"
#include "model/relabel.h"
#include "scrape/options.h"

namespace varve::config {

// Reads the client keys that stand inline in a section (basic_auth, tls_config, …). Usage: put
// fields() into the section's table, then call finish() when the section has been read.
class ClientReader {
 public:
  explicit ClientReader(http::ClientOptions& out) : out_(out) {}
  std::vector<Field> fields();
  // What holds between the keys: at most one kind of authentication, and so on.
  Status finish(const Source& source, Place place);

 private:
  Status check() const;

  http::ClientOptions& out_;
  http::SecretSource bearer_token_;
};

// relabel_configs and its like; each rule is compiled under `scheme`. `what` names an empty rule:
// "target relabeling rule in scrape config".
ReadValue relabel_rules(std::vector<model::RelabelRule>& out, model::NameScheme scheme,
                        std::string_view what);

// A text that can be a URL.
ReadValue url(std::string& out);

ReadValue tls_config(http::TlsOptions& out);

// static_configs. `check_addresses`: a target with a slash is refused, since it is a URL.
ReadValue static_configs(std::vector<scrape::TargetGroup>& out, bool check_addresses);

}  // namespace varve::config
