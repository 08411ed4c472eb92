// SPDX-License-Identifier: Apache-2.0
// The daemon as its users meet it: a process with a command line, signals and an exit status.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <utility>

#include "api/write_body.h"
#include "base/clock.h"
#include "fs/real_fs.h"
#include "http/client.h"
#include "wire/compression.h"

using namespace varve;
using nlohmann::json;

namespace {

namespace stdfs = std::filesystem;
constexpr std::chrono::seconds kPatience{60};

// A scratch folder with a configuration, and the daemons started in it.
class Site {
 public:
  Site()
      : folder_(stdfs::temp_directory_path() / ("varve-daemon-test-" + std::to_string(::getpid()) +
                                                "-" + std::to_string(++count_))) {
    stdfs::remove_all(folder_);
    stdfs::create_directories(folder_);
    configure("global: {scrape_interval: 1h}\n");
    static fs::RealFs files;
    auto created = http::Client::create(files);
    REQUIRE(created.ok());
    client_ = std::move(*created);
  }
  ~Site() {
    if (pid_ > 0) kill(SIGKILL);
    stdfs::remove_all(folder_);
  }

  void configure(const std::string& yaml) {
    write("varve.yml", yaml);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

  // At a port of the system's choice, which the log names.
  void start(std::vector<std::string> extra = {}) {
    port_ = 0;
    spawn(extra);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    const std::string sign = "address=127.0.0.1:";
    while (port_ == 0 || get("/-/ready").status != 200) {
      INFO(log());
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      const std::string text = log();
      const std::size_t at = text.find(sign);
      // The whole number, once its line has ended.
      if (at != std::string::npos && text.find('\n', at) != std::string::npos) {
        port_ = std::atoi(text.c_str() + at + sign.size());
      }
    }
  }
  // Starts and waits for the end; for starts that must fail.
  int run(std::vector<std::string> extra = {}) {
    const pid_t other = std::exchange(pid_, -1);
    spawn(extra);
    const int status = wait();
    pid_ = other;
    return status;
  }
  int kill(int number) {
    ::kill(pid_, number);
    return number == SIGHUP ? 0 : wait();
  }
  pid_t pid() const { return pid_; }
  std::string log() const {
    return read("log");
  }

  http::ClientResponse fetch(http::ClientRequest request) {
    request.url = "http://127.0.0.1:" + std::to_string(port_) + request.url;
    std::promise<http::ClientResponse> answer;
    client_->fetch(std::move(request), [&](Result<http::ClientResponse> response) {
      answer.set_value(response.ok() ? std::move(*response) : http::ClientResponse{});
    });
    return answer.get_future().get();
  }
  http::ClientResponse get(const std::string& path) {
    http::ClientRequest request;
    request.url = path;
    return fetch(std::move(request));
  }
  http::ClientResponse post(const std::string& path, std::string body = {}) {
    http::ClientRequest request;
    request.method = "POST";
    request.url = path;
    request.body = std::move(body);
    return fetch(std::move(request));
  }
  std::string value(const std::string& expression) {
    const auto answer = json::parse(get("/api/v1/query?query=" + expression).body);
    const auto& result = answer["data"]["result"];
    return result.empty() ? "" : result[0]["value"][1].get<std::string>();
  }
  // Waits until the expression has this value.
  bool becomes(const std::string& expression, const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (value(expression) != wanted) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return true;
  }
  int port() const { return port_; }

 private:
  void spawn(const std::vector<std::string>& extra) {
    std::vector<std::string> arguments{VARVE_BINARY,
                                       "--config.file=" + (folder_ / "varve.yml").string(),
                                       "--storage.tsdb.path=" + (folder_ / "data").string(),
                                       "--web.listen-address=127.0.0.1:0"};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    const std::string log_path = (folder_ / "log").string();
    stdfs::remove(log_path);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0644);
      ::dup2(out, STDERR_FILENO);
      ::dup2(out, STDOUT_FILENO);
      std::vector<char*> argv;
      for (std::string& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  inline static int count_ = 0;
  stdfs::path folder_;
  std::unique_ptr<http::Client> client_;
  pid_t pid_ = -1;
  int port_ = 0;
};

std::string self_scrape(int port) {
  return "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: self\n"
         "    static_configs: [{targets: ['127.0.0.1:" + std::to_string(port) + "']}]\n";
}

// A new configuration is refused with this text; the one that stays, as the API shows it.
std::string refused_reload(Site& site, const std::string& config, const std::string& text) {
  const std::string before = site.get("/api/v1/status/config").body;
  site.configure(config);
  const auto answer = site.post("/-/reload");
  CHECK(answer.status == 500);
  CHECK_THAT(answer.body, Catch::Contains(text));
  CHECK(site.get("/api/v1/status/config").body == before);
  return before;
}

}  // namespace

TEST_CASE("daemon: scrapes itself, stops in order, and has everything after a restart",
          "[server]") {
  Site site;
  site.start({"--web.enable-lifecycle"});
  site.configure(self_scrape(site.port()));
  REQUIRE(site.post("/-/reload").status == 200);
  REQUIRE(site.becomes("up", "1"));
  REQUIRE(site.becomes("count(prometheus_tsdb_head_series)", "1"));
  const auto targets = json::parse(site.get("/api/v1/targets").body);
  CHECK(targets["data"]["activeTargets"][0]["health"] == "up");
  CHECK(site.kill(SIGTERM) == 0);
  site.configure("global: {scrape_interval: 1h}\n");
  site.start();
  CHECK(site.value("count(last_over_time(up[1h]))") == "1");
  CHECK(site.kill(SIGINT) == 0);
}

TEST_CASE("daemon: a write that was acknowledged survives kill -9 right after", "[server]") {
  Site site;
  site.start();
  const Timestamp now = base::SystemClock().now_ms();
  http::ClientRequest request;
  request.method = "POST";
  request.url = "/api/v1/write";
  request.headers = {{"Content-Type", "application/x-protobuf"}, {"Content-Encoding", "snappy"}};
  wire::snappy_compress(test::time_series({{"__name__", "kept"}}, {{now, 42}}), request.body);
  REQUIRE(site.fetch(request).status == 204);
  CHECK(site.kill(SIGKILL) == 128 + SIGKILL);
  site.start();
  CHECK(site.value("kept") == "42");
}

TEST_CASE("daemon: a bad configuration at start ends with status 2 and names the place",
          "[server]") {
  Site site;
  site.configure("global:\n  scrape_intervall: 5s\n");
  CHECK(site.run() == 2);
  CHECK_THAT(site.log(), Catch::Contains(":2:3: field scrape_intervall not known"));
  CHECK_THAT(site.log(), Catch::Contains("did you mean scrape_interval?"));
  CHECK(site.run({"--nonsense"}) == 2);
}

TEST_CASE("daemon: a bad new configuration leaves the old one running", "[server]") {
  Site site;
  site.start({"--web.enable-lifecycle"});
  const std::string before =
      refused_reload(site, "scrape_configs: [{job_name: a, metrics_pth: /}]\n", "metrics_pth");
  CHECK_THAT(site.get("/metrics").body,
             Catch::Contains("prometheus_config_last_reload_successful 0\n"));
  site.configure("global: {scrape_interval: 7s, scrape_timeout: 7s}\n");
  site.kill(SIGHUP);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (site.get("/api/v1/status/config").body == before) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK_THAT(site.get("/metrics").body,
             Catch::Contains("prometheus_config_last_reload_successful 1\n"));
  CHECK(site.kill(SIGTERM) == 0);
}

TEST_CASE("daemon: files of further jobs are looked at for changes too", "[server]") {
  Site site;
  site.configure("scrape_config_files: [more.yml]\n");
  site.write("more.yml", "scrape_configs: [{job_name: one}]\n");
  site.start({"--config.auto-reload", "--config.auto-reload-interval=100ms"});
  const auto pools = [&] {
    return json::parse(site.get("/api/v1/scrape_pools").body)["data"]["scrapePools"].dump();
  };
  CHECK(pools() == R"(["one"])");
  site.write("more.yml", "scrape_configs: [{job_name: two}]\n");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (pools() != R"(["two"])" && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(pools() == R"(["two"])");
  CHECK(site.kill(SIGTERM) == 0);
}

TEST_CASE("daemon: queries are logged where the configuration says, until it says otherwise",
          "[server]") {
  Site site;
  site.configure("global: {query_log_file: queries.log}\n");
  site.start({"--web.enable-lifecycle"});
  site.get("/api/v1/query?query=vector(1)");
  const json line = json::parse(site.read("queries.log"));
  CHECK(line["params"]["query"] == "vector(1)");
  CHECK(line["httpRequest"] ==
        json({{"clientIP", "127.0.0.1"}, {"method", "GET"}, {"path", "/api/v1/query"}}));
  site.configure("");
  CHECK(site.post("/-/reload").status == 200);
  site.get("/api/v1/query?query=vector(2)");
  CHECK(site.read("queries.log").find("vector(2)") == std::string::npos);
  CHECK(site.kill(SIGTERM) == 0);
}

TEST_CASE("daemon: a query log that cannot be opened is a bad configuration", "[server]") {
  Site site;
  site.configure("global: {query_log_file: missing/queries.log}\n");
  CHECK(site.run() != 0);
  CHECK_THAT(site.log(), Catch::Contains("unable to open the query log"));
  site.configure("");
  site.start({"--web.enable-lifecycle"});
  refused_reload(site, "global: {query_log_file: missing/queries.log, scrape_interval: 7s}\n",
                 "missing/queries.log");
  CHECK(site.kill(SIGTERM) == 0);
}

TEST_CASE("daemon: a second process on the same directory is kept out, by name", "[server]") {
  Site site;
  site.start();
  const std::string holder = std::to_string(site.pid());
  CHECK(site.run() == 1);
  CHECK_THAT(site.log(), Catch::Contains(holder));
}
