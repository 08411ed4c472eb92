// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz entry over files and folders, plus cheap mutations of each (truncations and flipped
// bytes), so that an ordinary test run exercises it without a fuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

void run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  run(input);
  std::mt19937 random(static_cast<unsigned>(input.size()) * 2654435761U + 1);
  for (int round = 0; round < 200 && !input.empty(); ++round) {
    std::string mutated =
        input.substr(0, random() % 4 == 0 ? random() % input.size() : input.size());
    for (unsigned flips = 1 + random() % 4; flips > 0 && !mutated.empty(); --flips) {
      mutated[random() % mutated.size()] = static_cast<char>(random());
    }
    run(mutated);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  run({});
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      run_file(argv[i]);
      ++files;
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      run_file(entry.path());
      ++files;
    }
  }
  std::printf("%zu inputs replayed\n", files);
  return files > 0 ? 0 : 1;
}
