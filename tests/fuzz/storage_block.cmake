# SPDX-License-Identifier: Apache-2.0
varve_fuzz(storage_block
  SOURCES "${CMAKE_CURRENT_LIST_DIR}/storage_block_fuzz.cc" "${CMAKE_SOURCE_DIR}/tests/storage_block/hostile.cc"
  DEPS varve::storage_block)
target_include_directories(fuzz_storage_block PRIVATE "${CMAKE_SOURCE_DIR}/tests/storage_block")
