# SPDX-License-Identifier: Apache-2.0
# What users run, with the tests and benchmarks built against it.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(VARVE_TESTS ON CACHE BOOL "")
set(VARVE_BENCHMARKS ON CACHE BOOL "")
set(VARVE_STRICT ON CACHE BOOL "")
