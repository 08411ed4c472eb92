# SPDX-License-Identifier: Apache-2.0
varve_fuzz(storage_wal SOURCES "${CMAKE_CURRENT_LIST_DIR}/storage_wal_fuzz.cc"
           DEPS varve::storage_wal varve::fs)
