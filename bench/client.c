/* An HTTP/1.1 load generator that counts exactly: every answer's status is checked, its own CPU time is reported.
 *
 *   client PORT REQUEST [-c connections] [-d seconds | -n requests] [-r rate] [-s status] [-C] [-i] [-w bytes_per_second]
 *
 * REQUEST is a file with the raw bytes of one request. Without -r each connection asks again as soon as it has its answer;
 * with -r requests start at that rate over all connections and a latency counts from the moment it was due.
 * -C: a new connection for each request, the server closes. -i: open all connections, one request on each, print "ready",
 * wait for a line on stdin, ask once more on each. -w: read no faster than this on each connection.
 * Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD, SIZED, TO_EOF, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };

struct connection {
    int fd, phase, busy, finished, status, asked_close, odd;
    size_t sent, have;
    long long left;
    uint64_t due;
    char head[16384];
};

static int port, connections = 32, wanted_status = 200, each_new, idle;
static double seconds = 2, rate, reading;
static long long wanted;   /* 0: until the time is over */
static char *request;
static size_t request_length;
static int epoll, timer;
static struct connection *all;
static long long started_requests, answered, wrong, broken, bytes, behind;
static uint32_t *latencies;
static size_t latency_count, latency_room;
static char buffer[1 << 18];
static int stopping;

static void die(const char *what) { perror(what); exit(1); }

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void open_connection(struct connection *c) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, small = 65536;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (reading) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (connect(c->fd, (void *)&a, sizeof a) && errno != EINPROGRESS) die("connect");
    c->phase = HEAD;
    c->busy = c->finished = c->asked_close = 0;
    c->have = c->sent = 0;
    if (reading) return;
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl");
}

static void push(struct connection *c) {
    while (c->busy && c->sent < request_length) {
        ssize_t n = send(c->fd, request + c->sent, request_length - c->sent, MSG_NOSIGNAL);
        if (n < 0) return;   /* not yet writable, or broken: the read side sees which */
        c->sent += n;
    }
}

static int more_wanted(void) { return !stopping && (!wanted || started_requests < wanted); }

static void ask(struct connection *c, uint64_t due) {
    started_requests++;
    c->busy = 1;
    c->finished = 0;
    c->sent = c->have = 0;
    c->phase = HEAD;
    c->due = due;
    push(c);
}

static void again(struct connection *c) {
    close(c->fd);
    open_connection(c);
}

static void done(struct connection *c) {
    answered++;
    if (c->status != wanted_status) wrong++;
    if (latency_count == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 1 << 16;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
    }
    latencies[latency_count++] = (now_ns() - c->due) / 1000;
    c->busy = 0;
    c->finished = 1;
}

static char *field(struct connection *c, const char *name) {
    size_t n = strlen(name);
    for (char *p = c->head; (p = strchr(p, '\n'));) {
        p++;
        if (!strncasecmp(p, name, n)) return p + n;
    }
    return 0;
}

static void head_complete(struct connection *c) {
    c->status = atoi(c->head + 9);
    char *value = field(c, "connection:");
    c->asked_close = value && !strncasecmp(value + strspn(value, " "), "close", 5);
    if ((value = field(c, "content-length:"))) c->phase = SIZED, c->left = atoll(value);
    else if (field(c, "transfer-encoding:")) c->phase = CHUNK_SIZE, c->left = 0, c->odd = 0;
    else if (c->status == 204 || c->status == 304) c->phase = SIZED, c->left = 0;
    else c->phase = TO_EOF;
}

