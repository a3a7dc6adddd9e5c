# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Sockets of datagrams in the lane: what arrives, with its sender, and where it was sent to; replies from there."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, EINVAL, EIO, errno
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy, memset

from gateway._fast.linux cimport (
    AF_INET6, EPOLL_CTL_DEL, EPOLLEXCLUSIVE, EPOLLIN, IP_TRANSPARENT, IPPROTO_IP, MSG_NOSIGNAL, SOCK_CLOEXEC,
    SOCK_NONBLOCK, SOL_SOCKET, c_bind, c_close, c_connect, c_socket, epoll_ctl, in6_addr, in_addr, iovec, setsockopt,
    sockaddr, sockaddr_storage, socklen_t,
)
from gateway._fast.poller cimport BUFFER, Poller, Source, os_error

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <netinet/in.h>
    #include <sys/socket.h>
    #ifndef UDP_SEGMENT
    #define UDP_SEGMENT 103
    #endif
    """
    enum: UDP_SEGMENT

cdef extern from "<sys/socket.h>" nogil:
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type

    struct full_msghdr "msghdr":
        void* msg_name
        socklen_t msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags

    struct mmsghdr:
        full_msghdr msg_hdr
        unsigned int msg_len

    int c_sendmmsg "sendmmsg"(int fd, mmsghdr* messages, unsigned int count, int flags)
    cmsghdr* CMSG_FIRSTHDR(full_msghdr* message)
    cmsghdr* CMSG_NXTHDR(full_msghdr* message, cmsghdr* part)
    unsigned char* CMSG_DATA(cmsghdr* part)
    size_t CMSG_SPACE(size_t size)
    size_t CMSG_LEN(size_t size)
    ssize_t c_recvmsg "recvmsg"(int fd, full_msghdr* message, int flags)
    ssize_t c_sendmsg "sendmsg"(int fd, const full_msghdr* message, int flags)
    enum: MSG_DONTWAIT, MSG_TRUNC, SOCK_DGRAM, SO_RCVBUF, SO_SNDBUF

cdef extern from "<netinet/in.h>" nogil:
    struct in_pktinfo:
        in_addr ipi_spec_dst
        in_addr ipi_addr

    struct in6_pktinfo:
        in6_addr ipi6_addr

    enum: IPPROTO_UDP, IPPROTO_IPV6, IP_PKTINFO, IPV6_PKTINFO, IPV6_TRANSPARENT

# So many are taken in a turn, and fewer when they take long: the others have theirs, and what is left is told of again.
cdef enum:
    AT_ONCE = 32
    CONTROL = 128
    # Of what leaves in one call: UDP_MAX_SEGMENTS and the longest datagram of any Linux.
    BATCH = 64
    LONGEST = 65000


cdef class Datagrams(Source):
    """A socket of datagrams; arrived(data, raw sender, packed local address or None), failed(errno).

    A shared one is a listening socket, which stays the caller's; another is closed with this.
    """

    cdef object arrived
    cdef object failed
    cdef bint shared
    cdef bint exclusive
    cdef readonly bint paused
    cdef readonly object received
    cdef readonly object sent
    cdef readonly size_t calls  # of the kernel, by send_all()
    cdef bint no_segments

    def __init__(self, Poller lane not None, int fd, arrived, failed, *, bint shared=False, bint exclusive=False):
        self.arrived = arrived
        self.failed = failed
        self.shared = shared
        self.exclusive = exclusive
        self.received = self.sent = 0
        lane.register(self, fd, EPOLLIN | (EPOLLEXCLUSIVE if exclusive else 0))

    cdef int event(self, uint32_t events) except -1:
        cdef sockaddr_storage address
        cdef full_msghdr message
        cdef iovec part
        cdef char control[CONTROL]
        cdef ssize_t count
        cdef int number
        cdef bytes data
        cdef Poller lane = self.poller
        for _ in range(AT_ONCE):
            if self.fd < 0 or self.paused:
                break
            memset(&message, 0, sizeof(message))
            memset(&address, 0, sizeof(address))
            part.iov_base = lane.buffer
            part.iov_len = BUFFER
            message.msg_name = &address
            message.msg_namelen = sizeof(address)
            message.msg_iov = &part
            message.msg_iovlen = 1
            message.msg_control = control
            message.msg_controllen = CONTROL
            count = c_recvmsg(self.fd, &message, MSG_DONTWAIT)
            if count < 0:
                number = errno
                if number == EAGAIN:
                    break
                if number == EINTR:
                    continue
                try:
                    self.failed(number)
                except BaseException as error:
                    lane.crash(error, self)
                break
            if message.msg_flags & MSG_TRUNC:
                continue
            data = PyBytes_FromStringAndSize(lane.buffer, count)
            self.received += count
            try:
                self.arrived(data, PyBytes_FromStringAndSize(<char*>&address, message.msg_namelen), local_of(&message))
            except BaseException as error:
                lane.crash(error, self)
            if lane.overtime():
                break
        return 0

    def send(self, bytes data not None, bytes peer=None, bytes source=None):
        """Send one datagram, to `peer` unless the socket is connected, from this local address; 0 or errno."""
        cdef full_msghdr message
        cdef iovec part
        cdef char control[CONTROL]
        cdef ssize_t count
        if self.fd < 0:
            return 0
        memset(&message, 0, sizeof(message))
        part.iov_base = PyBytes_AS_STRING(data)
        part.iov_len = PyBytes_GET_SIZE(data)
        message.msg_iov = &part
        message.msg_iovlen = 1
        if peer is not None:
            message.msg_name = PyBytes_AS_STRING(peer)
            message.msg_namelen = <socklen_t>PyBytes_GET_SIZE(peer)
        if source is not None:
            set_source(&message, control, source)
        while True:
            count = c_sendmsg(self.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
            if count >= 0:
                self.sent += count
                return 0
            if errno != EINTR:
                return errno

    def send_all(self, list datagrams not None, bytes source=None, bint segments=False):
        """Send pairs of bytes and a peer, with as few calls of the kernel as can be; what it does not take is lost.

        With `segments` the kernel cuts runs of one size (UDP_SEGMENT), where it can.
        """
        cdef Py_ssize_t at = 0, count = len(datagrams)
        cdef int run
        while at < count and self.fd >= 0:
            run = self.gathered(datagrams, at, segments and not self.no_segments)
            if run > 1:
                run = self.send_segments(datagrams, at, run, source)
            else:
                run = self.send_some(datagrams, at, source)
            if run < 0:
                break
            at += run

    cdef int gathered(self, list datagrams, Py_ssize_t at, bint segments) except -1:
        """How many from here on are segments of one: of one size, but for the last."""
        cdef tuple pair
        cdef bytes peer, data
        cdef Py_ssize_t size, total, own
        cdef int run = 1
        if not segments:
            return 1
        pair = datagrams[at]
        data, peer = pair
        size = total = PyBytes_GET_SIZE(data)
        while run < BATCH and at + run < len(datagrams):
            pair = datagrams[at + run]
            data = pair[0]
            own = PyBytes_GET_SIZE(data)
            if own > size or total + own > LONGEST or (pair[1] is not peer and pair[1] != peer):
                break
            total += own
            run += 1
            if own < size:
                break
        return run

    cdef int send_segments(self, list datagrams, Py_ssize_t at, int run, bytes source) except -2:
        """How many were sent; -1: there is no room."""
        cdef full_msghdr message
        cdef iovec parts[BATCH]
        cdef char control[2 * CONTROL]
        cdef cmsghdr* part
        cdef tuple pair
        cdef bytes data, peer
        cdef ssize_t count
        cdef int i
        memset(&message, 0, sizeof(message))
        for i in range(run):
            pair = datagrams[at + i]
            data, peer = pair
            parts[i].iov_base = PyBytes_AS_STRING(data)
            parts[i].iov_len = PyBytes_GET_SIZE(data)
        message.msg_iov = parts
        message.msg_iovlen = run
        message.msg_name = PyBytes_AS_STRING(peer)
        message.msg_namelen = <socklen_t>PyBytes_GET_SIZE(peer)
        if source is not None:
            set_source(&message, control, source)
        message.msg_control = control
        part = <cmsghdr*>(control + message.msg_controllen)
        memset(part, 0, CMSG_SPACE(sizeof(uint16_t)))
        part.cmsg_level = IPPROTO_UDP
        part.cmsg_type = UDP_SEGMENT
        part.cmsg_len = CMSG_LEN(sizeof(uint16_t))
        (<uint16_t*>CMSG_DATA(part))[0] = <uint16_t>parts[0].iov_len
        message.msg_controllen += CMSG_SPACE(sizeof(uint16_t))
        while True:
            count = c_sendmsg(self.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
            self.calls += 1
            if count >= 0:
                self.sent += count
                return run
            if errno == EAGAIN:
                return -1
            if errno == EIO or errno == EINVAL:
                self.no_segments = True  # the kernel, or what is behind this route, does not know of it
                return 0
            if errno != EINTR:
                return run

    cdef int send_some(self, list datagrams, Py_ssize_t at, bytes source) except -2:
        """How many were sent, each in a message of its own; -1: there is no room."""
        cdef mmsghdr messages[BATCH]
        cdef iovec parts[BATCH]
        cdef char control[CONTROL]
        cdef full_msghdr* message
        cdef tuple pair
        cdef bytes data, peer
        cdef int i, done
        cdef int run = <int>min(len(datagrams) - at, BATCH)
        memset(messages, 0, run * sizeof(mmsghdr))
        for i in range(run):
            pair = datagrams[at + i]
            data, peer = pair
            parts[i].iov_base = PyBytes_AS_STRING(data)
            parts[i].iov_len = PyBytes_GET_SIZE(data)
            message = &messages[i].msg_hdr
            message.msg_iov = &parts[i]
            message.msg_iovlen = 1
            message.msg_name = PyBytes_AS_STRING(peer)
            message.msg_namelen = <socklen_t>PyBytes_GET_SIZE(peer)
            if source is not None:
                set_source(message, control, source)
        while True:
            done = c_sendmmsg(self.fd, messages, run, MSG_NOSIGNAL | MSG_DONTWAIT)
            self.calls += 1
            if done >= 0:
                for i in range(done):
                    self.sent += messages[i].msg_len
                return done
            if errno == EAGAIN:
                return -1
            if errno != EINTR:
                return 1  # this one failed; the others may not

    def pause(self):
        """Take nothing until resume(): it waits in the socket."""
        if self.fd >= 0 and not self.paused:
            self.paused = True
            epoll_ctl(self.poller.epoll, EPOLL_CTL_DEL, self.fd, NULL)

    def resume(self):
        cdef int fd = self.fd
        if fd >= 0 and self.paused:
            self.paused = False
            self.poller.forget(fd)
            self.poller.register(self, fd, EPOLLIN | (EPOLLEXCLUSIVE if self.exclusive else 0))

    def close(self):
        cdef int fd = self.fd
        if fd < 0:
            return
        if self.shared:
            if not self.paused:
                epoll_ctl(self.poller.epoll, EPOLL_CTL_DEL, fd, NULL)
        else:
            c_close(fd)
        self.fd = -1
        self.poller.forget(fd)

    cdef int end(self) except -1:
        self.close()
        return 0


cdef object local_of(full_msghdr* message):
    """Where a datagram was sent to, if the socket was told to say it."""
    cdef cmsghdr* part = CMSG_FIRSTHDR(message)
    while part != NULL:
        if part.cmsg_level == IPPROTO_IP and part.cmsg_type == IP_PKTINFO:
            return PyBytes_FromStringAndSize(<char*>&(<in_pktinfo*>CMSG_DATA(part)).ipi_addr, 4)
        if part.cmsg_level == IPPROTO_IPV6 and part.cmsg_type == IPV6_PKTINFO:
            return PyBytes_FromStringAndSize(<char*>&(<in6_pktinfo*>CMSG_DATA(part)).ipi6_addr, 16)
        part = CMSG_NXTHDR(message, part)
    return None


cdef int set_source(full_msghdr* message, char* control, bytes source) except -1:
    cdef cmsghdr* part
    cdef in_pktinfo* four
    cdef in6_pktinfo* six
    memset(control, 0, CONTROL)
    message.msg_control = control
    if PyBytes_GET_SIZE(source) == 16:
        message.msg_controllen = CMSG_SPACE(sizeof(in6_pktinfo))
        part = CMSG_FIRSTHDR(message)
        part.cmsg_level = IPPROTO_IPV6
        part.cmsg_type = IPV6_PKTINFO
        part.cmsg_len = CMSG_LEN(sizeof(in6_pktinfo))
        six = <in6_pktinfo*>CMSG_DATA(part)
        memcpy(&six.ipi6_addr, PyBytes_AS_STRING(source), 16)
    else:
        message.msg_controllen = CMSG_SPACE(sizeof(in_pktinfo))
        part = CMSG_FIRSTHDR(message)
        part.cmsg_level = IPPROTO_IP
        part.cmsg_type = IP_PKTINFO
        part.cmsg_len = CMSG_LEN(sizeof(in_pktinfo))
        four = <in_pktinfo*>CMSG_DATA(part)
        memcpy(&four.ipi_spec_dst, PyBytes_AS_STRING(source), 4)
    return 0


def open_datagrams(Poller lane not None, bytes address not None, arrived, failed, *, bytes local=None,
                   bint transparent=False, int rcvbuf=0, int sndbuf=0):
    """A socket of datagrams that is connected to this raw sockaddr.

    OSError when it cannot be; its `filename` is the call that failed where that was not connect().
    """
    cdef const sockaddr* to = <const sockaddr*>PyBytes_AS_STRING(address)
    cdef int one = 1
    cdef int fd
    if PyBytes_GET_SIZE(address) < 2:
        raise os_error(EINVAL)
    fd = c_socket(to.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0:
        raise own_error(errno, b"socket()")
    try:
        if rcvbuf and setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) < 0:
            raise own_error(errno, b"setsockopt(SO_RCVBUF)")
        if sndbuf and setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)) < 0:
            raise own_error(errno, b"setsockopt(SO_SNDBUF)")
        if local is not None:
            if transparent and to.sa_family == AF_INET6:
                if setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one, sizeof(one)) < 0:
                    raise own_error(errno, b"setsockopt(IPV6_TRANSPARENT)")
            elif transparent and setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one)) < 0:
                raise own_error(errno, b"setsockopt(IP_TRANSPARENT)")
            if c_bind(fd, <const sockaddr*>PyBytes_AS_STRING(local), <socklen_t>PyBytes_GET_SIZE(local)) < 0:
                raise own_error(errno, b"bind()")
        if c_connect(fd, to, <socklen_t>PyBytes_GET_SIZE(address)) < 0:
            raise os_error(errno)
        return Datagrams(lane, fd, arrived, failed)
    except BaseException:
        c_close(fd)
        raise


cdef object own_error(int number, bytes call):
    """What failed on our side, before the peer was asked."""
    error = os_error(number)
    error.filename = call
    return error
