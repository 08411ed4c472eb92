# SPDX-License-Identifier: Apache-2.0
varve_fuzz(target_groups SOURCES target_groups_fuzz.cc DEPS varve::discovery varve::config)
varve_fuzz(dns_answer SOURCES dns_answer_fuzz.cc DEPS varve::discovery)
varve_fuzz(consul_answer SOURCES consul_answer_fuzz.cc DEPS varve::discovery)
varve_fuzz(kubernetes_object SOURCES kubernetes_object_fuzz.cc
           DEPS varve::discovery nlohmann_json::nlohmann_json)
