/* healthcheck live    the program that the mode is about runs, and is not stopped
 * healthcheck ready   that, and there is a login which the API has not refused
 * healthcheck expiry  the login is known to last a while yet
 *
 * Ends with 0, or says why not and ends with 1. It is asked every few seconds for as long as the box lives, so it starts
 * nothing: the supervisor keeps the answer, and the api mode's service gives it. What is asked seldom is health.py's. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ANSWER 9   /* the supervisor's descriptor of what it says: in memory, sealed, so nobody else can change it */
#define WORDS 4    /* a script is among the first of its interpreter's arguments */
#define PATIENCE 5 /* seconds for the service to answer */

static char library[PATH_MAX]; /* where the box's own programs are */

static int unwell(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

/* Cuts a path's last part off and returns where it was, NULL for none. */
static char *parent(char *path)
{
    char *end = strrchr(path, '/');
    if (end)
        *end = '\0';
    return end;
}

static const char *variable(const char *name, const char *otherwise)
{
    const char *found = getenv(name);
    return found && *found ? found : otherwise;
}

static FILE *of_process(long pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", pid, name);
    return fopen(path, "re");
}

/* Whether one of the first COUNT texts in a file of texts that end in NUL is WANTED, or begins with it where PREFIX is set. */
static int has(FILE *file, int count, const char *wanted, char **rest)
{
    char *text = NULL;
    size_t size = 0, length = strlen(wanted);
    int found = 0;
    while (file && !found && count-- > 0 && getdelim(&text, &size, '\0', file) > 0)
        found = rest ? !strncmp(text, wanted, length) : !strcmp(text, wanted);
    if (found && rest)
        *rest = strdup(text + length);
    free(text);
    if (file)
        fclose(file);
    return found;
}

static int same_place(long pid)
{
    char *theirs = NULL;
    const char *own = getenv("TMPDIR");
    has(of_process(pid, "environ"), INT_MAX, "TMPDIR=", &theirs);
    int same = !strcmp(theirs ? theirs : "", own ? own : "");
    free(theirs);
    return same;
}

/* When a process started; 0 if there is none. */
static unsigned long long started(long pid)
{
    char line[1024];
    FILE *file = of_process(pid, "stat");
    size_t length = file ? fread(line, 1, sizeof line - 1, file) : 0;
    unsigned long long at = 0;
    if (file)
        fclose(file);
    line[length] = '\0';
    char *field = strrchr(line, ')'); /* its name may hold anything; what follows are the fields from the 3rd on */
    for (int each = 2; field && each < 22; each++)
        field = strchr(field + 1, ' ');
    if (field)
        at = strtoull(field, NULL, 10);
    return at;
}

/* The oldest process that runs a script of the box's: another that is started later, by whomever, counts for nothing. */
static long oldest(const char *script, int here)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/%s", library, script);
    DIR *table = opendir("/proc");
    long found = 0;
    unsigned long long since = 0;
    for (struct dirent *each; table && (each = readdir(table));) {
        char *end;
        long pid = strtol(each->d_name, &end, 10);
        if (pid <= 0 || *end || !has(of_process(pid, "cmdline"), WORDS, path, NULL) || (here && !same_place(pid)))
            continue;
        unsigned long long at = started(pid);
        if (at && (!found || at < since || (at == since && pid < found)))
            found = pid, since = at;
    }
    if (table)
        closedir(table);
    return found;
}

/* Lines "until SECONDS", "live WHY", "ready WHY"; no reason why not means that it is. */
static int supervised(const char *what)
{
    long pid = oldest("supervise.py", 1);
    char name[32], line[4096], why[4096] = "";
    double until = 0;
    int told = 0;
    struct timespec now;
    snprintf(name, sizeof name, "fd/%d", ANSWER);
    FILE *file = pid ? of_process(pid, name) : NULL;
    if (!file)
        return unwell("the supervisor does not run");
    while (fgets(line, sizeof line, file)) {
        char *rest = strchr(line, ' ');
        line[strcspn(line, "\n")] = '\0';
        if (!rest)
            continue;
        *rest++ = '\0';
        if (!strcmp(line, "until"))
            until = strtod(rest, NULL);
        else if (!strcmp(line, what))
            told = 1, strcpy(why, rest);
    }
    fclose(file);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!told || until < (double)now.tv_sec + (double)now.tv_nsec / 1e9)
        return unwell("the supervisor has said nothing for too long: it is stopped, or hangs");
    return *why ? unwell(why) : 0;
}

static int connected(const char *host, const char *port)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct timeval patience = {.tv_sec = PATIENCE};
    int made = -1;
    if (getaddrinfo(host, port, &wanted, &found) != 0)
        return -1;
    for (struct addrinfo *each = found; each && made < 0; each = each->ai_next) {
        made = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
        if (made < 0)
            continue;
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (connect(made, each->ai_addr, each->ai_addrlen) != 0) {
            close(made);
            made = -1;
        }
    }
    freeaddrinfo(found);
    return made;
}

/* What the service says of itself; a program that only listens in its place is no service. */
static int service(const char *what)
{
    char said[8192], asked[128];
    size_t length = 0;
    ssize_t part = 0;
    const char *host = variable("BOX_API_HOST", "127.0.0.1");
    if (!oldest("api.py", 0))
        return unwell("the service does not run");
    int made = connected(!strcmp(host, "0.0.0.0") ? "127.0.0.1" : host, variable("BOX_API_PORT", "8080"));
    int size = snprintf(asked, sizeof asked, "GET /%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                        !strcmp(what, "ready") ? "readyz" : "healthz");
    if (made < 0 || send(made, asked, (size_t)size, MSG_NOSIGNAL) != size)
        return unwell("the service does not answer");
    while (length < sizeof said - 1 && (part = recv(made, said + length, sizeof said - 1 - length, 0)) > 0)
        length += (size_t)part;
    close(made);
    said[length] = '\0';
    if (part < 0 || strncmp(said, "HTTP/1.1 ", 9) != 0)
        return unwell("the service does not answer");
    char *body = strstr(said, "\r\n\r\n");
    return strncmp(said + 9, "200 ", 4) == 0 ? 0 : unwell(body ? body + 4 : said);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "live", *mode = variable("CLAUDE_MODE", "remote-control");
    ssize_t length = readlink("/proc/self/exe", library, sizeof library - 32);
    char *end = length > 0 ? (library[length] = '\0', parent(library), parent(library)) : NULL;
    char script[PATH_MAX + 16];
    if (!end)
        return unwell("healthcheck: it does not know where it is");
    strcpy(end, "/lib/box");
    if (strcmp(mode, "interactive") && (!strcmp(what, "live") || !strcmp(what, "ready")))
        return strcmp(mode, "api") ? supervised(what) : service(what);
    snprintf(script, sizeof script, "%s/health.py", library);
    execlp("python3", "python3", "-I", script, what, (char *)NULL);
    return unwell("healthcheck: there is no python3");
}
