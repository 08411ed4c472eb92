# SPDX-License-Identifier: Apache-2.0
# cmake -DSOURCE=<src/web> -DSCRATCH=<folder> -P registry_out_of_reach.cmake
# Bundles where npm can fetch nothing: the build must go on, without the dashboard. What it then
# embeds is what without_dashboard_test.cc is compiled with.
file(REMOVE_RECURSE "${SCRATCH}")
file(MAKE_DIRECTORY "${SCRATCH}")
file(COPY "${SOURCE}/package.json" "${SOURCE}/package-lock.json" DESTINATION "${SCRATCH}")
execute_process(
  COMMAND "${CMAKE_COMMAND}" -DNPM=false -DNODE=false "-DSOURCE=${SCRATCH}"
          "-DFOLDER=${SCRATCH}/bundle" "-DOUTPUT=${SCRATCH}/embedded_assets.inc"
          -P "${SOURCE}/bundle.cmake"
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the build ended where the registry was out of reach: ${result}")
endif()
file(READ "${SCRATCH}/embedded_assets.inc" embedded)
if(NOT embedded MATCHES "^#define VARVE_WEB_NOT_FETCHED")
  message(FATAL_ERROR "the build does not know that it has no dashboard: ${embedded}")
endif()
