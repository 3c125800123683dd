# Read by CMake right after ggml's project() call (CMAKE_PROJECT_ggml_INCLUDE), in "dl" builds only.
#
# ggml/src/CMakeLists.txt lets the library ggml depend on every back end, so that building it builds
# all of ggml's CPU variants (14 on x86-64), wanted or not. They are plug-ins that nothing links, so
# the dependency is only an order: without it build.sh can choose which variants are made.
# CMake renames a command that is defined again to _NAME; vcpkg's toolchain file rests on the same.
function(add_dependencies target)
	if(target STREQUAL "ggml" AND "${ARGN}" MATCHES "^ggml-cpu-[^;]+$")
		return()
	endif()
	_add_dependencies(${target} ${ARGN})
endfunction()
