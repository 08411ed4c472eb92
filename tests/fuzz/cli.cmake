# SPDX-License-Identifier: Apache-2.0
varve_fuzz(result_text SOURCES result_text_fuzz.cc DEPS varve::cli)
