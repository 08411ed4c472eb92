# SPDX-License-Identifier: Apache-2.0
# Sourced by run and test: installs the Debian packages that a build needs and that are missing.

varve_build_packages="g++ cmake ninja-build ccache mold pkg-config git ca-certificates \
  libboost1.81-dev|libboost-dev libzstd-dev libxxhash-dev libfmt-dev nlohmann-json3-dev libsnappy-dev \
  libprotozero-dev libre2-dev libyaml-cpp-dev libssl-dev libcli11-dev libcurl4-openssl-dev \
  libdeflate-dev zlib1g-dev libjemalloc-dev"
varve_test_packages="catch2 libbenchmark-dev"
varve_bench_packages="libbenchmark-dev python3 valgrind"

# The dashboard's; a build without them has none.
varve_web_packages="nodejs npm"

# A browser for the end-to-end tests; without one they are skipped.
varve_browser_packages="chromium fonts-dejavu-core"

is_installed() {
  dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'
}

# Arguments are package names; "a|b" means a, or b where the distribution has no a.
install_missing() {
  local missing=()
  local package
  for package in "$@"; do
    is_installed "${package%%|*}" || is_installed "${package##*|}" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "Installing: ${missing[*]}" >&2
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "Please install as root: apt-get install ${missing[*]}" >&2
      return 1
    }
    sudo=sudo
  fi
  $sudo apt-get update -qq
  local i
  for i in "${!missing[@]}"; do
    package=${missing[$i]}
    missing[i]=${package%%|*}
    apt-cache show "${missing[$i]}" >/dev/null 2>&1 || missing[i]=${package##*|}
  done
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# Node may have come from elsewhere than the distribution, whose package would then be in its way.
install_web_tools() {
  command -v npm >/dev/null && return 0
  # shellcheck disable=SC2086
  install_missing $varve_web_packages || echo "No npm: building without the dashboard." >&2
}

install_browser() {
  command -v npm >/dev/null || return 0
  local browser
  for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$browser" >/dev/null && return 0
  done
  # shellcheck disable=SC2086
  install_missing $varve_browser_packages || echo "No browser: end-to-end tests are skipped." >&2
}
