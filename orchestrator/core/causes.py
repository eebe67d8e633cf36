"""What the system says when it refuses, in words that say what to do."""

import errno

_ADVICE = {
    errno.EACCES: "give the account that runs this the right to it",
    errno.EPERM: "give the account that runs this the right to it",
    errno.EROFS: "mount it writable",
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, or raise the quota",
    errno.EMFILE: "raise the limit on open files",
    errno.ENFILE: "raise the limit on open files",
    errno.EIO: "look after the disk",
}


def plain_cause(error: OSError) -> str:
    """Why, and what to do where that is known; what the system says stands first."""
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file stands where a folder is needed; move it away"
    said = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0)
    return f"{said}; {advice}" if advice else said
