# cython: language_level=3, boundscheck=False, wraparound=False
"""A non-blocking connect in one call: socket, options, bind, connect, without Python's socket object."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

import os

cdef extern from *:
    """
    #include <errno.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <sys/socket.h>
    #include <unistd.h>
    #ifndef IP_TRANSPARENT
    #define IP_TRANSPARENT 19
    #endif
    #ifndef IPV6_TRANSPARENT
    #define IPV6_TRANSPARENT 75
    #endif
    #ifndef IP_BIND_ADDRESS_NO_PORT
    #define IP_BIND_ADDRESS_NO_PORT 24
    #endif

    #ifdef __linux__
    #define OPEN_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
    static int make_nonblocking(int fd) { (void) fd; return 0; }
    #else
    #include <fcntl.h>
    #define OPEN_FLAGS 0
    static int make_nonblocking(int fd) {
        return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : 0;
    }
    #endif

    static int set_one(int fd, int level, int name, int value) {
        return setsockopt(fd, level, name, &value, sizeof value);
    }

    static int is_inet(const void *sockaddr) {
        int family = ((const struct sockaddr *) sockaddr)->sa_family;
        return family == AF_INET || family == AF_INET6;
    }

    static int has_port(const void *sockaddr) {
        return ((const struct sockaddr_in *) sockaddr)->sin_port != 0;
    }

    /* 0: connected; 1: in progress; else an errno, with what failed in *what and the descriptor closed */
    static int open_and_connect(const void *to, int to_len, const void *from, int from_len, int keepalive,
                                int rcvbuf, int sndbuf, int transparent, int *fd_out, int *what) {
        int family = ((const struct sockaddr *) to)->sa_family;
        int fd, err;
        *what = 0;
        fd = socket(family, SOCK_STREAM | OPEN_FLAGS, 0);
        *fd_out = fd;
        if (fd < 0) return errno;
        if (make_nonblocking(fd) < 0) goto failed;
        if (rcvbuf) set_one(fd, SOL_SOCKET, SO_RCVBUF, rcvbuf);
        if (sndbuf) set_one(fd, SOL_SOCKET, SO_SNDBUF, sndbuf);
        if (keepalive) set_one(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        if (family != AF_UNIX) set_one(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        if (from_len) {
            *what = 1;
            if (transparent) {
                err = family == AF_INET6 ? set_one(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
                                         : set_one(fd, IPPROTO_IP, IP_TRANSPARENT, 1);
                if (err < 0) goto failed;
            }
            if (is_inet(from) && !has_port(from)) set_one(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
            if (bind(fd, (const struct sockaddr *) from, from_len) < 0) goto failed;
        }
        *what = 2;
        if (connect(fd, (const struct sockaddr *) to, to_len) == 0) return 0;
        if (errno == EINPROGRESS) return -1;
    failed:
        err = errno;
        close(fd);
        *fd_out = -1;
        return err;
    }

    static int pending_error(int fd) {
        int err = 0;
        socklen_t length = sizeof err;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &length) < 0) err = errno;
        return err;
    }
    """
    int open_and_connect(const void *, int, const void *, int, int, int, int, int, int *, int *) nogil
    int pending_error(int) nogil


class ConnectError(OSError):
    """socket, bind or connect failed at once; `call` says which."""

    call = "connect"


cdef tuple CALLS = ("socket", "bind", "connect")


def start_connect(
    bytes to, bytes source=b"", bint keepalive=False, int rcvbuf=0, int sndbuf=0, bint transparent=False
):
    """(descriptor, whether it is connected already) to a raw sockaddr. Errors: ConnectError."""
    cdef int fd = -1, what = 0, result
    result = open_and_connect(
        PyBytes_AS_STRING(to), <int>PyBytes_GET_SIZE(to), PyBytes_AS_STRING(source), <int>PyBytes_GET_SIZE(source),
        keepalive, rcvbuf, sndbuf, transparent, &fd, &what,
    )
    if result <= 0:
        return fd, result == 0
    error = ConnectError(result, os.strerror(result))
    error.call = CALLS[what]
    raise error


def connect_error(int fd) -> int:
    """The errno of a connect that ended in the background, 0 if it is connected."""
    return pending_error(fd)
