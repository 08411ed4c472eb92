# SPDX-License-Identifier: Apache-2.0
varve_fuzz(template SOURCES template_fuzz.cc DEPS varve::template)
