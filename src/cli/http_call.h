// SPDX-License-Identifier: Apache-2.0
// One request to a server, waited for.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/client.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::cli {

using FormFields = std::vector<std::pair<std::string, std::string>>;

class Caller {
 public:
  static Result<Caller> create(fs::FileSystem& files,
                               std::shared_ptr<const http::ClientOptions> options,
                               std::vector<std::pair<std::string, std::string>> headers);

  Result<http::ClientResponse> get(const std::string& url);
  Result<http::ClientResponse> post_form(const std::string& url, const FormFields& form);

 private:
  Caller() = default;
  Result<http::ClientResponse> call(http::ClientRequest request);
  std::unique_ptr<http::Client> client_;
  std::shared_ptr<const http::ClientOptions> options_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

class Arguments;

// What the file of --http.config.file says; null if the flag is not given.
Result<std::shared_ptr<const http::ClientOptions>> client_options(fs::FileSystem& files,
                                                                  const Arguments& arguments);

// "localhost:9090" and "http://localhost:9090/" alike as "http://localhost:9090".
std::string server_url(std::string text);
std::string form_text(const FormFields& form);

}  // namespace varve::cli
