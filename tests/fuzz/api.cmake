# SPDX-License-Identifier: Apache-2.0
varve_fuzz(live_request SOURCES live_request_fuzz.cc DEPS varve::api)
