# SPDX-License-Identifier: Apache-2.0
varve_fuzz(storage_snapshot SOURCES "${CMAKE_CURRENT_LIST_DIR}/storage_snapshot_fuzz.cc"
           DEPS varve::storage_head)
