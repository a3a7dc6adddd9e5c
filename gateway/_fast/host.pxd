from libc.stdint cimport uint8_t

cdef bytes clean_host(const uint8_t *h, Py_ssize_t n, int *port_out)
