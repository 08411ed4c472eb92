// SPDX-License-Identifier: Apache-2.0
#include "config/read_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace varve::config {
namespace {

// prometheus/common config/headers.go: what the client itself sets.
constexpr std::array<std::string_view, 15> kReservedHeaders{
    "authorization",     "host",       "content-encoding", "content-length",
    "content-type",      "user-agent", "connection",       "keep-alive",
    "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
    "x-prometheus-remote-write-version", "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::string canonical_header(std::string_view name) {
  std::string out = lower(name);
  bool first = true;
  for (char& c : out) {
    if (first && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    first = c == '-';
  }
  return out;
}

// Keys of Prometheus that Varve does not act on: known, so that they are not taken for mistakes.
void add_refused(std::vector<Field>& fields, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    fields.push_back({name, [name](const Source& source, const Node& node) -> Status {
      if (node.kind == Node::Kind::kNull) return {};
      return source.error(node.place, fmt::format("{} is not supported by Varve", name));
    }});
  }
}

// A section that is named and left empty is not there, as in Prometheus.
template <typename Options>
bool is_nothing(const Node& node, std::optional<Options>& out) {
  if (node.kind != Node::Kind::kNull) return false;
  out.reset();
  return true;
}

ReadValue basic_auth(std::optional<http::BasicAuthOptions>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    if (is_nothing(node, out)) return {};
    http::BasicAuthOptions& auth = out.emplace();
    std::vector<Field> fields{{"username", text(auth.username)},
                              {"username_file", path(auth.username_file)},
                              {"password", text(auth.password.value)},
                              {"password_file", path(auth.password.file)}};
    add_refused(fields, {"username_ref", "password_ref"});
    return read_map(source, node, "basic_auth", fields);
  };
}

ReadValue authorization(std::optional<http::AuthorizationOptions>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    if (is_nothing(node, out)) return {};
    http::AuthorizationOptions& auth = out.emplace();
    std::vector<Field> fields{{"type", text(auth.type)},
                              {"credentials", text(auth.credentials.value)},
                              {"credentials_file", path(auth.credentials.file)}};
    add_refused(fields, {"credentials_ref"});
    VARVE_TRY(read_map(source, node, "authorization", fields));
    const auto begin = auth.type.find_first_not_of(" \t");
    auth.type = begin == std::string::npos ? "" : auth.type.substr(begin);
    auth.type.erase(auth.type.find_last_not_of(" \t") + 1);
    if (auth.type.empty()) auth.type = "Bearer";
    return {};
  };
}

std::vector<Field> proxy_fields(http::ProxyOptions& proxy) {
  return {{"proxy_url", url(proxy.url)},
          {"no_proxy", text(proxy.no_proxy)},
          {"proxy_from_environment", boolean(proxy.from_environment)},
          {"proxy_connect_header", text_list_map(proxy.connect_headers)}};
}

ReadValue oauth2(std::optional<http::OAuth2Options>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    if (is_nothing(node, out)) return {};
    http::OAuth2Options& oauth = out.emplace();
    std::vector<Field> fields{{"client_id", text(oauth.client_id)},
                              {"client_secret", text(oauth.client_secret.value)},
                              {"client_secret_file", path(oauth.client_secret.file)},
                              {"scopes", texts(oauth.scopes)},
                              {"token_url", text(oauth.token_url)},
                              {"endpoint_params", text_map(oauth.endpoint_params)},
                              {"tls_config", tls_config(oauth.tls)}};
    for (Field& field : proxy_fields(oauth.proxy)) fields.push_back(std::move(field));
    // Secrets of a manager, and grants by a signed assertion.
    add_refused(fields, {"client_secret_ref", "client_certificate_key_id", "client_certificate_key",
                         "client_certificate_key_file", "client_certificate_key_ref", "grant_type",
                         "signature_algorithm", "iss", "audience", "claims"});
    return read_map(source, node, "oauth2", fields);
  };
}

ReadValue http_headers(std::map<std::string, http::HeaderOptions>& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    return read_map(
        source, node, "http_headers", {}, [&](const Node::Entry& entry) -> std::optional<Status> {
          const std::string name = lower(entry.key);
          if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), name) !=
              kReservedHeaders.end()) {
            return source.error(
                entry.place,
                fmt::format("setting header \"{}\" is not allowed", canonical_header(entry.key)));
          }
          const std::string canonical = canonical_header(entry.key);
          if (out.contains(canonical)) {
            return source.error(entry.place, fmt::format("duplicate header \"{}\"", entry.key));
          }
          http::HeaderOptions& header = out[canonical];
          return read_map(source, *entry.value, "http header",
                          {{"values", texts(header.values)},
                           {"secrets", texts(header.secrets)},
                           {"files", paths(header.files)}});
        });
  };
}

