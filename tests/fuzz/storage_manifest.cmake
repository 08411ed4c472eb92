# SPDX-License-Identifier: Apache-2.0
varve_fuzz(storage_manifest SOURCES "${CMAKE_CURRENT_LIST_DIR}/storage_manifest_fuzz.cc"
           DEPS varve::storage PkgConfig::xxhash fmt::fmt)
