# SPDX-License-Identifier: Apache-2.0
varve_fuzz(promql_parser SOURCES promql_parser_fuzz.cc DEPS varve::promql_parse varve::base)
