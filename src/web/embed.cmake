# SPDX-License-Identifier: Apache-2.0
# Included by bundle.cmake with FOLDER, the bundle, and OUTPUT, a file.
# Writes what embeds a bundle, for assets.cc to include: the assembler includes the files as they are, which
# takes no time where arrays of numbers would take minutes.
file(GLOB files RELATIVE "${FOLDER}" "${FOLDER}/*.gz")
list(SORT files)
set(blobs "")
set(table "")
set(number 0)
function(blob variable path)
  set(text "__asm__(\".section .rodata\\n.global ${variable}_begin\\n${variable}_begin:\\n\"\n")
  string(APPEND text "        \".incbin \\\"${path}\\\"\\n.global ${variable}_end\\n${variable}_end:\\n.byte 0\\n\"\n")
  string(APPEND text "        \".previous\\n\");\n")
  string(APPEND text "extern \"C\" const char ${variable}_begin[], ${variable}_end[];\n")
  set(blobs "${blobs}${text}" PARENT_SCOPE)
endfunction()
blob(varve_web_index "${FOLDER}/index.html")
foreach(file IN LISTS files)
  string(REGEX REPLACE "\\.gz$" "" name "${file}")
  set(fields "\"${name}\"")
  foreach(coding IN ITEMS gz br)
    blob(varve_web_${number}_${coding} "${FOLDER}/${name}.${coding}")
    string(APPEND fields
           ", text(varve_web_${number}_${coding}_begin, varve_web_${number}_${coding}_end)")
  endforeach()
  string(APPEND table "      {${fields}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "// Made by embed.cmake.
${blobs}
namespace varve::web::embedded {

inline std::string_view text(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

inline std::span<const Asset> assets() {
  static const Asset all[] = {
${table}  };
  return all;
}
inline std::string_view index_html() { return text(varve_web_index_begin, varve_web_index_end); }

}  // namespace varve::web::embedded
")
