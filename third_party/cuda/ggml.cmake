# CMake reads this first (CMAKE_TOOLCHAIN_FILE). Without virtual memory of the driver's ggml links no libcuda, which
# comes with a driver and is in no toolkit of PyPI's; and a program without it starts where there is none.
set(GGML_CUDA_NO_VMM ON CACHE BOOL "")
# Where the rest of the toolkit is: CMake looks for it beside nvcc in a folder that PyPI's packages do not have.
set(CUDAToolkit_ROOT "$ENV{CUDA_HOME}" CACHE PATH "")
