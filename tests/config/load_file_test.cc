// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/config.h"
#include "fs/file_system.h"
#include "fs/real_fs.h"

using namespace varve;

namespace {

// A folder under the build's temporary place, removed with the test.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/varve_config_XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::system(("rm -r '" + path_ + "'").c_str()); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void write(fs::FileSystem& files, const std::string& path, std::string_view text) {
  REQUIRE(files.write_file_atomically(path, text).ok());
}

}  // namespace

TEST_CASE("config file: paths are joined with its folder, further jobs follow", "[config]") {
  const Folder folder;
  fs::RealFs files;
  write(files, folder / "main.yml",
        "rule_files: [rules/*.yml, /abs.yml]\nscrape_config_files: [more_*.yml, none.yml]\n"
        "scrape_configs:\n- job_name: a\n  basic_auth: {username: u, password_file: pw}\n");
  write(files, folder / "more_1.yml", "scrape_configs:\n- job_name: b\n");
  const auto loaded = config::load_file(files, folder / "main.yml", {});
  INFO((loaded.ok() ? std::string() : loaded.error().message()));
  REQUIRE(loaded.ok());
  CHECK(loaded->rule_files == std::vector<std::string>{folder / "rules/*.yml", "/abs.yml"});
  CHECK(loaded->scrape_configs[0].client.basic_auth->password.file == folder / "pw");
  REQUIRE(loaded->scrape_configs.size() == 2);
  CHECK(loaded->scrape_configs[1].job_name == "b");
  CHECK(loaded->main_scrape_configs == 1);

  write(files, folder / "more_2.yml", "scrape_configs:\n- job_name: a\n");
  const auto twice = config::load_file(files, folder / "main.yml", {});
  REQUIRE_FALSE(twice.ok());
  CHECK(twice.error().message() ==
        (folder / "more_2.yml") + ":2:13: found multiple scrape configs with job name \"a\", first "
                                  "found in " +
            (folder / "main.yml"));
}

TEST_CASE("config file: a missing file is not found", "[config]") {
  const Folder folder;
  fs::RealFs files;
  const auto loaded = config::load_file(files, folder / "none.yml", {});
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code() == ErrorCode::kNotFound);
}

TEST_CASE("config file: the check names a secret that is not there, loading does not mind",
          "[config]") {
  const Folder folder;
  fs::RealFs files;
  write(files, folder / "main.yml",
        "scrape_configs:\n- job_name: a\n  authorization: {credentials_file: token}\n");
  const auto loaded = config::load_file(files, folder / "main.yml", {});
  REQUIRE(loaded.ok());
  const Status missing = config::check_files(files, *loaded);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message() ==
        "scrape config \"a\": error checking authorization credentials or bearer token file \"" +
            (folder / "token") + "\": no such file or directory");
  write(files, folder / "token", "t");
  CHECK(config::check_files(files, *loaded).ok());
}
