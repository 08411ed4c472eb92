# SPDX-License-Identifier: Apache-2.0
# Address and undefined-behaviour sanitizers.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(VARVE_TESTS ON CACHE BOOL "")
set(VARVE_STRICT ON CACHE BOOL "")
set(VARVE_DCHECKS ON CACHE BOOL "")
set(VARVE_SANITIZERS "address,undefined" CACHE STRING "")
