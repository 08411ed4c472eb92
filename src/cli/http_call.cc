// SPDX-License-Identifier: Apache-2.0
#include "cli/http_call.h"

#include <future>

#include "base/percent_encode.h"
#include "base/try.h"
#include "cli/arguments.h"
#include "config/read_http_client.h"

namespace varve::cli {
namespace {

constexpr std::chrono::minutes kTimeout{2};
constexpr std::size_t kBodyMaxBytes = std::size_t{1} << 30;

}  // namespace

Result<Caller> Caller::create(fs::FileSystem& files,
                              std::shared_ptr<const http::ClientOptions> options,
                              std::vector<std::pair<std::string, std::string>> headers) {
  Caller out;
  VARVE_TRY_ASSIGN(out.client_, http::Client::create(files));
  out.options_ = std::move(options);
  out.headers_ = std::move(headers);
  return out;
}

Result<http::ClientResponse> Caller::call(http::ClientRequest request) {
  request.timeout = kTimeout;
  request.body_max_bytes = kBodyMaxBytes;
  request.options = options_;
  request.headers.insert(request.headers.end(), headers_.begin(), headers_.end());
  std::promise<Result<http::ClientResponse>> answered;
  auto answer = answered.get_future();
  client_->fetch(std::move(request), [&](Result<http::ClientResponse> response) {
    answered.set_value(std::move(response));
  });
  return answer.get();
}

Result<http::ClientResponse> Caller::get(const std::string& url) {
  http::ClientRequest request;
  request.url = url;
  return call(std::move(request));
}

Result<http::ClientResponse> Caller::post_form(const std::string& url, const FormFields& form) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = url;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = form_text(form);
  return call(std::move(request));
}

Result<std::shared_ptr<const http::ClientOptions>> client_options(fs::FileSystem& files,
                                                                  const Arguments& arguments) {
  const std::string path = arguments.text("http.config.file");
  if (path.empty()) return std::shared_ptr<const http::ClientOptions>();
  auto read = config::read_http_client(files, path);
  if (!read.ok()) return std::move(read).error().with("failed to load HTTP config file");
  return std::make_shared<const http::ClientOptions>(*std::move(read));
}

std::string server_url(std::string text) {
  if (text.find("://") == std::string::npos) text.insert(0, "http://");
  while (text.ends_with('/')) text.pop_back();
  return text;
}

std::string form_text(const FormFields& form) {
  std::string out;
  for (const auto& [name, value] : form) {
    if (!out.empty()) out += '&';
    out += base::query_escape(name) + "=" + base::query_escape(value);
  }
  return out;
}

}  // namespace varve::cli
