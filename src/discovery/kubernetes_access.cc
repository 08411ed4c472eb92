// SPDX-License-Identifier: Apache-2.0
#include "discovery/kubernetes_access.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>

#include "base/try.h"
#include "fs/file_system.h"

namespace varve::discovery {
namespace {

constexpr std::uint64_t kFileMaxBytes = 4 << 20;
const std::string kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Result<KubernetesAccess> in_cluster(fs::FileSystem& files) {
  const std::string host = environment("KUBERNETES_SERVICE_HOST");
  const std::string port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty()) {
    return Error(ErrorCode::kNotFound,
                 "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and "
                 "KUBERNETES_SERVICE_PORT must be defined");
  }
  KubernetesAccess access;
  const bool v6 = host.find(':') != std::string::npos;
  access.url = v6 ? fmt::format("https://[{}]:{}", host, port)
                  : fmt::format("https://{}:{}", host, port);
  access.client.authorization.emplace().credentials.file = kServiceAccount + "/token";
  access.client.tls.ca_file = kServiceAccount + "/ca.crt";
  if (auto own = files.read_file(kServiceAccount + "/namespace", kFileMaxBytes); own.ok()) {
    access.own_namespace = *std::move(own);
    access.own_namespace.erase(access.own_namespace.find_last_not_of(" \r\n\t") + 1);
  }
  return access;
}

Result<std::string> base64_decoded(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0') + 52;
    } else if (c == '+' || c == '/') {
      value = c == '+' ? 62 : 63;
    } else if (c == '=' || c == '\n' || c == '\r' || c == ' ') {
      continue;
    } else {
      return invalid("kubeconfig: data that is not base64");
    }
    bits = bits << 6 | value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

std::string text_at(const YAML::Node& map, const char* key) {
  if (!map.IsMap()) return {};
  const YAML::Node value = map[key];
  return value && value.IsScalar() ? value.Scalar() : std::string();
}

// The `body` of the item of this name in a list of named things.
YAML::Node named(const YAML::Node& list, const std::string& name, const char* body) {
  if (list && list.IsSequence()) {
    for (const YAML::Node& item : list) {
      if (text_at(item, "name") == name && item[body]) return item[body];
    }
  }
  return {};
}

// A value given in place as base64, or as a file.
Status take(const YAML::Node& map, const std::string& key, const std::string& directory,
            std::string& value, std::string& file) {
  VARVE_TRY_ASSIGN(value, base64_decoded(text_at(map, (key + "-data").c_str())));
  if (!value.empty()) return {};
  file = text_at(map, key.c_str());
  if (!file.empty() && !file.starts_with('/')) file = fs::join(directory, file);
  return {};
}

Result<KubernetesAccess> read(const YAML::Node& root, const std::string& directory) {
  if (!root.IsMap()) return invalid("kubeconfig: not a map");
  const YAML::Node context = named(root["contexts"], text_at(root, "current-context"), "context");
  if (!context.IsMap()) return invalid("kubeconfig: no current context");
  const YAML::Node cluster = named(root["clusters"], text_at(context, "cluster"), "cluster");
  if (!cluster.IsMap()) return invalid("kubeconfig: the context's cluster is not there");
  KubernetesAccess access;
  access.url = text_at(cluster, "server");
  if (access.url.empty()) return invalid("kubeconfig: the cluster has no server");
  http::TlsOptions& tls = access.client.tls;
  VARVE_TRY(take(cluster, "certificate-authority", directory, tls.ca, tls.ca_file));
  tls.insecure_skip_verify = text_at(cluster, "insecure-skip-tls-verify") == "true";
  tls.server_name = text_at(cluster, "tls-server-name");
  access.client.proxy.url = text_at(cluster, "proxy-url");
  const YAML::Node user = named(root["users"], text_at(context, "user"), "user");
  if (!user.IsMap()) return access;
  for (const char* plugin : {"exec", "auth-provider"}) {
    if (!user[plugin]) continue;
    return Error(
        ErrorCode::kUnimplemented,
        fmt::format("kubeconfig: user \"{}\" has credentials by {}{}, and Varve runs no "
                    "plugins; give the user a token, a tokenFile that something else keeps "
                    "fresh, or a client certificate (such as of a service account: kubectl "
                    "create token)",
                    text_at(context, "user"), plugin,
                    text_at(user[plugin], "command").empty()
                        ? ""
                        : fmt::format(" (command {})", text_at(user[plugin], "command"))));
  }
  VARVE_TRY(take(user, "client-certificate", directory, tls.cert, tls.cert_file));
  VARVE_TRY(take(user, "client-key", directory, tls.key, tls.key_file));
  http::SecretSource token{text_at(user, "token"), text_at(user, "tokenFile")};
  if (!token.file.empty()) token.value.clear();
  if (!token.empty()) {
    access.client.authorization.emplace().credentials = std::move(token);
  } else if (const std::string name = text_at(user, "username"); !name.empty()) {
    access.client.basic_auth = http::BasicAuthOptions{name, "", {text_at(user, "password"), ""}};
  }
  return access;
}

}  // namespace

Result<KubernetesAccess> read_kubeconfig(std::string_view text, const std::string& directory) {
  try {
    return read(YAML::Load(std::string(text)), directory);
  } catch (const YAML::Exception& error) {
    return invalid(fmt::format("kubeconfig: {}", error.what()));
  }
}

Result<KubernetesAccess> kubernetes_access(const KubernetesOptions& options,
                                           fs::FileSystem& files) {
  KubernetesAccess access;
  if (!options.api_server.empty()) {
    access.url = options.api_server;
    access.client = options.client;
  } else if (!options.kubeconfig_file.empty()) {
    VARVE_TRY_ASSIGN(const std::string text,
                     files.read_file(options.kubeconfig_file, kFileMaxBytes));
    VARVE_TRY_ASSIGN(access, read_kubeconfig(text, fs::parent_of(options.kubeconfig_file)));
  } else {
    VARVE_TRY_ASSIGN(access, in_cluster(files));
  }
  while (access.url.ends_with('/')) access.url.pop_back();
  return access;
}

}  // namespace varve::discovery
