/* A trivial app server for measurements: reads one whole request, answers with a fixed response.
 *
 *   responder uwsgi|http|grpc ADDRESS [SIZE]      ADDRESS: a path (unix socket) or a port on 127.0.0.1
 *
 * uwsgi: the packet (4 bytes of head, little-endian length, then name/value pairs) and a body of CONTENT_LENGTH bytes are
 * read to the end, then the answer goes out and the connection closes. http: the same with a request head, and the
 * connection stays, unless the request says otherwise. grpc: each stream of a connection that is HTTP/2 at once is answered, when it has ended, with a
 * message of SIZE bytes; fields are not looked at. It has to be cheap and honest: one thread, epoll, any number of connections, no early answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 4 + 65535 };

struct connection {
    int fd;
    int answering;
    size_t have;       /* bytes of the head so far */
    long long body;    /* bytes of the body still to come, -1 while the head is not complete */
    int last;          /* the client has said so: Connection: close */
    size_t sent;
    char head[ROOM];
};

static int speaks_uwsgi, speaks_grpc, epoll;
static char *answer, scratch[1 << 18];
static size_t answer_length;
static struct connection *spare[1 << 16];
static int spares;

static void die(const char *what) { perror(what); exit(1); }

static void drop(struct connection *c) {
    close(c->fd);
    if (spares < 1 << 16) spare[spares++] = c;
    else free(c);
}

/* The body's length, or -1 while the head is incomplete; *used is where the head ends. */
static long long uwsgi_head(struct connection *c, size_t *used) {
    if (c->have < 4) return -1;
    unsigned char *p = (unsigned char *)c->head;
    size_t end = 4 + (p[1] | p[2] << 8);
    if (c->have < end) return -1;
    long long body = 0;
    for (size_t at = 4; at + 2 <= end;) {
        size_t name = p[at] | p[at + 1] << 8, key = at + 2;
        at = key + name;
        if (at + 2 > end) break;
        size_t value = p[at] | p[at + 1] << 8;
        at += 2;
        if (name == 14 && !memcmp(p + key, "CONTENT_LENGTH", 14))
            for (size_t i = at; i < at + value && i < end; i++) body = body * 10 + (p[i] - '0');
        at += value;
    }
    *used = end;
    return body;
}

static long long http_head(struct connection *c, size_t *used) {
    char *end = memmem(c->head, c->have, "\r\n\r\n", 4);
    if (!end) return -1;
    *used = end + 4 - c->head;
    long long body = 0;
    for (char *line = c->head; line < end;) {
        char *next = memchr(line, '\n', end + 2 - line);
        if (!next) break;
        line = next + 1;
        if (!strncasecmp(line, "content-length:", 15)) body = atoll(line + 15);
        if (!strncasecmp(line, "connection: close", 17)) c->last = 1;
    }
    return body;
}

