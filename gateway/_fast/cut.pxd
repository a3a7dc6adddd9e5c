cpdef bytes first(bytes data, Py_ssize_t count)
cpdef bytes rest(bytes data, Py_ssize_t start)
cpdef bytes decimal(long long number)
cpdef bytes thousandths(double seconds)
