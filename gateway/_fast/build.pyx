# cython: language_level=3
"""How the compiled parts were compiled."""

cdef extern from *:
    """
    #ifdef __OPTIMIZE__
    #define GATEWAY_OPTIMIZED 1
    #else
    #define GATEWAY_OPTIMIZED 0
    #endif
    #if defined(__clang__)
    #define GATEWAY_COMPILER __VERSION__
    #elif defined(__GNUC__)
    #define GATEWAY_COMPILER "gcc " __VERSION__
    #else
    #define GATEWAY_COMPILER "an unknown compiler"
    #endif
    """
    const char *GATEWAY_COMPILER
    bint GATEWAY_OPTIMIZED

COMPILER = GATEWAY_COMPILER.decode()
OPTIMIZED = bool(GATEWAY_OPTIMIZED)
