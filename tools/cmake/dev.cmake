# SPDX-License-Identifier: Apache-2.0
# Quick to build, every check on.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(VARVE_TESTS ON CACHE BOOL "")
set(VARVE_STRICT ON CACHE BOOL "")
set(VARVE_DCHECKS ON CACHE BOOL "")
