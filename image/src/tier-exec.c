/* Runs the program it is called as, one of PROGRAMS, with CAPABILITY in the ambient set. It carries the capability as permitted only
 * (=p), so it also starts where the pod has none; then the program runs without, and a failure names the tier. */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const DIRECTORIES[] = {"/usr/bin", "/usr/sbin"};
static const char *const NAMES[] = {PROGRAMS};

static int raise_ambient(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &header, data) != 0 || !(data[0].permitted & (1u << CAPABILITY)))
        return -1;
    data[0].inheritable |= 1u << CAPABILITY;
    data[0].effective |= 1u << CAPABILITY;
    if (syscall(SYS_capset, &header, data) != 0)
        return -1;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAPABILITY, 0, 0);
}

/* A tracer ends with the code of what it traces: only where it attaches can its failure be a question of rights. */
static int may_be_refused(char **argv)
{
    if (CAPABILITY != CAP_SYS_PTRACE)
        return 1;
    while (*argv && *++argv)
        if (!strncmp(*argv, "-p", 2) || !strncmp(*argv, "--pid", 5) || !strncmp(*argv, "--attach", 8))
            return 1;
    return 0;
}

static int listed(const char *name)
{
    for (size_t each = 0; each < sizeof NAMES / sizeof *NAMES; each++)
        if (!strcmp(NAMES[each], name))
            return 1;
    return 0;
}

static int named(char *path, size_t size, const char *name)
{
    for (size_t each = 0; each < sizeof DIRECTORIES / sizeof *DIRECTORIES; each++)
        if (snprintf(path, size, "%s/%s", DIRECTORIES[each], name) < (int)size && !access(path, X_OK))
            return 0;
    return -1;
}

static int explained(pid_t child, const char *name)
{
    int status = 0, code;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    /* An interrupt is no question of rights; nor is a closed pipe, but mtr has one where its helper was refused. */
    if (code != 0 && (code < 128 || (code == 128 + SIGPIPE && CAPABILITY == CAP_NET_RAW)))
        fprintf(stderr, "%s: " NEEDS " the " TIER " tier (manifests/components/" TIER ")\n", name);
    return code;
}

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc ? argv[0] : "";
    char path[128];
    if (!listed(name) || named(path, sizeof path, name) != 0) {
        fprintf(stderr, TIER "-exec: '%s' is none of the programs of this tier\n", name);
        return 127;
    }
    if (raise_ambient() != 0 && may_be_refused(argv)) {
        pid_t child = fork();
        if (child > 0)
            return explained(child, name);
        if (child == 0)
            prctl(PR_SET_PDEATHSIG, SIGTERM); /* who ends the launcher means the program */
    }
    execv(path, argv);
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return 127;
}
