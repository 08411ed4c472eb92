// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "discovery/kubernetes_access.h"
#include "world.h"

using namespace varve;
using namespace varve::discovery;
using namespace std::chrono_literals;

namespace {

const std::string kApi = "http://k8s:6443";

KubernetesOptions with(KubernetesRole role) {
  KubernetesOptions options;
  options.api_server = kApi;
  options.role = role;
  return options;
}

std::string list(const std::string& items, const std::string& version = "5") {
  return R"({"metadata": {"resourceVersion": ")" + version + R"("}, "items": [)" + items + "]}";
}
std::string list_url(const std::string& resource) { return kApi + resource + "?limit=500"; }
std::string watch_url(const std::string& resource, const std::string& version) {
  return kApi + resource + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=300&resourceVersion=" +
         version;
}

std::string pod(const std::string& name, const std::string& ip) {
  return R"({"metadata": {"name": ")" + name + R"(", "namespace": "d", "uid": "u1",
      "resourceVersion": "6", "labels": {"app.io/x": "web", "pod-template-hash": "abc"},
      "ownerReferences": [{"controller": true, "kind": "ReplicaSet", "name": "web-abc"}]},
    "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i:1",
      "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}]}]},
    "status": {"podIP": ")" + ip + R"(", "hostIP": "9.9.9.9", "phase": "Running",
      "conditions": [{"type": "Ready", "status": "True"}],
      "containerStatuses": [{"name": "c", "containerID": "cid"}]}})";
}

// A job of pods, of which there is p1 at 10.0.0.1; the watch has begun.
void list_one_pod(World& world) {
  world.manager->apply({{"job", {with(KubernetesRole::kPod)}}});
  world.settle();
  world.client.finish(list_url("/api/v1/pods"),
                      FakeClient::response(list(pod("p1", "10.0.0.1"))));
  world.settle();
}

}  // namespace

TEST_CASE("kubernetes discovery: pods become targets with all labels", "[discovery]") {
  World world;
  world.manager->apply({{"job", {with(KubernetesRole::kPod)}}});
  world.settle();
  REQUIRE(world.client.finish(list_url("/api/v1/pods"),
                              FakeClient::response(list(pod("p1", "10.0.0.1")))));
  world.settle();
  CHECK(world.targets("job") ==
        std::vector<std::string>{
            R"({__address__="10.0.0.1:80", __meta_kubernetes_namespace="d", )"
            R"(__meta_kubernetes_pod_container_id="cid", )"
            R"(__meta_kubernetes_pod_container_image="i:1", )"
            R"(__meta_kubernetes_pod_container_init="false", )"
            R"(__meta_kubernetes_pod_container_name="c", )"
            R"(__meta_kubernetes_pod_container_port_name="http", )"
            R"(__meta_kubernetes_pod_container_port_number="80", )"
            R"(__meta_kubernetes_pod_container_port_protocol="TCP", )"
            R"(__meta_kubernetes_pod_controller_kind="ReplicaSet", )"
            R"(__meta_kubernetes_pod_controller_name="web-abc", )"
            R"(__meta_kubernetes_pod_deployment_name="web", )"
            R"(__meta_kubernetes_pod_host_ip="9.9.9.9", __meta_kubernetes_pod_ip="10.0.0.1", )"
            R"(__meta_kubernetes_pod_label_app_io_x="web", )"
            R"(__meta_kubernetes_pod_label_pod_template_hash="abc", )"
            R"(__meta_kubernetes_pod_labelpresent_app_io_x="true", )"
            R"(__meta_kubernetes_pod_labelpresent_pod_template_hash="true", )"
            R"(__meta_kubernetes_pod_name="p1", __meta_kubernetes_pod_node_name="n1", )"
            R"(__meta_kubernetes_pod_phase="Running", __meta_kubernetes_pod_ready="true", )"
            R"(__meta_kubernetes_pod_uid="u1"})"});
}

