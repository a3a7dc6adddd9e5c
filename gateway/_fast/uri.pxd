cimport cython

cpdef tuple normalize(bytes target, bint merge_slashes=*, bint empty_path=*)
