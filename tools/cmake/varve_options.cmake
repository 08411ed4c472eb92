# SPDX-License-Identifier: Apache-2.0
# What a build can choose. release.cmake, dev.cmake, asan.cmake and tsan.cmake are named choices.
option(VARVE_TESTS "Build the tests" OFF)
option(VARVE_BENCHMARKS "Build the benchmarks" OFF)
option(VARVE_STRICT "Treat warnings as errors" OFF)
option(VARVE_DCHECKS "Turn on VARVE_DCHECK" OFF)
option(VARVE_FUZZERS "Link the fuzz entries with libFuzzer (clang)" OFF)
set(VARVE_SANITIZERS "" CACHE STRING "For -fsanitize=, such as address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# Without -DNDEBUG nothing changes here (Varve has its own checks); -g1 keeps profiles readable.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

find_program(VARVE_CCACHE ccache)
if(VARVE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${VARVE_CCACHE}")
endif()
find_program(VARVE_MOLD mold)
if(VARVE_MOLD AND NOT VARVE_SANITIZERS)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast)
if(VARVE_STRICT)
  add_compile_options(-Werror)
endif()
# Floating point must mean what IEEE 754 says: codecs are bit-exact and PromQL sums are compensated.
add_compile_options(-ffp-contract=off)
if(VARVE_DCHECKS)
  add_compile_definitions(VARVE_DCHECKS)
endif()
if(VARVE_SANITIZERS)
  add_compile_options(-fsanitize=${VARVE_SANITIZERS} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${VARVE_SANITIZERS})
  # GCC 12 reports false positives of these under sanitizers.
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict)
  if(VARVE_SANITIZERS MATCHES "thread")
    # Asio has fences, which the sanitizer does not understand; its locks beside them it does.
    add_compile_options(-Wno-tsan)
  endif()
endif()