TEST_CASE("kubernetes discovery: a watch is followed as its events come", "[discovery]") {
  World world;
  list_one_pod(world);
  const http::ClientRequest* watch = world.client.open_request(watch_url("/api/v1/pods", "5"));
  REQUIRE(watch != nullptr);
  std::string one_line = R"({"type": "ADDED", "object": )" + pod("p2", "10.0.0.2") + "}";
  std::erase(one_line, '\n');
  one_line += '\n';
  watch->on_body(one_line.substr(0, 40));
  world.pass(1s);
  CHECK(world.targets("job").size() == 1);
  watch->on_body(one_line.substr(40));
  world.pass(1s);
  CHECK(world.targets("job").size() == 2);
  std::string gone = R"({"type": "DELETED", "object": )" + pod("p1", "10.0.0.1") + "}";
  std::erase(gone, '\n');
  watch->on_body(gone + "\n");
  world.pass(1s);
  CHECK(world.targets("job").size() == 1);

  // It ends and is taken up where it ended; a version that is too old is listed anew.
  world.client.finish(watch_url("/api/v1/pods", "5"), FakeClient::response(""));
  world.settle();
  world.pass(1s);
  REQUIRE(world.client.open_request(watch_url("/api/v1/pods", "6")) != nullptr);
  world.client.finish(watch_url("/api/v1/pods", "6"), FakeClient::response("", 410));
  world.settle();
  world.pass(5s);
  CHECK(world.targets("job").size() == 1);
  world.client.finish(list_url("/api/v1/pods"), FakeClient::response(list("", "9")));
  world.pass(1s);
  CHECK(world.targets("job").empty());
}

TEST_CASE("kubernetes discovery: an API that fails keeps what was known", "[discovery]") {
  World world;
  list_one_pod(world);
  world.client.finish(watch_url("/api/v1/pods", "5"),
                      Error(ErrorCode::kUnavailable, "connection refused"));
  world.settle();
  world.pass(5s);
  CHECK(world.targets("job").size() == 1);
  CHECK(world.metric("prometheus_sd_kubernetes_failures_total") == "1");
  CHECK(world.client.open_request(watch_url("/api/v1/pods", "5")) != nullptr);
}

