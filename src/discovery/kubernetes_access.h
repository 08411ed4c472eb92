// SPDX-License-Identifier: Apache-2.0
// Where a cluster's API is and how one shows oneself to it.
#pragma once

#include <string>
#include <string_view>

#include "discovery/options.h"
#include "http/client_options.h"
#include "varve/result.h"

namespace varve::fs {
class FileSystem;
}

namespace varve::discovery {

struct KubernetesAccess {
  std::string url;  // without a final slash
  http::ClientOptions client;
  std::string own_namespace;  // of the pod this runs in, "" outside of a cluster
};

// api_server, else the kubeconfig's current context, else what a pod finds in its environment.
Result<KubernetesAccess> kubernetes_access(const KubernetesOptions& options, fs::FileSystem& files);

// The current context of a kubeconfig; `directory` is the file's, for the paths in it. Credentials
// by plugin are kUnimplemented.
Result<KubernetesAccess> read_kubeconfig(std::string_view text, const std::string& directory);

}  // namespace varve::discovery
