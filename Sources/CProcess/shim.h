#ifndef CPROCESS_SHIM_H
#define CPROCESS_SHIM_H

#ifdef __linux__
#include <sys/prctl.h>
#endif

/// Keeps other processes of the same user from attaching to this one and from reading its memory and environment in /proc. 0 if done.
static inline int cprocess_forbid_dumps(void) {
#ifdef __linux__
    // The function takes a variable number of arguments, which Swift can't call.
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#else
    return 0;
#endif
}

#endif