TEST_CASE("kubernetes discovery: endpoints join their service and pods", "[discovery]") {
  World world;
  world.manager->apply({{"job", {with(KubernetesRole::kEndpoints)}}});
  world.settle();
  world.client.finish(list_url("/api/v1/pods"),
                      FakeClient::response(list(pod("p1", "10.0.0.1"))));
  world.client.finish(list_url("/api/v1/endpoints"), FakeClient::response(list(R"({
      "metadata": {"name": "web", "namespace": "d"},
      "subsets": [{"addresses": [{"ip": "10.0.0.1", "nodeName": "n1",
                                  "targetRef": {"kind": "Pod", "name": "p1", "namespace": "d"}}],
                   "ports": [{"name": "m", "port": 9000, "protocol": "TCP"}]}]})")));
  world.settle();
  CHECK(world.targets("job").empty());  // the services are not known yet
  world.client.finish(list_url("/api/v1/services"), FakeClient::response(list(R"({
      "metadata": {"name": "web", "namespace": "d", "annotations": {"scrape": "yes"}}})")));
  world.settle();
  const auto targets = world.targets("job");
  REQUIRE(targets.size() == 2);  // the endpoint, and the pod's other port
  for (const std::string& target : targets) {
    CHECK(target.find(R"(__meta_kubernetes_service_annotation_scrape="yes")") !=
          std::string::npos);
    CHECK(target.find(R"(__meta_kubernetes_pod_name="p1")") != std::string::npos);
  }
  CHECK(targets[0].find(R"(__address__="10.0.0.1:80")") != std::string::npos);
  CHECK(targets[1].find(R"(__address__="10.0.0.1:9000")") != std::string::npos);
  CHECK(targets[1].find(R"(__meta_kubernetes_endpoint_ready="true")") != std::string::npos);
}

TEST_CASE("kubernetes discovery: nodes, services and ingresses", "[discovery]") {
  World world;
  world.manager->apply({{"n", {with(KubernetesRole::kNode)}},
                        {"s", {with(KubernetesRole::kService)}},
                        {"i", {with(KubernetesRole::kIngress)}}});
  world.settle();
  world.client.finish(list_url("/api/v1/nodes"), FakeClient::response(list(R"({
      "metadata": {"name": "n1"}, "spec": {"providerID": "x://1"},
      "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                 "addresses": [{"type": "InternalIP", "address": "9.9.9.9"}]}})")));
  world.client.finish(list_url("/api/v1/services"), FakeClient::response(list(R"({
      "metadata": {"name": "web", "namespace": "d"},
      "spec": {"type": "ClusterIP", "clusterIP": "1.2.3.4",
               "ports": [{"name": "http", "port": 80}]}})")));
  world.client.finish(list_url("/apis/networking.k8s.io/v1/ingresses"),
                      FakeClient::response(list(R"({
      "metadata": {"name": "ing", "namespace": "d"},
      "spec": {"tls": [{"hosts": ["*.x.test"]}],
               "rules": [{"host": "a.x.test", "http": {"paths": [{"path": "/p"}]}}]}})")));
  world.settle();
  CHECK(world.targets("n") ==
        std::vector<std::string>{
            R"({__address__="9.9.9.9:10250", __meta_kubernetes_node_address_InternalIP="9.9.9.9", )"
            R"(__meta_kubernetes_node_name="n1", __meta_kubernetes_node_provider_id="x://1", )"
            R"(instance="n1"})"});
  CHECK(world.targets("s") ==
        std::vector<std::string>{
            R"({__address__="web.d.svc:80", __meta_kubernetes_namespace="d", )"
            R"(__meta_kubernetes_service_cluster_ip="1.2.3.4", )"
            R"(__meta_kubernetes_service_name="web", )"
            R"(__meta_kubernetes_service_port_name="http", )"
            R"(__meta_kubernetes_service_port_number="80", )"
            R"(__meta_kubernetes_service_port_protocol="TCP", )"
            R"(__meta_kubernetes_service_type="ClusterIP"})"});
  CHECK(world.targets("i") ==
        std::vector<std::string>{
            R"({__address__="a.x.test", __meta_kubernetes_ingress_host="a.x.test", )"
            R"(__meta_kubernetes_ingress_name="ing", __meta_kubernetes_ingress_path="/p", )"
            R"(__meta_kubernetes_ingress_scheme="https", __meta_kubernetes_namespace="d"})"});
}

TEST_CASE("kubeconfig: the current context says where and who", "[discovery]") {
  const auto access = read_kubeconfig(R"(
current-context: b
contexts:
- {name: a, context: {cluster: x, user: y}}
- {name: b, context: {cluster: c, user: u}}
clusters:
- name: c
  cluster: {server: "https://k:6443", certificate-authority-data: UEVN, tls-server-name: k8s}
users:
- name: u
  user: {client-certificate: cert.pem, client-key-data: S0VZ, token: secret}
)",
                                      "/etc/k");
  REQUIRE(access.ok());
  CHECK(access->url == "https://k:6443");
  CHECK(access->client.tls.ca == "PEM");
  CHECK(access->client.tls.server_name == "k8s");
  CHECK(access->client.tls.cert_file == "/etc/k/cert.pem");
  CHECK(access->client.tls.key == "KEY");
  CHECK(access->client.authorization->credentials.value == "secret");
  CHECK_FALSE(read_kubeconfig("current-context: x\n", "/").ok());
  CHECK_FALSE(read_kubeconfig("[", "/").ok());
}

TEST_CASE("kubernetes discovery: an event touches the groups that look at its object",
          "[discovery]") {
  World world;
  KubernetesOptions options = with(KubernetesRole::kEndpoints);
  options.attach_node = true;
  world.manager->apply({{"job", {options}}});
  world.settle();
  world.client.finish(list_url("/api/v1/pods"),
                      FakeClient::response(list(pod("p1", "10.0.0.1") + "," +
                                                pod("p2", "10.0.0.2"))));
  world.client.finish(list_url("/api/v1/services"), FakeClient::response(list("")));
  const std::string node = R"({"metadata": {"name": "n1", "resourceVersion": "7",
      "labels": {"zone": "z"}}, "status": {"heartbeat": 1}})";
  world.client.finish(list_url("/api/v1/nodes"), FakeClient::response(list(node)));
  const auto endpoints = [](const std::string& name, const std::string& address) {
    return R"({"metadata": {"name": ")" + name + R"(", "namespace": "d"},
        "subsets": [{"addresses": [)" + address + R"(], "ports": [{"port": 80}]}]})";
  };
  // The second is a node itself, without a name of one.
  world.client.finish(
      list_url("/api/v1/endpoints"),
      FakeClient::response(list(
          endpoints("web", R"({"ip": "10.0.0.1", "targetRef": {"kind": "Pod", "name": "p1"}})") +
          "," + endpoints("kubelet", R"({"ip": "9.9.9.9",
                                         "targetRef": {"kind": "Node", "name": "n1"}})"))));
  world.settle();
  REQUIRE(world.targets("job").size() == 2);
  CHECK(world.targets("job")[1].find(R"(__meta_kubernetes_node_label_zone="z")") !=
        std::string::npos);
  const int before = world.deliveries;
  const auto event = [&](const std::string& resource, std::string object) {
    std::erase(object, '\n');
    const http::ClientRequest* watch = world.client.open_request(watch_url(resource, "5"));
    REQUIRE(watch != nullptr);
    watch->on_body(R"({"type": "MODIFIED", "object": )" + object + "}\n");
    world.pass(2s);
  };
  // A heartbeat, and a pod that nobody refers to: nothing changes for anybody.
  const std::string received = R"(prometheus_sd_received_updates_total{name="scrape"})";
  const std::string updates = world.metric(received);
  event("/api/v1/nodes", R"({"metadata": {"name": "n1", "resourceVersion": "8",
      "labels": {"zone": "z"}}, "status": {"heartbeat": 2}})");
  event("/api/v1/pods", pod("p2", "10.0.0.3"));
  CHECK(world.metric(received) == updates);
  CHECK(world.deliveries == before);
  event("/api/v1/nodes", R"({"metadata": {"name": "n1", "labels": {"zone": "y"}}})");
  CHECK(world.targets("job")[1].find(R"(__meta_kubernetes_node_label_zone="y")") !=
        std::string::npos);
  event("/api/v1/pods", pod("p1", "10.0.0.9"));
  CHECK(world.targets("job")[0].find(R"(__meta_kubernetes_pod_ip="10.0.0.9")") !=
        std::string::npos);
}

