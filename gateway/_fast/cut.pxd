cpdef bytes first(bytes data, Py_ssize_t count)
cpdef bytes rest(bytes data, Py_ssize_t start)
