# SPDX-License-Identifier: Apache-2.0
# cmake -DNPM= -DNODE= -DSOURCE= -DFOLDER=<bundle> -DOUTPUT=<file.inc> -P bundle.cmake
# Fetches the packages where the lock file has changed, bundles, embeds. Where the registry cannot be
# reached the build goes on without the dashboard; a bundle that does not build is an error.
set(stamp "${SOURCE}/node_modules/.installed")
file(SHA256 "${SOURCE}/package-lock.json" wanted)
set(installed "")
if(EXISTS "${stamp}")
  file(READ "${stamp}" installed)
endif()
if(NOT installed STREQUAL wanted)
  message("Fetching the dashboard's packages")
  execute_process(COMMAND "${NPM}" ci --no-audit --no-fund --loglevel=error
                  WORKING_DIRECTORY "${SOURCE}" RESULT_VARIABLE result TIMEOUT 300)
  if(result EQUAL 0)
    file(WRITE "${stamp}" "${wanted}")
  else()
    message(WARNING "npm could not fetch the dashboard's packages: Varve is built without it")
    file(WRITE "${OUTPUT}" "#define VARVE_WEB_NOT_FETCHED\n")
    return()
  endif()
endif()
execute_process(COMMAND "${NODE}" build.mjs "${FOLDER}" WORKING_DIRECTORY "${SOURCE}"
                RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the dashboard does not build")
endif()
include("${SOURCE}/embed.cmake")