TEST_CASE("kubernetes discovery: a namespace that cannot be listed holds up no other",
          "[discovery]") {
  World world;
  KubernetesOptions options = with(KubernetesRole::kPod);
  options.namespaces = {"d", "closed", "d"};
  world.manager->apply({{"job", {options}}});
  world.settle();
  CHECK(world.client.requests.size() == 2);
  REQUIRE(world.client.finish(list_url("/api/v1/namespaces/closed/pods"),
                              FakeClient::response("forbidden", 403)));
  REQUIRE(world.client.finish(list_url("/api/v1/namespaces/d/pods"),
                              FakeClient::response(list(pod("p1", "10.0.0.1")))));
  world.settle();
  CHECK(world.targets("job").size() == 1);
}

TEST_CASE("kubernetes discovery: a watch that brings more than is read is ended", "[discovery]") {
  World world;
  world.manager->apply({{"job", {with(KubernetesRole::kPod)}}});
  world.settle();
  world.client.finish(list_url("/api/v1/pods"), FakeClient::response(list("")));
  world.settle();
  const http::ClientRequest* watch = world.client.open_request(watch_url("/api/v1/pods", "5"));
  REQUIRE(watch != nullptr);
  const std::string piece(std::size_t{1} << 20, ' ');
  int taken = 0;
  while (taken < 1000 && watch->on_body(piece)) ++taken;
  CHECK(taken == 64);
  world.settle();
  CHECK(watch->on_body(" "));  // what has been read has made room
}

TEST_CASE("kubeconfig: credentials by plugin are refused with what to use instead",
          "[discovery]") {
  const auto access = read_kubeconfig(R"(
current-context: b
contexts: [{name: b, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://k:6443"}}]
users: [{name: u, user: {exec: {command: aws-iam-authenticator}}}]
)",
                                      "/etc/k");
  REQUIRE_FALSE(access.ok());
  CHECK(access.error().message().find("aws-iam-authenticator") != std::string::npos);
  CHECK(access.error().message().find("token") != std::string::npos);
}