/* 0 when the connection is gone. */
static int reply(struct connection *c) {
    while (c->sent < answer_length) {
        ssize_t n = send(c->fd, answer + c->sent, answer_length - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return 1;
        if (n < 0) { drop(c); return 0; }
        c->sent += n;
    }
    if (speaks_uwsgi || c->last) { drop(c); return 0; }
    c->answering = 0;
    c->have = c->sent = 0;
    c->body = -1;
    return 1;
}

static void readable(struct connection *c) {
    for (;;) {
        char *to = c->body < 0 ? c->head + c->have : scratch;
        size_t room = c->body < 0 ? ROOM - c->have : sizeof scratch;
        ssize_t n = recv(c->fd, to, room, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { drop(c); return; }
        if (c->body < 0) {
            size_t used = 0;
            c->have += n;
            long long body = speaks_uwsgi ? uwsgi_head(c, &used) : http_head(c, &used);
            if (body < 0) continue;
            c->body = body - (long long)(c->have - used);
        } else {
            c->body -= n;
        }
        if (c->body <= 0) {
            c->answering = 1;
            if (!reply(c) || c->answering) return;
        }
    }
}

/* --- HTTP/2, as far as a client that keeps to its rules needs it */

enum { F_DATA, F_HEADERS, F_SETTINGS = 4, F_PING = 6, END_STREAM = 1, ACK = 1, PREFACE = 24 };

static char *frame(char *to, size_t size, int type, int flags, unsigned stream) {
    char head[9] = {size >> 16, size >> 8, size, type, flags, stream >> 24, stream >> 16, stream >> 8, stream};
    memcpy(to, head, 9);
    return to + 9;
}

static char *grpc_answer(char *to, unsigned stream) {
    /* :status 200, content-type: application/grpc; grpc-status: 0 */
    static const char head[] = "\x88\x0f\x10\x10" "application/grpc", trailer[] = "\0\x0bgrpc-status\x01" "0";
    to = frame(to, sizeof head - 1, F_HEADERS, 4, stream);
    to = (char *)memcpy(to, head, sizeof head - 1) + sizeof head - 1;
    to = frame(to, answer_length, F_DATA, 0, stream);
    to = (char *)memcpy(to, answer, answer_length) + answer_length;
    to = frame(to, sizeof trailer - 1, F_HEADERS, 4 | END_STREAM, stream);
    return (char *)memcpy(to, trailer, sizeof trailer - 1) + sizeof trailer - 1;
}

/* Answers are few and small beside what a socket takes; one that does not take them is a mistake in the measurement. */
static void grpc_readable(struct connection *c) {
    for (;;) {
        ssize_t n = recv(c->fd, c->head + c->have, ROOM - c->have, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { drop(c); return; }
        c->have += n;
        size_t at = 0;
        char *to = scratch;
        if (c->body < 0) {
            if (c->have < PREFACE) continue;
            at = PREFACE;
            c->body = 0;
            to = frame(to, 0, F_SETTINGS, 0, 0);
            to = frame(to, 4, 8, 0, 0); /* the connection's window, as wide as can be */
            to = (char *)memcpy(to, "\x7f\xff\0\0", 4) + 4;
        }
        while (c->have - at >= 9) {
            unsigned char *p = (unsigned char *)c->head + at;
            size_t size = p[0] << 16 | p[1] << 8 | p[2];
            if (size > 16384 || to - scratch > (long)(sizeof scratch - answer_length - 256)) abort();
            if (c->have - at < 9 + size) break;
            at += 9 + size;
            if (p[3] == F_SETTINGS && !(p[4] & ACK)) to = frame(to, 0, F_SETTINGS, ACK, 0);
            else if (p[3] == F_PING && !(p[4] & ACK)) to = (char *)memcpy(frame(to, 8, F_PING, ACK, 0), p + 9, 8) + 8;
            else if ((p[3] == F_DATA || p[3] == F_HEADERS) && p[4] & END_STREAM)
                to = grpc_answer(to, (p[5] & 127) << 24 | p[6] << 16 | p[7] << 8 | p[8]);
        }
        memmove(c->head, c->head + at, c->have -= at);
        if (to > scratch && send(c->fd, scratch, to - scratch, MSG_NOSIGNAL) != to - scratch) { drop(c); return; }
    }
}

static int listening(const char *where) {
    int s;
    if (strchr(where, '/')) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        strncpy(a.sun_path, where, sizeof a.sun_path - 1);
        unlink(where);
        s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(s, (void *)&a, sizeof a)) die(where);
    } else {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(where)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int on = 1;
        s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (bind(s, (void *)&a, sizeof a)) die(where);
    }
    if (listen(s, 4096)) die("listen");
    return s;
}

int main(int argc, char **argv) {
    if (argc < 3) { fprintf(stderr, "usage: responder uwsgi|http|grpc ADDRESS [SIZE]\n"); return 2; }
    speaks_uwsgi = !strcmp(argv[1], "uwsgi");
    speaks_grpc = !strcmp(argv[1], "grpc");
    size_t size = argc > 3 ? strtoull(argv[3], 0, 10) : 6;
    answer = malloc(size + 256);
    if (speaks_grpc) {
        char prefix[5] = {0, size >> 24, size >> 16, size >> 8, size};
        memcpy(answer, prefix, answer_length = 5);
    } else answer_length = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", size);
    for (size_t i = 0; i < size; i++) answer[answer_length++] = i + 1 == size ? '\n' : "hello"[i % 5];

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int s = listening(argv[2]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = 0}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, s, &e);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                for (int fd; (fd = accept4(s, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
                    c = spares ? spare[--spares] : malloc(sizeof *c);
                    c->fd = fd;
                    c->have = c->sent = c->answering = c->last = 0;
                    c->body = -1;
                    /* OUT and IN, edge-triggered, once: no further epoll_ctl for a long answer. */
                    struct epoll_event add = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
                    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &add);
                }
            } else if (c->answering) {
                reply(c);
            } else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                (speaks_grpc ? grpc_readable : readable)(c);
            }
        }
    }
}
