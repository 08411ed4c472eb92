# SPDX-License-Identifier: Apache-2.0
varve_fuzz(content_coding SOURCES content_coding_fuzz.cc DEPS varve::http)
varve_fuzz(form SOURCES form_fuzz.cc DEPS varve::http)
varve_fuzz(http_request SOURCES http_request_fuzz.cc DEPS varve::http)
varve_fuzz(http_answer SOURCES http_answer_fuzz.cc DEPS varve::http)
varve_fuzz(points_gzip SOURCES points_gzip_fuzz.cc DEPS varve::http)
