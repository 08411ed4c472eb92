# SPDX-License-Identifier: Apache-2.0
varve_fuzz(storage_holds SOURCES "${CMAKE_CURRENT_LIST_DIR}/storage_holds_fuzz.cc"
           DEPS varve::storage PkgConfig::xxhash fmt::fmt)
