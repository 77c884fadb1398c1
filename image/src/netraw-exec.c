/* Runs the program it is called as with CAP_NET_RAW in the ambient set. It carries the capability as permitted only
 * (=p), so it also starts where the pod has none; then the program runs without, and a failure names the tier. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int raise_ambient(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    if (syscall(SYS_capget, &header, data) != 0 || !(data[0].permitted & (1u << CAP_NET_RAW)))
        return -1;
    data[0].inheritable |= 1u << CAP_NET_RAW;
    data[0].effective |= 1u << CAP_NET_RAW;
    if (syscall(SYS_capset, &header, data) != 0)
        return -1;
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
}

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc ? argv[0] : "";
    char path[128];
    int status = 0;
    pid_t child;
    if (snprintf(path, sizeof path, "/usr/bin/%s", name) >= (int)sizeof path || !strcmp(name, "netraw-exec")) {
        fputs("netraw-exec: call it by the name of the program it shall run\n", stderr);
        return 2;
    }
    if (raise_ambient() == 0 || (child = fork()) == 0) {
        execv(path, argv);
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 127;
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status)) /* a closed pipe, an interrupt: no question of rights */
        return 128 + WTERMSIG(status);
    fprintf(stderr, "%s: raw sockets need the netraw tier (manifests/components/netraw)\n", name);
    return WEXITSTATUS(status);
}