ReadValue tls_version(std::string& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    VARVE_TRY(text(out)(source, node));
    if (!out.empty() && out != "TLS10" && out != "TLS11" && out != "TLS12" && out != "TLS13") {
      return source.error(node.place, fmt::format("unknown TLS version: {}", out));
    }
    return {};
  };
}

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Status check_proxy(const http::ProxyOptions& proxy) {
  if (!proxy.connect_headers.empty() && !proxy.from_environment && proxy.url.empty()) {
    return invalid(
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be "
        "configured");
  }
  if (proxy.from_environment && !proxy.url.empty()) {
    return invalid("if proxy_from_environment is configured, proxy_url must not be configured");
  }
  if (proxy.from_environment && !proxy.no_proxy.empty()) {
    return invalid("if proxy_from_environment is configured, no_proxy must not be configured");
  }
  if (proxy.url.empty() && !proxy.no_proxy.empty()) {
    return invalid("if no_proxy is configured, proxy_url must also be configured");
  }
  return {};
}

// Why the text cannot be a URL, in the words Prometheus's users know; "" when it can be. What a
// scheme allows after its colon is for the one who uses it.
std::string url_fault(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return "invalid control character in URL";
  }
  const std::size_t path = std::min(text.find_first_of("/?#"), text.size());
  const std::size_t colon = text.substr(0, path).find(':');
  if (colon == std::string_view::npos) return "";
  const std::string_view scheme = text.substr(0, colon);
  if (scheme.empty()) return "missing protocol scheme";
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool named = letter(scheme[0]) && std::all_of(scheme.begin(), scheme.end(), [&](char c) {
    return letter(c) || digit(c) || c == '+' || c == '-' || c == '.';
  });
  if (!named) return "first path segment in URL cannot contain colon";
  std::string_view host = text.substr(colon + 1);
  if (!host.starts_with("//")) return "";
  host.remove_prefix(2);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
    host.remove_prefix(at + 1);
  }
  if (host.find_first_of(" <>\"") != std::string_view::npos) {
    return "invalid character in host name";
  }
  const std::size_t bracket = host.rfind(']');
  if (host.starts_with('[') && bracket == std::string_view::npos) return "missing ']' in host";
  const std::string_view after =
      bracket == std::string_view::npos ? host.substr(std::min(host.rfind(':'), host.size()))
                                        : host.substr(bracket + 1);
  const bool port =
      after.empty() || (after[0] == ':' && std::all_of(after.begin() + 1, after.end(), digit));
  if (!port) return fmt::format("invalid port \"{}\" after host", after);
  return "";
}

}  // namespace

ReadValue url(std::string& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    VARVE_TRY(text(out)(source, node));
    if (const std::string fault = url_fault(out); !fault.empty()) {
      return source.error(node.place, fmt::format("parse \"{}\": {}", out, fault));
    }
    return {};
  };
}

ReadValue tls_config(http::TlsOptions& out) {
  return [&out](const Source& source, const Node& node) -> Status {
    std::vector<Field> fields{{"ca", text(out.ca)},
                              {"ca_file", path(out.ca_file)},
                              {"cert", text(out.cert)},
                              {"cert_file", path(out.cert_file)},
                              {"key", text(out.key)},
                              {"key_file", path(out.key_file)},
                              {"server_name", text(out.server_name)},
                              {"insecure_skip_verify", boolean(out.insecure_skip_verify)},
                              {"min_version", tls_version(out.min_version)},
                              {"max_version", tls_version(out.max_version)}};
    add_refused(fields, {"ca_ref", "cert_ref", "key_ref"});
    VARVE_TRY(read_map(source, node, "tls_config", fields));
    for (const auto& [inline_value, file, name] :
         {std::tuple{&out.ca, &out.ca_file, "ca"}, std::tuple{&out.cert, &out.cert_file, "cert"},
          std::tuple{&out.key, &out.key_file, "key"}}) {
      if (!inline_value->empty() && !file->empty()) {
        return source.error(node.place,
                            fmt::format("at most one of {} and {}_file must be configured", name,
                                        name));
      }
    }
    const bool cert = !out.cert.empty() || !out.cert_file.empty();
    const bool key = !out.key.empty() || !out.key_file.empty();
    if (cert && !key) {
      return source.error(node.place,
                          "exactly one of key or key_file must be configured when a client "
                          "certificate is configured");
    }
    if (key && !cert) {
      return source.error(node.place,
                          "exactly one of cert or cert_file must be configured when a client key "
                          "is configured");
    }
    return {};
  };
}

std::vector<Field> ClientReader::fields() {
  std::vector<Field> fields{{"basic_auth", basic_auth(out_.basic_auth)},
                            {"authorization", authorization(out_.authorization)},
                            {"oauth2", oauth2(out_.oauth2)},
                            {"bearer_token", text(bearer_token_.value)},
                            {"bearer_token_file", path(bearer_token_.file)},
                            {"tls_config", tls_config(out_.tls)},
                            {"follow_redirects", boolean(out_.follow_redirects)},
                            {"enable_http2", boolean(out_.enable_http2)},
                            {"http_headers", http_headers(out_.headers)}};
  for (Field& field : proxy_fields(out_.proxy)) fields.push_back(std::move(field));
  return fields;
}