/* Takes what came; sets c->finished at the end of the answer. */
static void take(struct connection *c, char *p, size_t n) {
    bytes += n;
    if (c->phase == HEAD) {
        size_t room = sizeof c->head - 1 - c->have, part = n < room ? n : room, before = c->have;
        memcpy(c->head + c->have, p, part);
        c->have += part;
        c->head[c->have] = 0;
        char *end = strstr(c->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
        if (!end) return;
        end[2] = 0;
        size_t used = end + 4 - c->head - before;
        p += used;
        n -= used;
        head_complete(c);
    }
    while (n || (c->phase == SIZED && !c->left)) {
        long long part;
        switch (c->phase) {
        case SIZED:
            part = (long long)n < c->left ? (long long)n : c->left;
            c->left -= part;
            if (!c->left) done(c);
            return;
        case TO_EOF:
            return;
        case CHUNK_SIZE:   /* odd: an extension has begun */
            if (*p == '\n') c->phase = c->left ? CHUNK_DATA : TRAILER, c->odd = 0;
            else if (*p == ';') c->odd = 1;
            else if (*p != '\r' && !c->odd)
                c->left = c->left * 16 + (*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
            break;
        case CHUNK_DATA:
            part = (long long)n < c->left ? (long long)n : c->left;
            c->left -= part;
            p += part;
            n -= part;
            if (!c->left) c->phase = CHUNK_END;
            continue;
        case CHUNK_END:
            if (*p == '\n') c->phase = CHUNK_SIZE, c->odd = 0;
            break;
        case TRAILER:   /* odd: this line has something on it */
            if (*p == '\n') {
                if (!c->odd) { done(c); return; }
                c->odd = 0;
            } else if (*p != '\r') c->odd = 1;
            break;
        }
        p++;
        n--;
    }
}

static void next(struct connection *c) {
    if (idle) return;
    if (rate) {   /* what is due and found no free connection */
        if (behind && more_wanted()) behind--, ask(c, now_ns());
    } else if (more_wanted()) {
        ask(c, now_ns());
    }
}

static void readable(struct connection *c) {
    for (;;) {
        ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            if (c->busy && c->phase == TO_EOF) done(c);
            else if (c->busy) broken++;
            again(c);
            next(c);
            return;
        }
        take(c, buffer, n);
        if (c->finished) {
            if (each_new || c->asked_close) continue;   /* until the server has closed */
            next(c);
            if ((size_t)n < sizeof buffer) return;
        }
    }
}

static void poll_once(int timeout_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(epoll, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (!c) {
            uint64_t ticks;
            static int turn;
            if (read(timer, &ticks, sizeof ticks) != sizeof ticks) continue;
            for (behind += ticks; behind && more_wanted();) {
                int tried = 0;
                while (tried < connections && all[turn].busy) turn = (turn + 1) % connections, tried++;
                if (tried == connections) break;
                behind--;
                ask(&all[turn], now_ns());
                turn = (turn + 1) % connections;
            }
            continue;
        }
        if (events[i].events & EPOLLOUT) push(c);
        if (events[i].events & ~EPOLLOUT) readable(c);
    }
}

static void slow_reading(uint64_t end) {
    double share = reading / 20;
    while (now_ns() < end) {
        for (int i = 0; i < connections; i++) {
            struct connection *c = &all[i];
            if (!c->busy && more_wanted()) ask(c, now_ns());
            push(c);
            ssize_t n = recv(c->fd, buffer, share < sizeof buffer ? (size_t)share : sizeof buffer, 0);
            if (n > 0) take(c, buffer, n);
            else if (n == 0 || errno != EAGAIN) broken++, again(c);
        }
        usleep(50000);
    }
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(uint32_t *)a, y = *(uint32_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    for (int o; (o = getopt(argc, argv, "c:d:n:r:s:Ciw:")) != -1;) {
        if (o == 'c') connections = atoi(optarg);
        else if (o == 'd') seconds = atof(optarg);
        else if (o == 'n') wanted = atoll(optarg), seconds = 600;
        else if (o == 'r') rate = atof(optarg);
        else if (o == 's') wanted_status = atoi(optarg);
        else if (o == 'C') each_new = 1;
        else if (o == 'i') idle = 1;
        else if (o == 'w') reading = atof(optarg);
        else return 2;
    }
    if (argc - optind != 2) { fprintf(stderr, "usage: client [options] PORT REQUEST\n"); return 2; }
    port = atoi(argv[optind]);
    int f = open(argv[optind + 1], O_RDONLY);
    if (f < 0) die(argv[optind + 1]);
    request_length = lseek(f, 0, SEEK_END);
    request = malloc(request_length + 1);
    if (pread(f, request, request_length, 0) != (ssize_t)request_length) die("read");

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    all = calloc(connections, sizeof *all);
    uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9);
    if (idle) {
        for (int turn = 0; turn < 2; turn++) {
            for (int i = 0; i < connections; i++) {
                if (!turn) open_connection(&all[i]);
                ask(&all[i], now_ns());
                if (i % 64 == 63) poll_once(0);   /* no overflow of the server's backlog */
                while (i - answered + (turn ? connections : 0) > 256 && now_ns() < end) poll_once(10);
            }
            while (answered + broken < (long long)connections * (turn + 1) && now_ns() < end) poll_once(10);
            if (turn) break;
            printf("ready\n");
            fflush(stdout);
            if (!fgets(buffer, sizeof buffer, stdin)) return 1;
            end = now_ns() + (uint64_t)(seconds * 1e9);
        }
    } else {
        for (int i = 0; i < connections; i++) open_connection(&all[i]);
        if (reading) {
            slow_reading(end);
        } else {
            if (rate) {
                timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
                long long gap = 1e9 / rate;
                struct itimerspec every = {{gap / 1000000000, gap % 1000000000}, {gap / 1000000000, gap % 1000000000}};
                timerfd_settime(timer, 0, &every, 0);
                struct epoll_event e = {.events = EPOLLIN, .data.ptr = 0};
                epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &e);
            } else {
                for (int i = 0; i < connections && more_wanted(); i++) ask(&all[i], now_ns());
            }
            while (now_ns() < end && !(wanted && answered + broken >= wanted)) poll_once(10);
        }
    }
    stopping = 1;
    double took = (now_ns() - begin) / 1e9;
    qsort(latencies, latency_count, sizeof *latencies, by_value);
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    double cpu = own.ru_utime.tv_sec + own.ru_stime.tv_sec + (own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
#define AT(q) (latency_count ? latencies[(size_t)((latency_count - 1) * (q))] : 0)
    printf("{\"requests\": %lld, \"seconds\": %.6f, \"bytes\": %lld, \"wrong_status\": %lld, \"broken\": %lld, "
           "\"behind\": %lld, \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u, \"cpu_s\": %.6f}\n",
           answered, took, bytes, wrong, broken, behind, AT(0.5), AT(0.99), AT(1.0), cpu);
}
