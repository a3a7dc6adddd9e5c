/* TLS connections of one request each, so many at a time, from one process: what `openssl s_time` asks, without eight
 * processes that share a core by turns.
 *
 *   handshakes PORT TARGET [-c connections] [-d seconds | -n requests] [-r]
 *
 * Each shakes hands in full, or with -r by the ticket that the one before it had; sends GET TARGET in HTTP/1.0, reads to
 * the server's close, and is closed. An answer that does not begin with 200, or a ticket that was not taken, ends it all.
 * Prints one line of JSON. Links with the libssl that is there, without its headers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
const void *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const void *);
SSL *SSL_new(SSL_CTX *);
void SSL_free(SSL *);
int SSL_set_fd(SSL *, int);
void SSL_set_connect_state(SSL *);
int SSL_do_handshake(SSL *);
int SSL_read(SSL *, void *, int);
int SSL_write(SSL *, const void *, int);
int SSL_get_error(const SSL *, int);
void SSL_set_shutdown(SSL *, int);
SSL_SESSION *SSL_get1_session(SSL *);
int SSL_set_session(SSL *, SSL_SESSION *);
int SSL_session_reused(const SSL *);
void SSL_SESSION_free(SSL_SESSION *);
enum { WANT_READ = 2, WANT_WRITE = 3, SENT_AND_RECEIVED = 3 };

struct connection {
    SSL *ssl;
    SSL_SESSION *session;
    int fd, asked, answered;
};

static SSL_CTX *context;
static int port, again, polling, asking, open_now;
static char request[512];
static double until;
static long long wanted, begun, done, resumed;

static void fail(const char *why) {
    fprintf(stderr, "handshakes: %s\n", why);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void connect_to(struct connection *c) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int on = 1;
    if (wanted ? begun == wanted : now() >= until)
        return;
    begun++;
    open_now++;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c->fd < 0 || (connect(c->fd, (struct sockaddr *) &address, sizeof address) && errno != EINPROGRESS))
        fail(strerror(errno));
    c->asked = c->answered = 0;
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    if (c->session)
        SSL_set_session(c->ssl, c->session);
    epoll_ctl(polling, EPOLL_CTL_ADD, c->fd, &event);
}

static void finish(struct connection *c) {
    if (!c->answered)
        fail("closed without an answer");
    if (again) {
        if (c->session && !SSL_session_reused(c->ssl))
            fail("the ticket was not taken");
        resumed += c->session != NULL;
        SSL_SESSION_free(c->session);
        c->session = SSL_get1_session(c->ssl);
    }
    SSL_set_shutdown(c->ssl, SENT_AND_RECEIVED); /* or the session is none to resume */
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
    done++;
    open_now--;
    connect_to(c);
}

static void go_on(struct connection *c) {
    static char data[65536];
    int got, error;
    if (!c->asked) {
        got = SSL_do_handshake(c->ssl);
        if (got != 1) {
            error = SSL_get_error(c->ssl, got);
            if (error != WANT_READ && error != WANT_WRITE)
                fail("handshake failed");
            return;
        }
        SSL_write(c->ssl, request, asking);
        c->asked = 1;
    }
    while ((got = SSL_read(c->ssl, data, sizeof data)) > 0)
        if (!c->answered) {
            if (got < 12 || memcmp(data + 8, " 200", 4))
                fail("not a 200");
            c->answered = 1;
        }
    error = SSL_get_error(c->ssl, got);
    if (error != WANT_READ && error != WANT_WRITE)
        finish(c);
}

int main(int count, char **words) {
    int connections = 8, option, ready, i;
    double seconds = 1;
    struct epoll_event events[64];
    struct connection *all;
    while ((option = getopt(count, words, "c:d:n:r")) > 0)
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'n': wanted = atoll(optarg); break;
        case 'r': again = 1; break;
        default: return 2;
        }
    if (count - optind != 2)
        fail("PORT and TARGET are wanted");
    port = atoi(words[optind]);
    asking = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", words[optind + 1]);
    if (asking >= (int) sizeof request)
        fail("too long a target");
    context = SSL_CTX_new(TLS_client_method());
    polling = epoll_create1(0);
    all = calloc(connections, sizeof *all);
    until = now() + seconds;
    for (i = 0; i < connections; i++)
        connect_to(all + i);
    while (open_now) {
        ready = epoll_wait(polling, events, 64, 10000);
        if (ready <= 0)
            fail("nothing came for ten seconds");
        for (i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->ssl)
                go_on(c);
        }
    }
    printf("{\"requests\": %lld, \"resumed\": %lld}\n", done, resumed);
    return 0;
}
