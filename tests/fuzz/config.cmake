# SPDX-License-Identifier: Apache-2.0
varve_fuzz(config SOURCES config_fuzz.cc DEPS varve::config)
varve_fuzz(rule_file SOURCES rule_file_fuzz.cc DEPS varve::config)
