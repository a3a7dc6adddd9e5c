from libc.stdint cimport uint8_t

cdef Py_ssize_t decoded(const uint8_t *p, Py_ssize_t n, uint8_t *out) noexcept
cdef Py_ssize_t coded_size(const uint8_t *p, Py_ssize_t n) noexcept
cdef Py_ssize_t coded(const uint8_t *p, Py_ssize_t n, uint8_t *out) noexcept
