# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` lays down: the daemon, the public headers, and the package by which another
# project links Varve: find_package(varve) and target_link_libraries(app varve::varve).
include(CMakePackageConfigHelpers)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/include/varve" DESTINATION include)
install(EXPORT varve-targets NAMESPACE varve:: DESTINATION lib/cmake/varve)
install(FILES "${CMAKE_SOURCE_DIR}/tools/cmake/varve-config.cmake" DESTINATION lib/cmake/varve)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/varve-config-version.cmake"
                                 COMPATIBILITY ExactVersion)
install(FILES "${CMAKE_BINARY_DIR}/varve-config-version.cmake" DESTINATION lib/cmake/varve)
