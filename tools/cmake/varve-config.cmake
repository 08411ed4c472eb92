# SPDX-License-Identifier: Apache-2.0
# find_package(varve): gives varve::varve, the embeddable database. The libraries it is built from
# must be installed, as for building Varve itself.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(fmt)
find_dependency(PkgConfig)
find_dependency(OpenSSL)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
include("${CMAKE_CURRENT_LIST_DIR}/varve-targets.cmake")
if(NOT TARGET varve::varve)
  add_library(varve::varve INTERFACE IMPORTED)
  set_target_properties(varve::varve PROPERTIES INTERFACE_LINK_LIBRARIES varve::embed)
endif()
