# SPDX-License-Identifier: Apache-2.0
varve_fuzz(xor_chunk SOURCES xor_chunk_fuzz.cc DEPS varve::storage_codec)
varve_fuzz(value_block SOURCES value_block_fuzz.cc DEPS varve::storage_codec)
varve_fuzz(time_block SOURCES time_block_fuzz.cc DEPS varve::storage_codec)
varve_fuzz(histogram_chunk SOURCES histogram_chunk_fuzz.cc DEPS varve::storage_codec)
varve_fuzz(bucket_chunk SOURCES bucket_chunk_fuzz.cc DEPS varve::storage_codec)
