# SPDX-License-Identifier: Apache-2.0
varve_fuzz(remote_write SOURCES remote_write_fuzz.cc DEPS varve::wire)
varve_fuzz(remote_write2 SOURCES remote_write2_fuzz.cc DEPS varve::wire)
varve_fuzz(snappy SOURCES snappy_fuzz.cc DEPS varve::wire Snappy::snappy)
varve_fuzz(text_format SOURCES text_format_fuzz.cc DEPS varve::wire)
varve_fuzz(openmetrics SOURCES openmetrics_fuzz.cc DEPS varve::wire)
varve_fuzz(proto_exposition SOURCES proto_exposition_fuzz.cc DEPS varve::wire varve::model)