Status ClientReader::check() const {
  const auto both = [](const http::SecretSource& secret) {
    return !secret.value.empty() && !secret.file.empty();
  };
  if (both(bearer_token_)) {
    return invalid("at most one of bearer_token & bearer_token_file must be configured");
  }
  const bool bearer = !bearer_token_.empty();
  if ((out_.basic_auth || out_.oauth2) && bearer) {
    return invalid(
        "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured");
  }
  if (out_.basic_auth && !out_.basic_auth->username.empty() &&
      !out_.basic_auth->username_file.empty()) {
    return invalid("at most one of basic_auth username & username_file must be configured");
  }
  if (out_.basic_auth && both(out_.basic_auth->password)) {
    return invalid("at most one of basic_auth password & password_file must be configured");
  }
  if (out_.authorization) {
    if (bearer) {
      return invalid("authorization is not compatible with bearer_token & bearer_token_file");
    }
    if (both(out_.authorization->credentials)) {
      return invalid(
          "at most one of authorization credentials & credentials_file must be configured");
    }
    if (lower(out_.authorization->type) == "basic") {
      return invalid(
          "authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
    }
  }
  if ((out_.basic_auth ? 1 : 0) + (out_.oauth2 ? 1 : 0) + (out_.authorization ? 1 : 0) > 1) {
    return invalid("at most one of basic_auth, oauth2 & authorization must be configured");
  }
  if (out_.oauth2) {
    if (out_.oauth2->client_id.empty()) return invalid("oauth2 client_id must be configured");
    if (out_.oauth2->token_url.empty()) return invalid("oauth2 token_url must be configured");
    if (both(out_.oauth2->client_secret)) {
      return invalid("at most one of oauth2 client_secret & client_secret_file must be configured");
    }
    VARVE_TRY(check_proxy(out_.oauth2->proxy));
  }
  return check_proxy(out_.proxy);
}

Status ClientReader::finish(const Source& source, Place place) {
  if (const Status checked = check(); !checked.ok()) return source.error(place, checked.error());
  if (!bearer_token_.empty()) {
    out_.authorization.emplace();
    out_.authorization->credentials = bearer_token_;
  }
  return {};
}

ReadValue relabel_rules(std::vector<model::RelabelRule>& out, model::NameScheme scheme,
                        std::string_view what) {
  return [&out, scheme, what = std::string(what)](const Source& source, const Node& node) {
    out.clear();
    return read_list(source, node, [&](const Source& from, const Node& item) -> Status {
      if (item.kind == Node::Kind::kNull) {
        return from.error(item.place, fmt::format("empty or null {}", what));
      }
      model::RelabelOptions options;
      const ReadValue action = [&](const Source& s, const Node& value) -> Status {
        std::string name;
        VARVE_TRY(text(name)(s, value));
        const auto parsed = model::parse_relabel_action(name);
        if (!parsed) {
          return s.error(value.place, fmt::format("unknown relabel action \"{}\"", name));
        }
        options.action = *parsed;
        return {};
      };
      const ReadValue source_labels = [&](const Source& s, const Node& value) -> Status {
        VARVE_TRY(texts(options.source_labels)(s, value));
        for (const std::string& name : options.source_labels) {
          if (!model::valid_label_name(name, model::NameScheme::kUtf8)) {
            return s.error(value.place, fmt::format("\"{}\" is not a valid label name", name));
          }
        }
        return {};
      };
      VARVE_TRY(read_map(from, item, "relabel config",
                         {{"source_labels", source_labels},
                          {"separator", text(options.separator)},
                          {"regex", text(options.regex)},
                          {"modulus", count(options.modulus)},
                          {"target_label", text(options.target_label)},
                          {"replacement", text(options.replacement)},
                          {"action", action}}));
      auto rule = model::RelabelRule::create(std::move(options), scheme);
      if (!rule.ok()) return from.error(item.place, rule.error());
      out.push_back(*std::move(rule));
      return {};
    });
  };
}

ReadValue static_configs(std::vector<scrape::TargetGroup>& out, bool check_addresses) {
  return [&out, check_addresses](const Source& source, const Node& node) {
    out.clear();
    return read_list(source, node, [&](const Source& from, const Node& item) -> Status {
      scrape::TargetGroup& group = out.emplace_back();
      group.source = std::to_string(out.size() - 1);
      const ReadValue targets = [&](const Source& s, const Node& list) {
        return read_list(s, list, [&](const Source& each, const Node& value) -> Status {
          std::string address;
          VARVE_TRY(text(address)(each, value));
          if (check_addresses && address.find('/') != std::string::npos) {
            return each.error(value.place,
                              fmt::format("\"{}\" is not a valid hostname", address));
          }
          group.targets.push_back(Labels{{"__address__", address}});
          return {};
        });
      };
      return read_map(from, item, "static config",
                      {{"targets", targets}, {"labels", labels(group.labels)}});
    });
  };
}

}  // namespace varve::config
